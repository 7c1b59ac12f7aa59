import type { Bus } from '@interlock/bus';
import type { Claim, ClaimStep, Tool } from '@interlock/contracts';
import type { Egress } from '@interlock/egress';
import type { Keyring, ServiceKeys } from '@interlock/keys';
import type { Arguments, HttpRequest, HttpTool } from '@interlock/request';
import type { Clock, ServiceContext } from '@interlock/shell';
import type { Cancelled } from './cancelled.ts';
import type { AllowedCall } from './check.ts';
import type { ExecutorEntries } from './entries.ts';
import { buildHttpRequest } from './http-request.ts';
import type { LeaseKey } from './lease.ts';
import type { LedgerRoom } from './ledger-room.ts';
import type { McpPool, McpTarget } from './mcp-pool.ts';
import type { Orphans } from './orphans.ts';
import type { Semaphore } from './semaphore.ts';
import type { SendGuard } from './send-guard.ts';

/** What is sent upstream, built before the claim so that what cannot be built is refused. */
export type Invocation =
  | { kind: 'http'; tool: HttpTool; request: HttpRequest }
  | { kind: 'mcp'; target: McpTarget };

/** A claimed call that this executor carries out. */
export interface Task {
  /** `restarted`: an earlier attempt may have had the effect. */
  step: ClaimStep;
  allowed: AllowedCall;
  /** The statement as it was signed. */
  signed: string;
  tool: Tool;
  invocation: Invocation;
  claim: Claim;
  /** Sequence of the claim on the ledger. */
  sequence: number;
  leaseKey: LeaseKey | undefined;
  guard: SendGuard;
}

/** What an executor is made of. */
export interface Parts {
  bus: Bus;
  entries: ExecutorEntries;
  room: LedgerRoom;
  egress: Egress;
  pool: McpPool;
  concurrency: Semaphore;
  cancelled: Cancelled;
  orphans: Orphans;
  keys: ServiceKeys;
  keyring: Keyring;
  clock: Clock;
  log: ServiceContext<unknown>['log'];
  executor: string;
  /** Aborted when draining takes too long: effects still under way end as unknown. */
  signal: AbortSignal;
}

/** Builds what is sent upstream for a call. Throws a Fault when that cannot be built. */
export function invocationOf(tool: Tool, { statement, arguments: args }: AllowedCall): Invocation {
  const { target } = tool;
  switch (target.kind) {
    case 'http':
      return httpInvocation({ ...tool, target }, args, statement.call);
    case 'mcp':
      return { kind: 'mcp', target };
    default:
      return target satisfies never;
  }
}

function httpInvocation(tool: HttpTool, args: Arguments, call: string): Invocation {
  return { kind: 'http', tool, request: buildHttpRequest(tool, args, call) };
}
