// One call of Anthropic's SDK for JavaScript; says as JSON what came of it.
import Anthropic from "@anthropic-ai/sdk";

const { url, model, text, stream } = JSON.parse(process.argv[2]);
const client = new Anthropic({ baseURL: `${url}/anthropic`, apiKey: "dummy" });
const asked = { model, max_tokens: 200, messages: [{ role: "user", content: text }] };

async function call() {
  if (!stream) {
    const message = await client.messages.create(asked);
    return { text: message.content[0].text, usage: message.usage, stop: message.stop_reason };
  }
  const out = { text: "", events: [] };
  for await (const event of await client.messages.create({ ...asked, stream: true })) {
    out.events.push(event.type);
    out.text += event.delta?.text ?? "";
    out.usage = event.usage ?? out.usage;
  }
  return out;
}

let result;
try {
  result = await call();
} catch (error) {
  result = { error: error.constructor.name, status: error.status, type: error.error?.error?.type };
}
console.log(JSON.stringify(result));
