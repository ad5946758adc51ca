// Goes through the steps of a file with the official JavaScript SDK and writes what came of each.
//   node sdk.mjs STEPS.json OUTCOMES.json      (@aws-sdk/client-s3vectors is looked for beside the steps)
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [stepsPath, outcomesPath] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(stepsPath, "utf8"));
const require = createRequire(resolve(stepsPath));
const sdk = require("@aws-sdk/client-s3vectors");
const version = require("@aws-sdk/client-s3vectors/package.json").version;

const clients = Object.fromEntries(
  Object.entries(plan.clients).map(([name, given]) => [
    name,
    new sdk.S3VectorsClient({
      endpoint: plan.endpoint,
      region: given.region,
      credentials: { accessKeyId: given.key, secretAccessKey: given.secret, sessionToken: given.token },
      maxAttempts: given.attempts,
    }),
  ]),
);

// NaN and Infinity, which JSON cannot say; times as seconds.
const special = { "@NaN": NaN, "@Infinity": Infinity };
const revive = (value) =>
  typeof value === "string" ? (value in special ? special[value] : value)
  : Array.isArray(value) ? value.map(revive)
  : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, revive(v)]))
  : value;
const plain = (key, value) => (key === "creationTime" ? Date.parse(value) / 1000 : value);

async function perform(step) {
  if (step.control) {
    const { method, path, body } = step.control;
    const answer = await fetch(plan.control + path, { method, body });
    return { ok: await answer.json() };
  }
  const Command = sdk[step.call + "Command"];
  if (!Command || (step.needs && !sdk[step.needs + "Command"])) return { missing: true };
  const client = clients[step.client ?? "default"];
  const input = revive(step.input);
  try {
    const pages = [];
    let attempts = 0;
    do {
      const { $metadata, ...output } = await client.send(new Command(input));
      attempts = Math.max(attempts, $metadata.attempts);
      pages.push(output);
      input.nextToken = output.nextToken;
    } while (step.pages && input.nextToken);
    if (!step.pages) return { ok: pages[0], attempts };
    return { ok: { [step.pages]: pages.flatMap((page) => page[step.pages]) }, pages: pages.length, attempts };
  } catch (error) {
    return { error: error.name, status: error.$metadata?.httpStatusCode ?? 0, message: error.message };
  }
}

const outcomes = {};
for (const step of plan.steps) outcomes[step.name] = await perform(step);
writeFileSync(outcomesPath, JSON.stringify({ client: `@aws-sdk/client-s3vectors ${version}`, outcomes }, plain));
