import { type PolicyEntry, rpcSchemas } from '@interlock/contracts';
import {
  type AuditedCall,
  auditedCallOf,
  type DecidingPolicy,
  type ExplainedCall,
  explainablePolicy,
  explainCall,
} from '@interlock/policy-analysis';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { print } from '../../output.ts';
import { entryOfDigest, openPublished, readPolicyState } from '../../policy/bundles.ts';
import { explanationText } from '../../policy/explanation-text.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

interface ExplainOptions extends ManagementOptions {
  tenant?: string;
}

const NOTES = `
Reads the record of the call and evaluates the policy version that decided, after verifying its author's signature:
what every rule said, on which facts, and which single change leads to another verdict. Each change is evaluated, not
guessed. Nothing is changed, and nothing is sent.`;

/** `interlock policy explain`: why one call was allowed, held or denied. */
export function explainCommand(): Command {
  return managementCommand(
    'explain',
    'explain why a call was allowed, held or denied, and what would change that',
    'interlock policy explain CALL',
  )
    .argument('<call>', 'the call')
    .option('--tenant <tenant>', 'the tenant of the call, when several tenants have a call of this id')
    .addHelpText('after', NOTES)
    .action(async (call: string, options: ExplainOptions) => {
      const explained = await explainRecorded(call, options);
      print(options, explained, explanationText(explained));
    });
}

async function explainRecorded(call: string, options: ExplainOptions): Promise<ExplainedCall> {
  const client = await managementClientOf(options);
  const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
  const { records } = await client.request({ method: 'GET', path, reply: rpcSchemas['auditor.show'].reply });
  const audited = auditedCallOf(call, records, options.tenant);
  return explainCall(audited, await policiesOf(client, audited, options));
}

/** Returns the policy of each decision: the bundle with its digest. */
async function policiesOf(
  client: ApiClient,
  { decisions }: AuditedCall,
  options: ExplainOptions,
): Promise<Map<string, DecidingPolicy>> {
  const digests = [...new Set(decisions.map(({ decision }) => decision.policyDigest))];
  if (digests.length === 0) return new Map();
  const state = await readPolicyState(client);
  const found = digests.map(async (digest): Promise<[string, DecidingPolicy]> => {
    const entry = entryOfDigest(state, digest);
    return [digest, entry === undefined ? UNAVAILABLE : await policyOf(client, entry, options)];
  });
  return new Map(await Promise.all(found));
}

const UNAVAILABLE = {
  unavailable: 'The policy version that decided is no longer kept, so it cannot be evaluated again.',
};

async function policyOf(
  client: ApiClient,
  entry: PolicyEntry,
  options: ExplainOptions,
): Promise<DecidingPolicy> {
  try {
    const { held, bytes, signature } = await openPublished(client, entry, options);
    return { policy: explainablePolicy(held.policy, bytes), signature };
  } catch (error) {
    if (error instanceof Failure && error.code === 'policy_version_unknown') return UNAVAILABLE;
    throw error;
  }
}
