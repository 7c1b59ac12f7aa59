import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, freePort } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Line, startLine } from '../line.ts';
import { effectsOf, expectIntactAudit, expectInvariants } from './invariants.ts';
import { Journal, type Wish } from './journal.ts';
import { startProxy, type WithholdingProxy } from './proxy.ts';
import { openStage, type Stage } from './stages.ts';

const START_MS = 100_000;
const END_MS = 90_000;
/** Long enough to be claimed by a busy machine, short enough to be waited out. */
const CLAIM_MS = 3_000;
/** The twin settles a claim within seconds of its limit. */
const TAKEN_OVER_MS = 30_000;
/** Requests that ingress answers from the ledger while a claim is in doubt. */
const LOOKS = 50;
const EXECUTORS = ['executor', 'executor-2'] as const;

let line: Line;
let stage: Stage;
let proxy: WithholdingProxy;
beforeAll(async () => {
  const nats = await freePort();
  proxy = await startProxy(() => nats);
  const short = { claimMs: CLAIM_MS };
  line = await startLine({
    // `slow` has its full time here, and needs no lease.
    tools: { write: short, idem: short, bare: short, slow: { credential: undefined } },
    replicas: { executor: 2 },
    ports: { nats },
    serviceEnv: { executor: { NATS_URL: `nats://127.0.0.1:${proxy.port}` } },
  });
  stage = await openStage(line);
}, START_MS);
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
}, START_MS);

describe('[P-paused-executor] [P-claim-monotonic] an executor that is paused past its claim', () => {
  test(
    'while its twin settles the call does nothing when it is resumed',
    async () => {
      const { journal, wish, call, claimer } = await pauseClaimer('write');
      await stage.until(wish, 'settled', TAKEN_OVER_MS);
      expect(effectsOf(line, wish)).toEqual([]);
      line.interlock.signal(claimer, 'SIGCONT');
      await logged(claimer, call, 'a call ended without an answer');
      expect((await journal.untilKnown(wish))?.body.outcome).toBe('unknown');
      expect(effectsOf(line, wish)).toEqual([]);
      await expectInvariants(line, journal);
    },
    END_MS,
  );

  test(
    'while its twin carries an idempotent call out does not do it again',
    async () => {
      const { journal, wish, call, claimer } = await pauseClaimer('idem');
      await stage.until(wish, 'settled', TAKEN_OVER_MS);
      line.interlock.signal(claimer, 'SIGCONT');
      await logged(claimer, call, 'a call ended without an answer');
      expect((await journal.untilKnown(wish))?.body.outcome).toBe('succeeded');
      expect(effectsOf(line, wish)).toHaveLength(1);
      await expectInvariants(line, journal);
    },
    END_MS,
  );
});

describe('[P-claim-monotonic] an executor that is paused before it receives the acknowledgement of its claim', () => {
  test(
    'sends nothing when the acknowledgement arrives after the claim ran out, even where no lease is needed',
    async () => {
      const journal = new Journal(line);
      const { withheld, release } = proxy.withhold('interlock.ledger.v1.started.');
      const wish = journal.send('bare');
      await withheld;
      // Both at once, before the claimer can give up waiting; which of them it is, the ledger says later.
      for (const executor of EXECUTORS) line.interlock.signal(executor, 'SIGSTOP');
      const call = await stage.until(wish, 'started');
      const claimer = await claimerOf(call);
      for (const twin of EXECUTORS.filter((name) => name !== claimer)) line.interlock.signal(twin, 'SIGCONT');
      await stage.until(wish, 'settled', TAKEN_OVER_MS);
      release();
      line.interlock.signal(claimer, 'SIGCONT');
      await logged(claimer, call, 'a call ended without an answer');
      expect((await journal.untilKnown(wish))?.body.outcome).toBe('unknown');
      expect(requestsOf(wish)).toEqual([]);
      await expectInvariants(line, journal);
    },
    END_MS,
  );
});

describe('an executor that does not receive the acknowledgement of its claim', () => {
  test(
    '[P-ledger-read-back] [P-ledger-claim-first] has no effect before it knows that the claim is stored, recognises its own claim by its nonce, and carries the call out once',
    async () => {
      const journal = new Journal(line);
      const { withheld, reset } = proxy.withhold('interlock.ledger.v1.started.');
      const wish = journal.send('slow');
      await withheld;
      const call = await stage.until(wish, 'started');
      // As long as many other requests take, the call stands on the ledger and nothing has left.
      for (let looks = 0; looks < LOOKS; looks += 1)
        expect((await line.getCall(call)).body).toMatchObject({ state: 'running' });
      expect(requestsOf(wish)).toEqual([]);
      reset();
      // It needs no lease, so only the acknowledgement held it up. The API refuses it, for it has no credential.
      expect((await journal.untilKnown(wish))?.body.outcome).toBe('failed');
      expect(requestsOf(wish)).toHaveLength(1);
      await expectInvariants(line, journal);
    },
    END_MS,
  );

  test('and the audit is intact', () => expectIntactAudit(line), END_MS);
});

/** What the API received of a wish, also without a credential. */
function requestsOf({ text }: Wish) {
  return line.upstream.requests.filter(({ body }) => body.includes(text));
}

/** Sends a call that waits for its lease, pauses the executor that claimed it, and resumes the broker. */
async function pauseClaimer(
  tool: string,
): Promise<{ journal: Journal; wish: Wish; call: string; claimer: string }> {
  const journal = new Journal(line);
  stage.pause('broker');
  const wish = journal.send(tool);
  const call = await stage.until(wish, 'started');
  const claimer = await claimerOf(call);
  line.interlock.signal(claimer, 'SIGSTOP');
  stage.resumeAll();
  return { journal, wish, call, claimer };
}

/** Returns the process that claimed a call. */
async function claimerOf(call: string): Promise<string> {
  const replica = await eventually(() => stage.claimerOf(call));
  // Every entry of a log names the replica that wrote it, and some name the twin too.
  for (const name of EXECUTORS)
    if ((await logOf(name)).some((entry) => entry.replica === replica)) return name;
  throw new Error(`No executor is called ${replica}.`);
}

async function logged(name: string, call: string, message: string): Promise<void> {
  await eventually(async () =>
    (await logOf(name)).some((entry) => entry.call === call && entry.msg === message),
  );
}

const entrySchema = z.object({ replica: z.string(), call: z.string().optional(), msg: z.string() });

async function logOf(name: string): Promise<z.infer<typeof entrySchema>[]> {
  const text = await readFile(path.join(line.interlock.data, 'logs', `${name}.log`), 'utf8');
  // The last line may be half written, and what Node itself prints is no entry.
  const lines = text
    .split('\n')
    .slice(0, -1)
    .filter((entry) => entry.startsWith('{'));
  return lines.map((entry) => entrySchema.parse(JSON.parse(entry)));
}
