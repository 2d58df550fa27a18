// Ollama's own JavaScript library against the gateway that HERDER names. A line for each check, PASS or FAIL, then END.
import assert from "node:assert/strict";
import { Ollama } from "ollama";

const model = "smollm2:135m";
const hello = [{ role: "user", content: "Hello" }];
const client = new Ollama({ host: process.env.HERDER });

const checks = {
  async list() {
    const names = (await client.list()).models.map((entry) => entry.name);
    assert(names.includes(model), names.join());
    return names.join(", ");
  },
  async show() {
    assert.equal((await client.show({ model })).details.family, "llama");
  },
  async generate() {
    const answer = await client.generate({ model, prompt: "Count to ten.", options: { num_predict: 4 } });
    assert(answer.done && answer.eval_count <= 4);
    return JSON.stringify(answer.response);
  },
  async chat() {
    const answer = await client.chat({ model, messages: hello, options: { num_predict: 4 } });
    assert.equal(answer.message.role, "assistant");
    return JSON.stringify(answer.message.content);
  },
  async stream() {
    const parts = [];
    for await (const part of await client.chat({ model, messages: hello, stream: true, options: { num_predict: 8 } })) {
      parts.push(part);
    }
    assert(parts.at(-1).done && !parts.slice(0, -1).some((part) => part.done));
    return `${parts.length} parts`;
  },
  async tools() {
    const parameters = { type: "object", properties: { city: { enum: ["Paris"] } }, required: ["city"] };
    // A model as small as this one calls a tool only where it can say nothing else.
    const format = {
      type: "object",
      properties: { name: { const: "weather" }, parameters },
      required: ["name", "parameters"],
    };
    const answer = await client.chat({
      model: "smollm2:tools",
      messages: [{ role: "user", content: "How is the weather in Paris?" }],
      tools: [{ type: "function", function: { name: "weather", description: "Tells the weather", parameters } }],
      format,
      options: { num_predict: 60 },
    });
    const called = answer.message.tool_calls[0].function;
    assert.deepEqual([called.name, called.arguments.city], ["weather", "Paris"]);
    return JSON.stringify(called);
  },
  async embeddings() {
    const answer = await client.embed({ model, input: ["Hello", "there"] });
    assert.deepEqual(answer.embeddings.map((one) => one.length), [576, 576]);
    assert.equal((await client.embeddings({ model, prompt: "Hello" })).embedding.length, 576);
  },
  async "unknown-model"() {
    const error = await client.chat({ model: "nope", messages: hello }).catch((error) => error);
    assert.deepEqual([error.name, error.status_code], ["ResponseError", 404]);
    assert.match(error.message, /nope/);
    return error.message;
  },
  async cancellation() {
    // This takes a minute.
    const prompt = "Write a very long story about a lighthouse.";
    const options = { num_predict: 4000, temperature: 0 };
    const answer = await client.generate({ model, prompt, stream: true, options });
    let error = "none";
    try {
      for await (const part of answer) {
        assert(!part.done);
        answer.abort();
      }
    } catch (thrown) {
      error = thrown.name;
    }
    assert.equal(error, "AbortError");
    const began = performance.now();
    await client.generate({ model, prompt: "1", raw: true, options: { num_predict: 1 } });
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
