import assert from "node:assert/strict";
import { test } from "node:test";
import { Events, readAnswer, type Told, told } from "../src/pages/playground/stream";

const chunk = (text: string) => `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`;

test("events come whole, however their bytes are cut", () => {
  const stream = `${chunk("a")}: heartbeat\n\n${chunk("b").replaceAll("\n", "\r\n")}data: [DONE]\n\n`;
  for (let size = 1; size < stream.length; size += 1) {
    const events = new Events();
    const found: string[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...events.feed(stream.slice(at, at + size)));
    assert.deepEqual(
      found.map((data) => told(data)?.text ?? null),
      ["a", "b", null],
    );
  }
});

test("the last chunk tells what it cost, an error says why, and nothing else is taken for text", () => {
  const last = told('{"choices": [], "pointsman": {"cost_nano_usd": 912, "model": "a/b"}}');
  assert.deepEqual([last?.text, last?.cost_nano, last?.model], ["", 912, "a/b"]);
  assert.equal(told('{"error": {"message": "too long"}}')?.error, "too long");
  assert.equal(told("not json"), null);
  assert.equal(told('{"choices": [{"delta": {"content": null}}]}')?.text, "");
});

test("an answer is read from a stream and from plain JSON alike", async () => {
  const read = async (body: string, type: string): Promise<string> => {
    const parts: Told[] = [];
    await readAnswer(new Response(body, { headers: { "content-type": type } }), (part) => parts.push(part));
    return parts.map((part) => part.text).join("");
  };
  assert.equal(await read(chunk("Grüße, ") + chunk("Welt"), "text/event-stream; charset=utf-8"), "Grüße, Welt");
  assert.equal(await read('{"choices": [{"message": {"content": "42"}}]}', "application/json"), "42");
});
