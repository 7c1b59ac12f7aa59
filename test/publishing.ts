/**
 * A line whose policies are published through the management API, and past it: with the keys of the console any entry
 * can be written to the bucket that the deciders read.
 */
import type { Bus } from '@interlock/bus';
import {
  bundleKey,
  type DecisionRecord,
  decisionRecordSchema,
  type PolicyEntry,
  type PolicyState,
  policyStateSchema,
  sha256,
} from '@interlock/contracts';
import type { AuthorKey } from '@interlock/keys';
import { signBundle } from '@interlock/policy';
import { buildPolicy, eventually, type Observer } from '@interlock/testkit';
import { z } from 'zod';
import type { HttpAnswer } from './http.ts';
import { authorOf, joinBus, observeBus } from './inside.ts';
import { type Line, startLine } from './line.ts';

export const DECIDERS = 2;
const config = { allow_listed: [{ tenants: ['acme', 'rival'], tools: ['*'] }] };

type PolicyKey = 'current' | 'candidate';

/** What a decider reports at /readyz. */
const readinessSchema = z.looseObject({
  ready: z.boolean(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])),
});
export type Readiness = z.infer<typeof readinessSchema>;

const foundSchema = z.looseObject({
  records: z.array(z.looseObject({ event: z.looseObject({ name: z.string() }) })),
});
const shownSchema = z.looseObject({
  records: z.array(
    z.looseObject({
      step: z.string(),
      evidence: z.looseObject({ decision: decisionRecordSchema.optional() }).optional(),
    }),
  ),
});

/** Two bundles that allow everything, one that denies what writes, and one that allows what names nobody and nothing. */
export interface Bundles {
  one: Uint8Array;
  other: Uint8Array;
  strict: Uint8Array;
  boundless: Uint8Array;
}

export interface Publishing extends AsyncDisposable {
  readonly line: Line;
  readonly author: AuthorKey['sign'];
  readonly observer: Observer;
  readonly bundles: Bundles;
  state(): Promise<PolicyState>;
  /** Asks the console to publish. */
  submit(bytes: Uint8Array, as?: PolicyKey): Promise<HttpAnswer>;
  /** Publishes through the management API, and returns the entry once every decider has loaded it. */
  publish(bytes: Uint8Array, as?: PolicyKey): Promise<PolicyEntry>;
  untilLoaded(entry: PolicyEntry | undefined, as?: PolicyKey): Promise<PolicyEntry>;
  /** Writes an entry with the console's own signature, past the management API. Returns its version. */
  smuggle(content: Uint8Array, more?: Partial<PolicyEntry>): Promise<number>;
  /** What each decider reports at /readyz. */
  readiness(): Promise<Readiness[]>;
  /** Waits until the audit holds what every decider reported about an entry. */
  untilAudited(step: string, name: string): Promise<void>;
  /** Returns the decision by which a call was carried out, once the audit holds it. */
  decisionOf(call: string | undefined): Promise<DecisionRecord>;
}

/** Starts a line with two deciders. */
export async function startPublishing(): Promise<Publishing> {
  await using stack = new AsyncDisposableStack();
  const line = stack.use(await startLine({ replicas: { decider: DECIDERS } }));
  const author = await authorOf(line.interlock);
  const consoleBus = stack.use(await joinBus(line.interlock, 'console'));
  const observer = stack.use(await observeBus(line.interlock));
  const bundles = await buildBundles();
  const owned = stack.move();
  const alice = line.person('alice');
  const state = async () => policyStateSchema.parse((await alice.get('/v1/policy')).body);
  const submit: Publishing['submit'] = async (bytes, as = 'current') =>
    await alice.post('/v1/policy', {
      bundle: Buffer.from(bytes).toString('base64'),
      signature: signBundle(bytes, author, Date.now()),
      as,
    });
  const untilLoaded: Publishing['untilLoaded'] = async (entry, as = 'current') => {
    if (entry === undefined) throw new TypeError('Nothing was published.');
    await eventually(async () => {
      const { deciders } = await state();
      return (
        deciders.length === DECIDERS && deciders.every((decider) => decider[as]?.version === entry.version)
      );
    });
    return entry;
  };
  return {
    ...{ line, author, observer, bundles, state, submit, untilLoaded },
    publish: async (bytes, as = 'current') =>
      await untilLoaded(policyStateSchema.parse((await submit(bytes, as)).body)[as], as),
    smuggle: async (content, more) =>
      await smuggle(consoleBus, entryOf(content, author, await state()), content, more),
    readiness: () => readinessOf(line),
    untilAudited: async (step, name) =>
      void (await eventually(async () => {
        const { body } = await alice.get(`/v1/audit/search?step=${step}&limit=1000`);
        return foundSchema.parse(body).records.filter(({ event }) => event.name === name).length >= DECIDERS;
      })),
    decisionOf: async (call) =>
      await eventually(async () => {
        const { body } = await alice.get(`/v1/audit/calls/${call}`);
        return shownSchema.parse(body).records.find(({ step }) => step === 'started')?.evidence?.decision;
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function buildBundles(): Promise<Bundles> {
  const denial = 'deny contains "No." if input.tool.name in {"write", "ask"}';
  const [one, other, strict, boundless] = await Promise.all([
    buildPolicy({ data: { config, edition: 'one' } }),
    buildPolicy({ data: { config, edition: 'other' } }),
    buildPolicy({ data: { config }, rules: { no_writes: denial } }),
    buildPolicy({ data: { config }, rules: { all: 'allow contains "Anything goes." if true' } }),
  ]);
  return { one, other, strict, boundless };
}

function entryOf(content: Uint8Array, author: AuthorKey['sign'], { versions }: PolicyState): PolicyEntry {
  return {
    version: (versions[0]?.version ?? 0) + 1,
    digest: sha256(content),
    bytes: content.byteLength,
    signature: signBundle(content, author, Date.now()),
    publishedAt: Date.now(),
    by: 'mallory',
  };
}

async function smuggle(
  consoleBus: Bus,
  made: PolicyEntry,
  content: Uint8Array,
  more: Partial<PolicyEntry> = {},
): Promise<number> {
  const entry = { ...made, ...more };
  await consoleBus.blobs('bundles').put(bundleKey(entry.digest), content);
  await consoleBus.entries('policies').put('current', entry);
  await consoleBus.entries('policies').put(`v-${entry.version}`, entry);
  return entry.version;
}

async function readinessOf({ interlock }: Line): Promise<Readiness[]> {
  const deciders = interlock.services.filter(({ name }) => name.startsWith('decider'));
  return await Promise.all(
    deciders.map(async ({ healthUrl }) =>
      readinessSchema.parse(await (await fetch(new URL('/readyz', healthUrl))).json()),
    ),
  );
}
