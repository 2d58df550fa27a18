// OpenAI's JavaScript library against the gateway that HERDER names. A line for each check, PASS or FAIL, then END.
import assert from "node:assert/strict";
import OpenAI from "openai";

const model = "smollm2:135m";
const hello = [{ role: "user", content: "Hello" }];
const client = new OpenAI({ baseURL: `${process.env.HERDER}/v1`, apiKey: "none", timeout: 60_000, maxRetries: 0 });

const checks = {
  async list() {
    const names = [];
    for await (const entry of client.models.list()) {
      names.push(entry.id);
    }
    assert(names.includes(model), names.join());
    assert.equal((await client.models.retrieve(model)).id, model);
    return names.join(", ");
  },
  async chat() {
    const answer = await client.chat.completions.create({ model, messages: hello, max_tokens: 4 });
    assert(answer.usage.completion_tokens <= 4);
    return JSON.stringify(answer.choices[0].message.content);
  },
  async stream() {
    const parts = [];
    const options = { include_usage: true };
    const answer = await client.chat.completions.create({
      model, messages: hello, max_tokens: 8, stream: true, stream_options: options,
    });
    for await (const part of answer) {
      parts.push(part);
    }
    assert(parts.some((part) => part.choices[0]?.finish_reason));
    assert(parts.at(-1).choices.length === 0 && parts.at(-1).usage.completion_tokens <= 8);
    return `${parts.length} parts`;
  },
  async completion() {
    const answer = await client.completions.create({ model, prompt: "Hello", max_tokens: 4 });
    return JSON.stringify(answer.choices[0].text);
  },
  async responses() {
    const request = { model, input: "Hello", max_output_tokens: 4 };
    const answer = await client.responses.create(request);
    assert.equal(answer.output[0].content[0].type, "output_text");
    const kinds = [];
    for await (const event of await client.responses.create({ ...request, stream: true })) {
      kinds.push(event.type);
    }
    assert.deepEqual([kinds[0], kinds.at(-1)], ["response.created", "response.completed"]);
    return `${kinds.length} events`;
  },
  async tools() {
    const parameters = { type: "object", properties: { city: { enum: ["Paris"] } }, required: ["city"] };
    const schema = {
      type: "object",
      properties: { name: { const: "weather" }, parameters },
      required: ["name", "parameters"],
    };
    const answer = await client.chat.completions.create({
      model: "smollm2:tools",
      messages: [{ role: "user", content: "How is the weather in Paris?" }],
      tools: [{ type: "function", function: { name: "weather", parameters } }],
      // A model as small as this one calls a tool only where it can say nothing else.
      response_format: { type: "json_schema", json_schema: { name: "call", schema } },
      max_tokens: 60,
    });
    const called = answer.choices[0].message.tool_calls[0].function;
    assert.deepEqual([called.name, JSON.parse(called.arguments).city], ["weather", "Paris"]);
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    return `${called.name}(${called.arguments})`;
  },
  async embeddings() {
    const answer = await client.embeddings.create({ model, input: ["Hello", "there"] });
    assert.deepEqual(answer.data.map((one) => one.embedding.length), [576, 576]);
  },
  async "unknown-model"() {
    const error = await client.chat.completions.create({ model: "nope", messages: hello }).catch((error) => error);
    assert(error instanceof OpenAI.NotFoundError, `${error}`);
    assert.match(error.message, /nope/);
    return error.message;
  },
  async "bad-request"() {
    const error = await client.chat.completions.create({ model, messages: [] }).catch((error) => error);
    assert(error instanceof OpenAI.BadRequestError, `${error}`);
    return error.message;
  },
  async cancellation() {
    const messages = [{ role: "user", content: "Write a very long story about a lighthouse." }];
    // This takes a minute.
    const request = { model, messages, max_tokens: 4000, temperature: 0, stream: true };
    const answer = await client.chat.completions.create(request);
    for await (const part of answer) {
      assert(part.choices.length > 0);
      break;
    }
    const began = performance.now();
    await client.chat.completions.create({ model, messages: hello, max_tokens: 1 });
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
