/** The line: the whole installation as `interlock up` starts it, and one HTTP tool with a credential in front of the upstream. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type RunningInterlock, startInterlock } from '@interlock/local';
import type { Environment } from '@interlock/shell';
import type { Aim } from './load.ts';
import { CREDENTIAL } from './upstream.ts';

const TENANT = 'default';
const AGENT = 'bench';
const TOOL = 'bench-thing';
/** Nothing the bench sends is to be refused: a refusal would count as failed. */
const CAPS = { ratePerSecond: 100_000, burst: 100_000, inFlight: 10_000 };
const LIMITS = [
  {
    name: 'calls-per-agent',
    per: ['tenant', 'agent'],
    rate: { calls: 10_000_000, windowMs: 60_000 },
    concurrency: 10_000,
  },
];

export interface Line extends AsyncDisposable {
  aim: Aim;
  interlock: RunningInterlock;
}

/** Starts every service as a process of its own, on servers and a data folder of their own. */
export async function startBenchLine(upstreamUrl: string, env: Environment): Promise<Line> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const config = path.join(folder, 'config');
  await writeConfiguration(config, upstreamUrl);
  const interlock = stack.use(
    await startInterlock({
      config,
      data: path.join(folder, 'data'),
      ports: { ingress: 0, console: 0, nats: 0 },
      // The load comes from one address.
      env: { INTERLOCK_INGRESS_CONNECTIONS_PER_ADDRESS: '10000', ...env },
    }),
  );
  await setCredential(interlock);
  const key = interlock.context.agents[`${TENANT}/${AGENT}`]?.key;
  if (key === undefined) throw new Error('The agent of the bench has no key.');
  const owned = stack.move();
  return {
    interlock,
    aim: {
      url: `${interlock.ingress}/v1/calls`,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ tool: TOOL, arguments: { id: 1 } }),
      fits: (status, body) => status === 200 && body.includes('"outcome":"succeeded"'),
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** JSON is YAML. */
async function writeConfiguration(folder: string, upstreamUrl: string): Promise<void> {
  const origin = new URL(upstreamUrl).origin;
  const files = {
    'tools/thing.yaml': {
      name: TOOL,
      description: 'Reads one thing.',
      labels: ['reads-private'],
      inputSchema: {
        type: 'object',
        properties: { id: { type: 'integer', minimum: 1 } },
        required: ['id'],
        additionalProperties: false,
      },
      http: {
        method: 'GET',
        url: `${origin}/things/{id}`,
        egress: { allow: [origin], allowPrivate: ['127.0.0.1/32'] },
      },
      credential: { name: 'bench-token', inject: { as: 'bearer' } },
    },
    'agents/bench.yaml': { agent: AGENT, tenant: TENANT, user: 'alice', roles: ['assistant'], caps: CAPS },
    'people.yaml': { people: [{ person: 'alice', roles: ['admin', 'operator', 'approver'] }] },
    'limits.yaml': { limits: LIMITS },
    'approvals.yaml': { roles: ['approver'] },
    'policies/data.yaml': {
      config: { allow_listed: [{ tenants: [TENANT], roles: ['assistant'], tools: [TOOL] }] },
    },
  };
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(content));
  }
}

async function setCredential({ console: url, context }: RunningInterlock): Promise<void> {
  const token = context.people[context.person ?? ''];
  const response = await fetch(new URL('/v1/credentials/bench-token', url), {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ value: CREDENTIAL }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok)
    throw new Error(`The credential was not set: ${response.status} ${await response.text()}`);
}
