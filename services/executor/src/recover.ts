import type { ClaimNotice } from '@interlock/bus';
import { type Claim, type Evidence, evidenceSchema, Fault, sealContext } from '@interlock/contracts';
import { assertSameCall } from '@interlock/gate';
import { unseal } from '@interlock/keys';
import { checkCall } from './check.ts';
import { settledOf } from './effect.ts';
import { type ReadyCall, start } from './execute.ts';
import { judgeOrphan } from './orphans.ts';
import { invocationOf, type Parts } from './task.ts';

/**
 * Settles a claim past its limit, or claims it again. A second run finds it settled or claimed again.
 * Throws when the ledger could not be read or written, or something else came first: then the notice is delivered
 * again, and what stands on the ledger by then is judged. A notice is done only when the ledger shows that it is.
 */
export async function recover(notice: ClaimNotice, parts: Parts): Promise<void> {
  const { tenant, call, step } = notice;
  const verdict = judgeOrphan(step, await parts.bus.readCall(tenant, call));
  switch (verdict.kind) {
    case 'done':
      return;
    case 'unknown':
      return await settleUnknown(verdict.claim, verdict.sequence, parts);
    case 'restart':
      return await restart(verdict.claim, verdict.sequence, parts);
    default:
      return verdict satisfies never;
  }
}

async function settleUnknown(
  claim: Claim,
  sequence: number,
  { bus, clock, executor, log }: Parts,
): Promise<void> {
  const facts = { nowMs: clock.nowMs(), labels: [], kept: false };
  const settled = settledOf({ ...claim, executor }, { outcome: 'unknown', code: 'outcome_unknown' }, facts);
  const { stored } = await bus.settle(settled, sequence);
  if (!stored) throw overtaken();
  log.warn({ call: claim.call, claimedBy: claim.executor }, 'an orphaned claim was settled as unknown');
}

async function restart(claim: Claim, sequence: number, parts: Parts): Promise<void> {
  try {
    const ready = await reopen(claim, sequence, parts);
    if (!(await start(ready, parts, parts.signal))) throw overtaken();
  } catch (cause) {
    if (cause instanceof Fault && cause.code === 'dependency_unavailable') throw cause;
    // What is no Fault is a bug, which the next try would meet again.
    parts.log[cause instanceof Fault ? 'info' : 'error'](
      { err: cause, call: claim.call },
      'an idempotent call cannot be claimed again and is settled as unknown',
    );
    await settleUnknown(claim, sequence, parts);
  }
}

/** Makes a call ready again from its claim's record. It was in time when it first started; all else is checked again. */
async function reopen(claim: Claim, sequence: number, parts: Parts): Promise<ReadyCall> {
  const evidence = openEvidence(claim, parts);
  const { call, statement: signed } = evidence;
  if (call?.arguments === undefined || signed === undefined)
    throw new Fault('statement_invalid', { detail: 'The record of the claim is incomplete.' });
  const described = { call: { ...claim, arguments: call.arguments }, statement: signed };
  const allowed = checkCall(described, parts.keyring, parts.clock.nowMs());
  assertSameCall(claim, allowed.statement);
  const tool = await parts.entries.decided(allowed.statement);
  const { replyTo, keepResult } = claim;
  return {
    ...{ step: 'restarted', expected: sequence, allowed, signed, tool },
    invocation: invocationOf(tool, allowed),
    route: { replyTo, keepResult },
    evidence,
  };
}

/** This executor is carrying out the call itself, or another event of it was stored first. */
function overtaken(): Fault {
  return new Fault('dependency_unavailable', { detail: 'Something else of the call came first.' });
}

function openEvidence({ evidence, call }: Claim, { keys }: Parts): Evidence {
  const text = unseal(evidence, keys.seal, sealContext('evidence', call)).toString('utf8');
  return evidenceSchema.parse(JSON.parse(text));
}
