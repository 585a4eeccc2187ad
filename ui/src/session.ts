// Who is signed in. The cookie is the gateway's and out of reach from here; this only knows what it says of itself.
import { computed, signal } from "@preact/signals";
import { connect, del, get, hangUp, onSignedOut, post } from "./api";
import type { Session } from "./types";

export const session = signal<Session | null>(null);
export const mayChange = computed(() => session.value?.signed_in === true && session.value.changes);
export const mayRead = computed(() => session.value?.prompts === true);

const NOBODY = { signed_in: false, role: null, changes: false, prompts: false, expires_s: null };

function take(next: Session): void {
  session.value = next;
  if (next.signed_in) connect();
  else hangUp();
}

onSignedOut.current = () => {
  if (session.value?.signed_in) take({ ...session.value, ...NOBODY });
};

/** The key in the address's fragment, which is taken out of the address at once. */
function keyInAddress(): { key: string; changes: boolean } | null {
  const given = new URLSearchParams(window.location.hash.slice(1));
  const key = given.get("key");
  if (window.location.hash) window.history.replaceState(null, "", window.location.pathname + window.location.search);
  return key ? { key, changes: given.has("changes") } : null;
}

/** Asks who is signed in; signs in with a key from the address where there is one. */
export async function arrive(): Promise<void> {
  const given = keyInAddress();
  if (given) {
    try {
      return take(await post<Session>("/session", given));
    } catch {
      // the form comes up, where the key can be put right
    }
  }
  take(await get<Session>("/session"));
}

export async function signIn(key: string, changes: boolean): Promise<void> {
  take(await post<Session>("/session", { ...(key && { key }), changes }));
}

export async function signOut(): Promise<void> {
  await del("/session");
  take(await get<Session>("/session"));
}
