/** Applying a configuration through the management API, and keeping the keys it makes in the context. */
import { existsSync } from 'node:fs';
import {
  type Applied,
  agentKeySchema,
  appliedSchema,
  type Configuration,
  type ConfiguredPerson,
  type SignedBundle,
  type Tool,
} from '@interlock/contracts';
import { buildBundle, signBundle } from '@interlock/policy';
import { BASE_POLICIES } from '@interlock/policy-analysis';
import { type Environment, processEnvironment, systemClock } from '@interlock/shell';
import { readAuthor } from './author.ts';
import type { ApiClient } from './client.ts';
import type { Context } from './context.ts';
import type { LoadedConfiguration } from './load-configuration.ts';

/** Compiles a folder of policies over the rules that come with Interlock. Throws `configuration_invalid` with file and line. */
export async function bundlePolicies(
  policies: string,
  signal: AbortSignal,
  env: Environment = processEnvironment(),
): Promise<Uint8Array> {
  const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = env;
  const folders = [BASE_POLICIES, policies].filter((folder) => existsSync(folder));
  return await buildBundle({ opaBin, folders, signal });
}

/** Signs a bundle with the author's key. Throws `author_missing`. */
export async function signedBundle(
  data: string,
  bundle: Uint8Array,
  env: Environment = processEnvironment(),
): Promise<SignedBundle> {
  const signature = signBundle(bundle, await readAuthor(data, env), systemClock.nowMs());
  return { bundle: Buffer.from(bundle).toString('base64'), signature };
}

/** What a configuration consists of besides what its files say. */
export interface Resolved {
  tools: Tool[];
  /** With the hashes of tokens that were made here. */
  people: ConfiguredPerson[];
  policy: SignedBundle;
}

/** Applies a configuration through the management API. */
export async function applyConfiguration(
  client: ApiClient,
  loaded: LoadedConfiguration,
  resolved: Resolved,
): Promise<Applied> {
  const body = bodyOf(loaded, resolved);
  return await client.request({ method: 'POST', path: '/v1/apply', body, reply: appliedSchema });
}

/** Returns the body of the request that applies a configuration, and of the one that plans it. */
export function bodyOf(loaded: LoadedConfiguration, { tools, people, policy }: Resolved): Configuration {
  return {
    tools,
    agents: loaded.agents,
    people,
    ...(loaded.limits === undefined ? {} : { limits: loaded.limits }),
    ...(loaded.approvals === undefined ? {} : { approvals: loaded.approvals }),
    policy,
  };
}

/** Returns the context with a fresh key for every configured agent whose key is missing here or has expired. */
export async function withAgentKeys(
  client: ApiClient,
  context: Context,
  agents: LoadedConfiguration['agents'],
  nowMs: number,
): Promise<Context> {
  const keys = { ...context.agents };
  for (const { tenant, agent } of agents) {
    const known = keys[`${tenant}/${agent}`];
    if (known !== undefined && known.notAfter > nowMs) continue;
    const path = `/v1/agents/${tenant}/${agent}/rotate`;
    const { keyId, key, notAfter } = await client.request({
      method: 'POST',
      path,
      body: {},
      reply: agentKeySchema,
    });
    keys[`${tenant}/${agent}`] = { keyId, key, notAfter };
  }
  return { ...context, agents: keys };
}
