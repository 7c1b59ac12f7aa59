import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { policyInputSchema, sha256 } from '@interlock/contracts';
import { buildBundle, openBundle, type Policy } from '@interlock/policy';
import { processEnvironment } from '@interlock/shell';
import { type OpaServer, startOpa } from '@interlock/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { inputsFrom, poolOf } from './inputs.ts';
import { LIBRARY, type LibraryRule, mainModules, readLibrary, settingsOf } from './library.ts';

const INPUTS = 10_000;
/** Of them, so many are any JSON at all. */
const STRANGE_INPUTS = 500;
/** One input in so many is decided with settings that are malformed, since that is all that some rules deny. */
const MALFORMED_EVERY = 20;
const SEED = 20_261_121;
const BUILD_DEADLINE_MS = 60_000;
const DEADLINE_MS = 180_000;
/** Requests in flight: one for each of OPA's threads on a laptop, and one waiting. */
const IN_FLIGHT = 8;
/** What settings may leave out: somewhere to know the clock of, and a grant, without which asks are not heard. */
const ZONES = ['UTC', 'Europe/Berlin'];
const GRANT = { agents: ['*'], tools: ['*'] };
/** What OPA itself says: the answer, the explanation, and which words of which rules said something. */
const WITNESS = `package witness

answer := data.interlock.main.decision

explanation := data.interlock.main.explanation

fired contains [rule, word] if {
	some rule
	some word in ["deny", "ask", "allow", "notes", "obligations"]
	count(data.interlock.rules[rule][word]) > 0
}
`;
const witnessedSchema = z.strictObject({
  answer: z.unknown(),
  explanation: z.unknown(),
  fired: z.array(z.tuple([z.string(), z.string()])),
});

/** The compiled policy and OPA's own server, with the same settings. */
interface Both extends AsyncDisposable {
  policy: Policy;
  opa: OpaServer;
}

let scratch: string;
let rules: LibraryRule[];
let config: Record<string, unknown>;
let settled: Both;
let malformed: Both;

beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'interlock-agreement-'));
  rules = await readLibrary();
  const settings = await settingsOf(rules, scratch);
  const { allow_listed: granted, zones = ZONES } = settings;
  config = {
    ...settings,
    zones,
    allow_listed: Array.isArray(granted) ? [...granted, GRANT] : [GRANT],
  };
  const wrong = Object.fromEntries(rules.map(({ name }) => [name, 'malformed']));
  settled = await startBoth('settled', config);
  malformed = await startBoth('malformed', { ...wrong, zones, allow_listed: [GRANT] });
}, BUILD_DEADLINE_MS);

afterAll(async () => {
  await settled?.[Symbol.asyncDispose]();
  await malformed?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

async function startBoth(name: string, settings: Record<string, unknown>): Promise<Both> {
  const folder = path.join(scratch, name);
  const dataFile = path.join(folder, 'data.json');
  const witness = path.join(folder, 'witness.rego');
  await mkdir(folder);
  await writeFile(dataFile, JSON.stringify({ config: settings }));
  await writeFile(witness, WITNESS);
  const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();
  const signal = AbortSignal.timeout(BUILD_DEADLINE_MS);
  const bytes = await buildBundle({ opaBin, folders: [LIBRARY, folder], signal });
  const { policy } = openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
  const main = await mainModules(LIBRARY);
  const opa = await startOpa([...main, ...rules.map(({ file }) => file), dataFile, witness]);
  return { policy, opa, [Symbol.asyncDispose]: () => opa[Symbol.asyncDispose]() };
}

/** Asks both and returns which words of which rules said something. */
async function witnessed({ policy, opa }: Both, input: object): Promise<string[]> {
  const text = JSON.stringify(input);
  const { answer, explanation, fired } = witnessedSchema.parse(await opa.ask('witness', text));
  expect(policy.evaluate(input), text).toEqual(answer);
  expect(policy.explain(input), text).toEqual(explanation);
  return fired.map(([rule, word]) => `${rule}.${word}`);
}

/** Asks about every input, a few at a time. */
async function allWitnessed(both: Both, inputs: object[]): Promise<string[]> {
  const fired = new Set<string>();
  const rest = inputs.values();
  const ask = async () => {
    for (const input of rest) for (const word of await witnessed(both, input)) fired.add(word);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, ask));
  return [...fired];
}

describe('[P-policy-agrees] the policy in memory answers as OPA itself does', () => {
  test(
    'about calls that every rule has something to say of, in each of its words',
    async () => {
      const each = Math.ceil((INPUTS - STRANGE_INPUTS) / rules.length);
      const inputs = rules.flatMap((rule) =>
        fc.sample(inputsFrom(poolOf(rule, config[rule.name])), { numRuns: each, seed: SEED }),
      );
      for (const input of inputs) policyInputSchema.parse(input);
      const wrong = inputs.filter((_, index) => index % MALFORMED_EVERY === 0);
      const right = inputs.filter((_, index) => index % MALFORMED_EVERY !== 0);
      const fired = new Set([
        ...(await allWitnessed(settled, right)),
        ...(await allWitnessed(malformed, wrong)),
      ]);
      const words = rules.flatMap(({ name, words: said }) => said.map((word) => `${name}.${word}`));
      expect(words.filter((word) => !fired.has(word))).toEqual([]);
    },
    DEADLINE_MS,
  );

  test(
    'about whatever else is JSON',
    async () => {
      const strange = fc.object({
        maxDepth: 4,
        key: fc.constantFrom('subject', 'tool', 'name', 'labels', 'arguments', 'facts', 'spends', 'x'),
        values: [
          fc.string({ unit: 'grapheme' }),
          fc.double({ noNaN: true }),
          fc.boolean(),
          fc.constant(null),
        ],
      });
      await allWitnessed(settled, fc.sample(strange, { numRuns: STRANGE_INPUTS, seed: SEED }));
    },
    DEADLINE_MS,
  );
});
