// Anthropic's JavaScript library against the gateway that HERDER names. A line for each check, PASS or FAIL, then END.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const model = "smollm2:135m";
const hello = [{ role: "user", content: "Hello" }];
const weather = {
  name: "weather",
  description: "Tells the weather in a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const client = new Anthropic({ baseURL: process.env.HERDER, apiKey: "none", timeout: 60_000, maxRetries: 0 });

// Questions that a tool answered, and one more: a model as small as this one goes on as it was shown.
const conversation = ["London", "Rome", "Oslo"].flatMap((city) => [
  { role: "user", content: `How is the weather in ${city}?` },
  { role: "assistant", content: [{ type: "tool_use", id: `call_${city}`, name: "weather", input: { city } }] },
  { role: "user", content: [{ type: "tool_result", tool_use_id: `call_${city}`, content: "Sunny." }] },
  { role: "assistant", content: "Sunny." },
]);
conversation.push({ role: "user", content: "How is the weather in Paris?" });

const refused = async (request, kind, type) => {
  const error = await client.messages.create(request).catch((error) => error);
  assert(error instanceof kind, `${error}`);
  assert.equal(error.error.error.type, type);
  return error.error.error.message;
};

const checks = {
  async list() {
    const names = [];
    for await (const entry of client.models.list()) {
      names.push(entry.id);
    }
    assert(names.includes(model), names.join());
    return names.join(", ");
  },
  async message() {
    const answer = await client.messages.create({ model, messages: hello, max_tokens: 4, system: "Be brief." });
    assert.deepEqual([answer.type, answer.role, answer.model], ["message", "assistant", model]);
    assert(answer.content[0].type === "text" && answer.usage.output_tokens <= 4 && answer.usage.input_tokens > 0);
    assert(["max_tokens", "end_turn"].includes(answer.stop_reason), answer.stop_reason);
    return JSON.stringify(answer.content[0].text);
  },
  async stream() {
    const kinds = [];
    const events = client.messages.stream({ model, messages: hello, max_tokens: 8, temperature: 0 });
    for await (const event of events) {
      kinds.push(event.type);
    }
    assert.deepEqual([kinds[0], kinds.at(-1)], ["message_start", "message_stop"]);
    const whole = await events.finalMessage();
    assert(whole.content[0].text.length > 0 && whole.usage.output_tokens <= 8);
    return `${kinds.length} events`;
  },
  async tools() {
    const request = { model: "smollm2:tools", messages: conversation, tools: [weather], max_tokens: 60, temperature: 0 };
    const answer = await client.messages.create(request);
    const streamed = await client.messages.stream(request).finalMessage();
    for (const told of [answer, streamed]) {
      const { type, name, input } = told.content.at(-1);
      assert.deepEqual({ type, name, input }, { type: "tool_use", name: "weather", input: { city: "Paris" } });
      assert.equal(told.stop_reason, "tool_use");
    }
    return JSON.stringify(answer.content.at(-1).input);
  },
  async "tools-without"() {
    const request = { model, messages: hello, max_tokens: 4, tools: [weather] };
    const message = await refused(request, Anthropic.BadRequestError, "invalid_request_error");
    assert.match(message, /does not support tools/);
    return message;
  },
  async "unknown-model"() {
    const request = { model: "nope", messages: hello, max_tokens: 4 };
    await refused({ ...request, stream: true }, Anthropic.NotFoundError, "not_found_error");
    const message = await refused(request, Anthropic.NotFoundError, "not_found_error");
    assert.match(message, /nope/);
    return message;
  },
  async "bad-request"() {
    const request = { model, messages: [], max_tokens: 4 };
    return refused(request, Anthropic.BadRequestError, "invalid_request_error");
  },
  async cancellation() {
    const messages = [{ role: "user", content: "Write a very long story about a lighthouse." }];
    // This takes a minute.
    const answer = await client.messages.create({ model, messages, max_tokens: 4000, temperature: 0, stream: true });
    for await (const event of answer) {
      if (event.type === "content_block_delta") {
        break;
      }
    }
    const began = performance.now();
    await client.messages.create({ model, messages: hello, max_tokens: 1 });
    const seconds = (performance.now() - began) / 1000;
    assert(seconds < 30, `${seconds} s`);
    return `the next answer after ${seconds.toFixed(2)} s`;
  },
};

for (const [name, work] of Object.entries(checks)) {
  try {
    console.log(`PASS ${name}: ${(await work()) ?? ""}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${error.name}: ${error.message.split("\n").join(" ")}`);
  }
}
console.log("END");
