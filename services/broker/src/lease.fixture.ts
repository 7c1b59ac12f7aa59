import { type Call, canonicalJson, type RpcRequest, type Statement } from '@interlock/contracts';
import { type SigningKey, signStatement } from '@interlock/keys';
import { makeCall, makeDecision, makeTool } from '@interlock/testkit';
import type { LeaseFacts } from './lease.ts';

/** When the builders' call is claimed. */
export const CLAIMED_AT = 1_000_000;

export const tool = makeTool({ credential: { name: 'blog', inject: { as: 'bearer' } } });

/** The call that is claimed: decided a moment before, with half a minute left. */
export const call: Call = makeCall({
  tool,
  args: { blog: 'b1', title: 'Hello' },
  nowMs: CLAIMED_AT - 100,
  notAfter: CLAIMED_AT + 30_000,
});

/** Other arguments than the call's, in canonical JSON. */
export const otherArguments = canonicalJson({ blog: 'b2' });

/** Returns what an executor asks for the call, its decision signed with a key; `changes` are laid over the decision. */
export function askedFor(
  key: SigningKey,
  changes: Partial<Statement<'decision'>> = {},
): RpcRequest<'broker.lease'> {
  const statement = signStatement(makeDecision(call, changes), key);
  return { tenant: call.tenant, call: call.call, statement, arguments: call.arguments };
}

/** Returns a current copy of the kill switches in which these are on. */
export function switchesWith(...on: string[]): LeaseFacts['switches'] {
  const get = (key: string) => (on.includes(key) ? { on: true, by: 'ada', at: CLAIMED_AT } : undefined);
  return { current: true, get };
}
