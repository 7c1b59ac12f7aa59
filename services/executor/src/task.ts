import type { Bus } from '@interlock/bus';
import type { Claim, Tool } from '@interlock/contracts';
import type { Egress } from '@interlock/egress';
import type { Keyring, ServiceKeys } from '@interlock/keys';
import type { Clock, ServiceContext } from '@interlock/shell';
import type { Cancelled } from './cancelled.ts';
import type { AllowedCall } from './check.ts';
import type { ExecutorEntries } from './entries.ts';
import type { Gate } from './gate.ts';
import { buildHttpRequest, type HttpRequest, type HttpTarget } from './http-request.ts';
import type { LeaseKey } from './lease.ts';
import type { LedgerRoom } from './ledger-room.ts';
import type { McpPool, McpTarget } from './mcp-pool.ts';
import type { Orphans } from './orphans.ts';
import type { Slots } from './slots.ts';

/** What is to be done, built before the claim so that what cannot be built is refused. */
export type Plan =
  | { kind: 'http'; target: HttpTarget; request: HttpRequest }
  | { kind: 'mcp'; target: McpTarget };

/** A claimed call in the hands of this executor. */
export interface Task {
  allowed: AllowedCall;
  /** The statement as it was signed. */
  signed: string;
  tool: Tool;
  plan: Plan;
  claim: Claim;
  /** Sequence of the claim on the ledger. */
  sequence: number;
  leaseKey: LeaseKey | undefined;
  gate: Gate;
}

/** What an executor is made of. */
export interface Parts {
  bus: Bus;
  entries: ExecutorEntries;
  room: LedgerRoom;
  egress: Egress;
  pool: McpPool;
  slots: Slots;
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

/** Builds what is to be done for a call. Throws a Fault when it cannot be. */
export function planOf(tool: Tool, { statement, arguments: args }: AllowedCall): Plan {
  const { target } = tool;
  switch (target.kind) {
    case 'http':
      return { kind: 'http', target, request: buildHttpRequest(target, args, statement.call) };
    case 'mcp':
      return { kind: 'mcp', target };
    default:
      return target satisfies never;
  }
}
