/**
 * What must hold of a round, judged from outside: by what agents were told, by what the upstream counted, and by what the
 * audit shows to an operator.
 */
import { auditRecordSchema, auditVerificationSchema } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { z } from 'zod';
import type { HttpAnswer } from '../http.ts';
import type { Line } from '../line.ts';
import { BUDGET } from './installation.ts';
import type { Outcome, Played } from './play.ts';

const AUDIT_MS = 20_000;

export type Breach = 'lost' | 'doubled' | 'unlogged' | 'false answer' | 'stuck' | 'over budget' | 'audit';

/** A promise that a round broke, with its story. */
export interface Finding {
  breach: Breach;
  text: string;
  story: string;
}

/** Returns what a round broke. */
export async function findingsOf({ played }: Outcome, line: Line): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const one of played) findings.push(...(await findingsOfCall(one, line)));
  const paid = effectsOf(line, 'call-').filter(({ url }) => url === '/bare').length;
  if (paid > BUDGET)
    findings.push({ breach: 'over budget', text: '', story: `${paid} of ${BUDGET} were paid` });
  const verified = await eventually(async () => {
    const { status, body } = await line.person('alice').post('/v1/audit/verify', {});
    return status === 200 && auditVerificationSchema.parse(body);
  }, AUDIT_MS).catch(() => undefined);
  if (verified?.intact !== true)
    findings.push({ breach: 'audit', text: '', story: JSON.stringify(verified?.problems ?? 'no answer') });
  return findings;
}

async function findingsOfCall(played: Played, line: Line): Promise<Finding[]> {
  const { call, answers, ended } = played;
  const effects = effectsOf(line, call.text);
  const calls = new Set(effects.map((effect) => effect.call));
  const story = `${call.tool}${call.keyed ? ' keyed' : ''}: ${toldIn(answers)}; ${effects.length} effects of ${calls.size} calls`;
  const found = (breach: Breach): Finding => ({ breach, text: call.text, story });

  const findings: Finding[] = [];
  if (!ended) findings.push(found('stuck'));
  // The upstream of an idempotent tool may be asked again for the same call.
  if ((call.tool === 'idem' ? calls.size : effects.length) > 1) findings.push(found('doubled'));
  for (const answer of answers) {
    const { call: id, outcome } = answer.body;
    if (outcome === 'succeeded' && effects.length === 0) findings.push(found('lost'));
    if (
      saysNothingWasDone(answer, call.keyed) &&
      effects.some((effect) => id === undefined || effect.call === id)
    )
      findings.push(found('false answer'));
    if (id !== undefined && !(await isAudited(answer, id, line))) findings.push(found('unlogged'));
  }
  return findings;
}

/** Returns what was told, in order, and how often in a row. */
function toldIn(answers: readonly HttpAnswer[]): string {
  const runs: { text: string; times: number }[] = [];
  for (const { status, body } of answers) {
    const text = `${status} ${body.outcome ?? body.code ?? body.state ?? ''}`;
    const last = runs.at(-1);
    if (last?.text === text) last.times += 1;
    else runs.push({ text, times: 1 });
  }
  if (runs.length === 0) return 'never answered';
  return `told ${runs.map(({ text, times }) => (times === 1 ? text : `${text} (${times} times)`)).join(', ')}`;
}

/** Under a key, an answer that names no call speaks of its own request alone. */
function saysNothingWasDone({ status, body }: HttpAnswer, keyed: boolean): boolean {
  if (body.call === undefined && keyed) return false;
  return status === 503 || (status >= 400 && status < 500);
}

const recordsSchema = z.looseObject({ records: z.array(auditRecordSchema) });

/** Whether the audit has the outcome that was told. */
async function isAudited({ status, body }: HttpAnswer, id: string, line: Line): Promise<boolean> {
  const step = status === 200 ? 'settled' : status >= 400 && status < 504 ? 'refused' : undefined;
  if (step === undefined || (status === 200 && body.outcome === undefined)) return true;
  if (body.code === 'call_unknown') return true;
  const told = status === 200 ? body.outcome : body.code;
  return await eventually(async () => {
    const answer = await line.person('alice').get(`/v1/audit/calls/${id}`);
    if (answer.status !== 200) return false;
    const record = recordsSchema.parse(answer.body).records.find((one) => one.step === step);
    return record !== undefined && (record.event['outcome'] ?? record.event['code']) === told;
  }, AUDIT_MS).catch(() => false);
}

function effectsOf({ upstream }: Line, text: string) {
  return upstream.requests.filter(({ authorized, body }) => authorized && body.includes(text));
}
