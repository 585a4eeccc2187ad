// The answer of /ui/api/send, read as it comes: text, what it cost where the stream says so, and faults.
//
// It understands the events of /v1/chat/completions and a plain JSON completion; anything else in a stream is left out.

export interface Told {
  text: string; // added to the answer
  cost_nano: number | null;
  model: string | null;
  finish: string | null;
  error: string | null;
}

interface Chunk {
  choices?: { delta?: { content?: unknown }; message?: { content?: unknown }; finish_reason?: string | null }[];
  model?: string;
  pointsman?: { cost_nano_usd?: number; model?: string };
  error?: { message?: string };
}

const DONE = "[DONE]";

/** What one event's data, or a whole completion, adds. */
export function told(data: string): Told | null {
  if (data === "" || data === DONE) return null;
  let chunk: Chunk;
  try {
    chunk = JSON.parse(data) as Chunk;
  } catch {
    return null;
  }
  const choice = chunk.choices?.[0];
  const content = choice?.delta?.content ?? choice?.message?.content;
  return {
    text: typeof content === "string" ? content : "",
    cost_nano: chunk.pointsman?.cost_nano_usd ?? null,
    model: chunk.pointsman?.model ?? null,
    finish: choice?.finish_reason ?? null,
    error: chunk.error ? (chunk.error.message ?? "The gateway gave an error.") : null,
  };
}

/** Cuts bytes that come in any pieces into the data of whole events. */
export class Events {
  private rest = "";

  feed(piece: string): string[] {
    const parts = (this.rest + piece).split(/\r?\n\r?\n/);
    this.rest = parts.pop() ?? "";
    return parts.map(dataOf).filter((data) => data !== "");
  }
}

function dataOf(event: string): string {
  const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice(line.startsWith("data: ") ? 6 : 5)).join("\n");
}

/** Reads an answer to its end, telling each part as it comes. */
export async function readAnswer(answer: Response, tell: (part: Told) => void): Promise<void> {
  if (!(answer.headers.get("content-type") ?? "").includes("event-stream")) {
    const whole = told(await answer.text());
    if (whole) tell(whole);
    return;
  }
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  const events = new Events();
  while (reader) {
    const { done, value } = await reader.read();
    // an answer that breaks off may leave its last event without the blank line that ends it
    for (const part of events.feed(done ? "\n\n" : value).map(told)) if (part) tell(part);
    if (done) return;
  }
}
