// The official Node client through chat, stream, tools, JSON schema, scores and errors. Arguments: address, model.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "거실 불을 켜 줘." }];
const cheap = { model, messages, temperature: 0.8, seed: 3, max_tokens: 60 };
const schema = {
  type: "object",
  properties: { room: { enum: ["거실", "안방"] } },
  required: ["room"],
  additionalProperties: false,
};

const whole = await client.chat.completions.create({ ...cheap, logprobs: true });
const text = whole.choices[0].message.content;
const bytes = whole.choices[0].logprobs.content.flatMap((one) => one.bytes);
assert.equal(Buffer.from(bytes).toString("utf8"), text);

let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...cheap, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(streamed, text);

const tools = [{ type: "function", function: { name: "light", parameters: schema } }];
const runner = client.chat.completions.stream({ ...cheap, tools, tool_choice: "required", parallel_tool_calls: false });
const called = (await runner.finalChatCompletion()).choices[0];
assert.equal(called.finish_reason, "tool_calls");
assert.ok(["거실", "안방"].includes(JSON.parse(called.message.tool_calls[0].function.arguments).room));

const form = { type: "json_schema", json_schema: { name: "room", schema, strict: true } };
const shaped = await client.chat.completions.create({ ...cheap, response_format: form });
assert.ok(["거실", "안방"].includes(JSON.parse(shaped.choices[0].message.content).room));

const response = await client.responses.create({ model, input: "거실 불", max_output_tokens: 20 });
assert.equal(response.object, "response");
const asked = { model, input: "거실 불", max_output_tokens: 800, reasoning: { effort: "low" } };
const told = client.responses.stream({ ...asked, tool_choice: "required", parallel_tool_calls: false,
  tools: [{ type: "function", name: "light", parameters: schema, strict: true }] });
const ended = await told.finalResponse();
assert.deepEqual(ended.output.map((one) => one.type), ["reasoning", "function_call"]);
assert.ok(["거실", "안방"].includes(JSON.parse(ended.output[1].arguments).room));
assert.deepEqual((await client.responses.retrieve(ended.id)).output[0], ended.output[0]);

await assert.rejects(client.chat.completions.create({ ...cheap, model: "nobody" }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ ...cheap, max_tokens: 9999 }), OpenAI.BadRequestError);
console.log("the Node client is content");
