/**
 * A whole installation for end-to-end tests: every service in its own process, and an upstream that counts its effects.
 *
 * Tools, each one request to the upstream with the credential `upstream-token`: `read` (GET), `write` (POST),
 * `ask` (destructive, so a person is asked), `idem` (idempotent), `slow` (tests make its path slow), `bare` (without
 * the credential, so the upstream answers 401).
 * Agents: `helper` of tenant acme for alice, `other` of tenant rival for rita. People: alice, who may do everything,
 * and bob, who may answer questions.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { approvalListSchema } from '@interlock/contracts';
import { type InterlockOptions, type RunningInterlock, startInterlock } from '@interlock/local';
import { eventually, startUpstream, type Upstream } from '@interlock/testkit';
import { z } from 'zod';
import { type HttpAnswer, send } from './http.ts';

/** The credential that the upstream requires: no agent may ever see it. */
export const UPSTREAM_TOKEN = 'upstream-token-S3cr3t/+=&"value';
const CREDENTIAL = 'upstream-token';
/** Generous, so that no test meets a cap it does not set. */
const CAPS = { ratePerSecond: 5_000, burst: 5_000, inFlight: 1_000 };

export type Tenant = 'acme' | 'rival';
export type AgentName = 'helper' | 'other';
const tenantOf: Readonly<Record<AgentName, Tenant>> = { helper: 'acme', other: 'rival' };

export interface LineOptions {
  /** Tool files by name: they are merged into the tools of the same name, or added. */
  tools?: Readonly<Record<string, object>>;
  /** Agent files besides the two above. */
  agents?: readonly object[];
  limits?: readonly object[];
  /** The content of approvals.yaml. */
  approvals?: object;
  /** Data of policies under `data.config`, merged into a grant of every tool to both tenants. */
  policyData?: object;
  replicas?: InterlockOptions['replicas'];
  env?: InterlockOptions['env'];
  serviceEnv?: InterlockOptions['serviceEnv'];
  ports?: InterlockOptions['ports'];
  /** The data folder; one of its own by default. */
  data?: string;
  /** Aborted when the start is to be given up. */
  signal?: AbortSignal;
}

export interface CallOptions {
  idempotencyKey?: string;
  agent?: AgentName;
  signal?: AbortSignal;
}

/** The management API, used by one person. */
export interface Person {
  get(path: string): Promise<HttpAnswer>;
  post(path: string, body: object): Promise<HttpAnswer>;
  put(path: string, body: object): Promise<HttpAnswer>;
  delete(path: string): Promise<HttpAnswer>;
  /** Waits for the question of a call and answers it. */
  answer(call: string, verdict: 'approve' | 'deny'): Promise<HttpAnswer>;
}

export interface Line extends AsyncDisposable {
  readonly upstream: Upstream;
  /** The installation as it runs now. */
  readonly interlock: RunningInterlock;
  /** Starts an installation that was stopped again, on the same data. */
  startAgain(): Promise<void>;
  /** The folder of the configuration, to be changed and applied again. */
  readonly config: string;
  /** `POST /v1/calls`. Rejects when the connection breaks. */
  call(tool: string, args: object, options?: CallOptions): Promise<HttpAnswer>;
  /** `GET /v1/calls/{call}`, waiting for the outcome for up to `waitSeconds`. */
  getCall(
    call: string,
    options?: { agent?: AgentName; waitSeconds?: number; signal?: AbortSignal },
  ): Promise<HttpAnswer>;
  /** Any request to ingress, with the key of the agent. */
  agent(name: AgentName): { key: string; get(path: string): Promise<HttpAnswer> };
  person(name: string): Person;
}

/** Starts everything and returns once calls work. Disposing it ends what it started and deletes its folder. */
export async function startLine(options: LineOptions = {}): Promise<Line> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-line-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const upstream = stack.use(await startUpstream({ credential: UPSTREAM_TOKEN }));
  const config = path.join(folder, 'config');
  await writeConfiguration(config, upstream.url, options);
  const start = async () =>
    await startInterlock({
      config,
      data: options.data ?? path.join(folder, 'data'),
      ...(options.replicas === undefined ? {} : { replicas: options.replicas }),
      ...(options.serviceEnv === undefined ? {} : { serviceEnv: options.serviceEnv }),
      ...(options.ports === undefined ? {} : { ports: options.ports }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      env: { INTERLOCK_LOG_LEVEL: 'info', ...options.env },
    });
  let interlock = await start();
  stack.defer(() => interlock.stop());
  const person = (name: string) => personAt(interlock, name);
  await person('alice').put(`/v1/credentials/${CREDENTIAL}`, { value: UPSTREAM_TOKEN });
  const owned = stack.move();
  return {
    upstream,
    get interlock() {
      return interlock;
    },
    startAgain: async () => {
      interlock = await start();
    },
    config,
    person,
    call: async (tool, args, { agent = 'helper', idempotencyKey, signal } = {}) =>
      await send(new URL('/v1/calls', interlock.ingress), {
        method: 'POST',
        token: keyOf(interlock, agent),
        body: { tool, arguments: args },
        ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
        ...(signal === undefined ? {} : { signal }),
      }),
    getCall: async (call, { agent = 'helper', waitSeconds = 0, signal } = {}) =>
      await send(new URL(`/v1/calls/${call}?wait=${waitSeconds}`, interlock.ingress), {
        token: keyOf(interlock, agent),
        ...(signal === undefined ? {} : { signal }),
      }),
    agent: (name) => ({
      key: keyOf(interlock, name),
      get: (at) => send(new URL(at, interlock.ingress), { token: keyOf(interlock, name) }),
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function keyOf({ context }: RunningInterlock, agent: AgentName): string {
  const made = context.agents[`${tenantOf[agent]}/${agent}`];
  if (made === undefined) throw new TypeError(`There is no key of ${agent}.`);
  return made.key;
}

function personAt({ console, context }: RunningInterlock, name: string): Person {
  const token = context.people[name];
  if (token === undefined) throw new TypeError(`There is no token of ${name}.`);
  const ask = (method: string) => (at: string, body?: object) =>
    send(new URL(at, console), { method, token, ...(body === undefined ? {} : { body }) });
  const [get, post] = [ask('GET'), ask('POST')];
  return {
    get,
    post,
    put: ask('PUT'),
    delete: ask('DELETE'),
    answer: async (call, verdict) => {
      const question = await eventually(async () => {
        const { status, body } = await get('/v1/approvals');
        if (status !== 200)
          throw new Error(`The questions could not be read: ${status} ${JSON.stringify(body)}`);
        return approvalListSchema.parse(body).approvals.find((open) => open.call === call);
      });
      const { tenant, questionDigest } = question;
      return await post(`/v1/approvals/${tenant}/${call}`, { verdict, questionDigest });
    },
  };
}

/** Writes a configuration folder. YAML takes JSON as it is. */
async function writeConfiguration(config: string, url: string, options: LineOptions): Promise<void> {
  const { tools = {}, agents = [], limits = [], approvals = {}, policyData = {} } = options;
  const files = new Map<string, object>([
    ['people.yaml', { people }],
    ['limits.yaml', { limits }],
    ['approvals.yaml', { roles: ['approver'], ...approvals }],
    ['policies/data.yaml', { config: { ...allowAll, ...policyData } }],
  ]);
  for (const agent of [...defaultAgents, ...agents])
    files.set(`agents/${z.object({ agent: z.string() }).parse(agent).agent}.yaml`, agent);
  const known: Readonly<Record<string, object>> = toolsAt(url);
  for (const name of new Set([...Object.keys(known), ...Object.keys(tools)]))
    files.set(`tools/${name}.yaml`, { ...known[name], ...tools[name] });
  for (const [file, content] of files) {
    const target = path.join(config, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, JSON.stringify(content, null, 2));
  }
}

const allowAll = { allow_listed: [{ tenants: ['acme', 'rival'], tools: ['*'] }] };
const people = [
  { person: 'alice', roles: ['admin', 'operator', 'approver'] },
  { person: 'bob', roles: ['approver'] },
];
const defaultAgents = [
  { agent: 'helper', tenant: 'acme', user: 'alice', roles: ['assistant'], caps: CAPS },
  { agent: 'other', tenant: 'rival', user: 'rita', roles: ['assistant'], caps: CAPS },
];

function toolsAt(url: string) {
  const egress = { allow: [url], allowPrivate: ['127.0.0.1/32'] };
  const common = { credential: { name: CREDENTIAL, inject: { as: 'bearer' } } };
  const bare = (name: string) => ({
    name,
    description: `Sends a text to /${name}.`,
    labels: ['writes'],
    inputSchema: {
      type: 'object',
      properties: { text: { type: 'string', maxLength: 1_000 } },
      required: ['text'],
      additionalProperties: false,
    },
    http: { method: 'POST', url: `${url}/${name}`, egress },
  });
  const post = (name: string) => ({ ...common, ...bare(name) });
  return {
    read: {
      ...common,
      name: 'read',
      description: 'Reads one note.',
      labels: ['reads-private'],
      inputSchema: {
        type: 'object',
        properties: { id: { type: 'integer', minimum: 1 } },
        required: ['id'],
        additionalProperties: false,
      },
      http: { method: 'GET', url: `${url}/read/{id}`, egress },
    },
    write: post('write'),
    ask: { ...post('ask'), labels: ['writes', 'destructive'] },
    idem: {
      ...post('idem'),
      idempotent: true,
      http: { method: 'POST', url: `${url}/idem`, egress, idempotencyHeader: 'Idempotency-Key' },
    },
    slow: post('slow'),
    bare: bare('bare'),
  };
}
