// One call of the AWS SDK for JavaScript; says as JSON what came of it. Over HTTP/2, as the SDK comes for
// Bedrock, or with `http1` over the other handler.
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
  InvokeModelWithBidirectionalStreamCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const { url, operation, model, text, attempts, count, http1, leave, key, secret, clock, patience } = JSON.parse(process.argv[2]);
if (clock) {  // this machine's, off by so many milliseconds
  const Real = Date;
  globalThis.Date = class extends Real {
    constructor(...given) {
      super(...(given.length > 0 ? given : [Real.now() + clock]));
    }
    static now() {
      return Real.now() + clock;
    }
  };
}
const client = new BedrockRuntimeClient({
  endpoint: url,
  region: "us-east-1",
  credentials: { accessKeyId: key ?? "dummy", secretAccessKey: secret ?? "dummy" },
  ...(http1 ? { requestHandler: new NodeHttpHandler({ requestTimeout: 30_000, ...(patience ? { socketTimeout: patience } : {}) }) } : {}),
  ...(attempts ? { maxAttempts: attempts } : {}),
});

const converse = {
  modelId: model,
  messages: [{ role: "user", content: [{ text }] }],
  inferenceConfig: { maxTokens: 200 },
};
const invoke = {
  modelId: model,
  contentType: "application/json",
  body: JSON.stringify({
    anthropic_version: "bedrock-2023-05-31",
    max_tokens: 200,
    messages: [{ role: "user", content: text }],
  }),
};

const calls = {
  async converse() {
    const answer = await client.send(new ConverseCommand(converse));
    return { text: answer.output.message.content[0].text, usage: answer.usage, stop: answer.stopReason };
  },
  async converseStream() {
    const leaving = new AbortController();
    const answer = await client.send(new ConverseStreamCommand(converse), { abortSignal: leaving.signal });
    const out = { text: "", events: [] };
    try {
      for await (const event of answer.stream) {
        out.events.push(Object.keys(event)[0]);
        out.text += event.contentBlockDelta?.delta?.text ?? "";
        out.usage = event.metadata?.usage ?? out.usage;
        if (leave && out.events.length >= leave) {
          leaving.abort();
          break;
        }
      }
    } catch (error) {
      out.broken = error.name;
    }
    return out;
  },
  async bothWays() {
    async function* events() {
      yield { chunk: { bytes: new TextEncoder().encode("{}") } };
    }
    return await client.send(new InvokeModelWithBidirectionalStreamCommand({ modelId: model, body: events() }));
  },
  async invoke() {
    const answer = await client.send(new InvokeModelCommand(invoke));
    return JSON.parse(new TextDecoder().decode(answer.body));
  },
  async invokeStream() {
    const answer = await client.send(new InvokeModelWithResponseStreamCommand(invoke));
    const out = { chunks: 0 };
    for await (const event of answer.body) {
      out.chunks += event.chunk ? 1 : 0;
    }
    return out;
  },
};

async function one() {
  try {
    return await calls[operation]();
  } catch (error) {
    return { error: error.name, status: error.$metadata?.httpStatusCode, attempts: error.$metadata?.attempts };
  }
}

const results = await Promise.all(Array.from({ length: count ?? 1 }, one));
console.log(JSON.stringify(count ? results : results[0]));
client.destroy();
