// The models as /ui/api/models gives them, met in the one order of colours: first those that serve, as the shell's own
// figures name them, then the others as the configuration has them.
import { effect } from "@preact/signals";
import { get } from "../../api";
import { failed, now } from "../../now-store";
import { meet } from "../../theme";
import type { Models } from "../../types";

/** Waits until the shell has met the models that serve, or has failed to. */
function shellKnows(): Promise<void> {
  return new Promise((done) => {
    const stop = effect(() => {
      if (!now.value && !failed.value) return;
      queueMicrotask(() => stop());
      done();
    });
  });
}

/** Puts the models' colours in order before anything is drawn with them. */
export async function met(ids: string[]): Promise<void> {
  await shellKnows();
  meet(ids);
}

export async function loadModels(signal: AbortSignal): Promise<Models> {
  const data = await get<Models>("/models", signal);
  await met(data.models.map((one) => one.id));
  return data;
}
