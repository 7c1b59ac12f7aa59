/**
 * What holds after any fault, once everything runs again.
 *
 * 1. A wish has one effect at most, whatever was tried under its key; an idempotent tool may be asked again for the
 *    same call, under the same key of its own.
 * 2. No effect without a `started` that carries the exact arguments.
 * 3. A call that was answered 503 has no effect, ever.
 * 4. Every outcome that was answered is in the audit, as it was answered, with its arguments.
 * 5. No call has both `started` and `refused`, or either of them twice, and the audit is intact.
 */
import { auditRecordSchema, auditVerificationSchema } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { expect } from 'vitest';
import { z } from 'zod';
import type { HttpAnswer } from '../http.ts';
import type { Line } from '../line.ts';
import type { Journal, Wish } from './journal.ts';

/** The auditor follows the ledger within milliseconds, or within its recovery. */
const AUDITED_MS = 20_000;
const RECOVERED_MS = 10_000;
const ATTEMPT_MS = 3_000;
const recordsSchema = z.looseObject({ records: z.array(auditRecordSchema) });
type Records = z.infer<typeof recordsSchema>['records'];

/** Compares a journal whose wishes have all ended with the upstream and the audit. */
export async function expectInvariants(line: Line, journal: Journal): Promise<void> {
  const trail = new Trail(line);
  const broken: string[] = [];
  // One after the other: a query reads every record where the store has no index.
  for (const wish of journal.wishes) {
    const faults = await faultsOf(line, trail, wish);
    if (faults.length > 0) broken.push(...faults, await storyOf(line, trail, wish));
  }
  expect(broken).toEqual([]);
}

/** Expects that the audit trail is whole, once the auditor can be asked. */
export async function expectIntactAudit(line: Line): Promise<void> {
  const verified = await eventually(async () => {
    const { status, body } = await line.person('alice').post('/v1/audit/verify', {});
    return status === 200 && auditVerificationSchema.safeParse(body).data;
  }, AUDITED_MS);
  expect(verified).toMatchObject({ intact: true, problems: [] });
}

/** Expects that a call that is made now works, within what is promised after a dependency came back. */
export async function expectRecovered(line: Line): Promise<void> {
  await eventually(async () => {
    // A call that met the outage waits for its own limit: recovery is what the next one finds.
    const signal = AbortSignal.timeout(ATTEMPT_MS);
    return (await line.call('write', { text: 'again' }, { signal })).body.outcome === 'succeeded';
  }, RECOVERED_MS);
}

async function faultsOf(line: Line, trail: Trail, wish: Wish): Promise<string[]> {
  const effects = effectsOf(line, wish);
  const calls = new Set(effects.map(({ call }) => call ?? 'a call without a name'));
  const broken: string[] = [];
  const says = (fault: string) => void broken.push(`${wish.tool} ${wish.text}: ${fault}`);

  const counted = wish.tool === 'idem' ? calls.size : effects.length;
  if (counted > 1) says(`${effects.length} effects of ${[...calls].join(', ')}`);
  for (const call of calls) {
    const started = await trail.find(call, 'started');
    if (started === undefined) says(`${call} had an effect and no started`);
    else if (argumentsOf(started) !== wish.text) says(`${call} started with other arguments`);
  }
  for (const answer of wish.answers) {
    const fault = await faultOfAnswer(trail, wish, answer, calls);
    if (fault !== undefined) says(`${answer.body.call} was answered ${answer.status} ${fault}`);
  }
  return broken;
}

/** Returns what the upstream did for a wish. */
export function effectsOf({ upstream }: Line, { text }: Wish) {
  return upstream.requests.filter(({ authorized, body }) => authorized && body.includes(text));
}

async function faultOfAnswer(
  trail: Trail,
  wish: Wish,
  { status, body: { call, outcome, code } }: HttpAnswer,
  effects: ReadonlySet<string>,
): Promise<string | undefined> {
  // Under a key, an answer without a call speaks for its own request alone; without one there is no other request.
  const had = call === undefined ? wish.idempotencyKey === undefined && effects.size > 0 : effects.has(call);
  if (status === 503 && had) return 'and had an effect';
  if (call === undefined || status === 202 || status === 504) return undefined;
  if (outcome === 'succeeded' && !effects.has(call)) return 'succeeded, and the upstream did nothing';
  const carriedOut = status === 200;
  const record = await trail.find(call, carriedOut ? 'settled' : 'refused');
  if (record === undefined) return `${outcome ?? code}, and the audit does not know`;
  const audited = carriedOut ? record.event['outcome'] : record.event['code'];
  if (audited !== (carriedOut ? outcome : code)) return `${outcome ?? code}, and the audit says ${audited}`;
  const evident = carriedOut ? await trail.find(call, 'started') : record;
  if (evident === undefined || argumentsOf(evident) !== wish.text)
    return 'and its arguments are not in the audit';
  const twice = doubled(await trail.records(call));
  return twice === undefined ? undefined : `and has ${twice} more than once`;
}

/** Returns the answers to a wish and the audit's records of its calls, for the reader of a failed test. */
async function storyOf(line: Line, trail: Trail, wish: Wish): Promise<string> {
  const answered = wish.answers.map(
    ({ status, body }) => `${status} ${body.outcome ?? body.code ?? body.state}`,
  );
  const calls = new Set(wish.answers.flatMap(({ body }) => body.call ?? []));
  const steps: string[] = [];
  for (const call of calls)
    for (const { step, event } of await trail.records(call))
      steps.push(`${call} ${step} ${event['code'] ?? event['outcome'] ?? ''}`);
  return `  answered: ${answered.join(', ')}; effects: ${effectsOf(line, wish).length}; audit: ${steps.join(', ')}`;
}

/** The audit as an operator reads it; what was read once is not asked for again. */
class Trail {
  readonly #line: Line;
  readonly #read = new Map<string, Records>();

  constructor(line: Line) {
    this.#line = line;
  }

  /** Waits for a call's record of a step; undefined when it does not come. */
  async find(call: string, step: string): Promise<Records[number] | undefined> {
    const known = (await this.records(call)).find((record) => record.step === step);
    if (known !== undefined) return known;
    const find = async () => (await this.#show(call)).find((record) => record.step === step);
    return await eventually(find, AUDITED_MS).catch(() => undefined);
  }

  async records(call: string): Promise<Records> {
    return this.#read.get(call) ?? (await eventually(() => this.#show(call), AUDITED_MS));
  }

  async #show(call: string): Promise<Records> {
    const { status, body, text } = await this.#line.person('alice').get(`/v1/audit/calls/${call}`);
    if (status !== 200) throw new Error(`The audit answers ${status} ${text}`);
    const { records } = recordsSchema.parse(body);
    this.#read.set(call, records);
    return records;
  }
}

/** Returns a step that a call may have once and has twice: of `started` and `refused` it has one, of the others one each. */
function doubled(records: Records): string | undefined {
  const seen = new Set<string>();
  for (const { step } of records.filter(({ step }) => step !== 'answered')) {
    const name = step === 'refused' || step === 'started' ? 'started or refused' : step;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

const argumentsSchema = z.object({ text: z.string() });

/** Returns the text a call was made with, as its sealed evidence says. */
function argumentsOf({ evidence }: Records[number]): string | undefined {
  const text = evidence?.call?.arguments;
  return text === undefined ? undefined : argumentsSchema.parse(JSON.parse(text)).text;
}
