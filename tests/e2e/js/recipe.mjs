// One call of an SDK that is configured by its environment alone: `recipe.mjs aws|anthropic MODEL`.
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import Anthropic from "@anthropic-ai/sdk";

const [which, model] = process.argv.slice(2);
if (which === "aws") {
  const messages = [{ role: "user", content: [{ text: "hi" }] }];
  const answer = await new BedrockRuntimeClient({}).send(new ConverseCommand({ modelId: model, messages }));
  console.log(answer.stopReason);
} else {
  const messages = [{ role: "user", content: "hi" }];
  console.log((await new Anthropic().messages.create({ model, max_tokens: 9, messages })).stop_reason);
}
