/** Every operation of the catalogue, as it leaves the executor, before local versions of the vendors' APIs. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { addFromCatalog, loadConfiguration, readCatalog } from '@interlock/cli';
import { type HttpToolFile, type Json, valueAt } from '@interlock/contracts';
import { createEmulator } from 'emulate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileCheck } from '../services/ingress/src/schema.ts';
import { awsS3 } from './catalog/aws-s3.ts';
import { awsAuthorization } from './catalog/aws-signature.ts';
import { type Answer, callTool } from './catalog/caller.ts';
import { github } from './catalog/github.ts';
import { gmail, googleCalendar, googleDrive } from './catalog/google.ts';
import { linear } from './catalog/linear.ts';
import { type RecordedRequest, Recorder } from './catalog/recorder.ts';
import { resend } from './catalog/resend.ts';
import { slack } from './catalog/slack.ts';
import { stripe } from './catalog/stripe.ts';
import { twilio } from './catalog/twilio.ts';
import { fill, type Operation, type Vendor } from './catalog/vendor.ts';
import { root } from './tidy/sources.ts';

const vendors = [github, slack, gmail, googleCalendar, googleDrive, stripe, twilio, linear, awsS3, resend];
const OPERATIONS_MIN = 6;
const OPERATIONS_MAX = 12;
const DAY_S = 86_400;

let folder: string;
let tools: HttpToolFile[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-catalog-'));
  await cp(path.join(root, 'examples/quickstart/people.yaml'), path.join(folder, 'people.yaml'));
  for (const vendor of vendors) await addFromCatalog(folder, { vendor: vendor.folder, only: [], prefix: '' });
  const loaded = await loadConfiguration(folder);
  tools = loaded.tools.filter((tool) => 'http' in tool);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('[P-catalog] the catalogue', () => {
  test('has six to twelve operations of each vendor, each of which is tried here', async () => {
    const catalog = await readCatalog();
    const named = new Set(catalog.map(({ vendor }) => vendor));
    expect([...named].sort()).toEqual(vendors.map(({ folder: own }) => own).sort());
    for (const vendor of vendors) {
      const own = catalog.filter((tool) => tool.vendor === vendor.folder).map(({ name }) => name);
      expect(own.length).toBeGreaterThanOrEqual(OPERATIONS_MIN);
      expect(own.length).toBeLessThanOrEqual(OPERATIONS_MAX);
      expect([...new Set(vendor.operations.map(({ tool }) => tool))].sort()).toEqual(own.sort());
    }
  });

  test('says of every argument how large it may be, and takes no other', () => {
    expect(
      tools.flatMap(({ name, inputSchema }) => unbounded(inputSchema).map((at) => `${name}${at}`)),
    ).toEqual([]);
  });

  test.each(vendors)('of $folder leads to the origins of its vendor and nowhere else', (vendor) => {
    const names = new Set(vendor.operations.map(({ tool }) => tool));
    const leads = tools
      .filter(({ name }) => names.has(name))
      .map(({ name, http }) => ({
        ...{ name, origin: originOf(http.url) },
        allowed: http.egress.allow.map((host) => `https://${host}`),
      }));
    expect(leads).toEqual(leads.map(({ name, origin }) => ({ name, origin, allowed: [origin] })));
    expect([...new Set(leads.map(({ origin }) => origin))].sort()).toEqual([...vendor.origins].sort());
  });

  test.each(vendors)(
    'of $folder makes of each call the request that its vendor describes',
    async (vendor) => {
      const { service, seed = {}, paths = {} } = vendor;
      const emulator = await createEmulator({ service, port: 0, seed: { [service]: seed } });
      await using recorder = await Recorder.before(emulator.url.replace('localhost', '127.0.0.1'));
      try {
        const known: Record<string, string> = { tomorrow: String(Math.floor(Date.now() / 1_000) + DAY_S) };
        for (const operation of vendor.operations) {
          const call = `call_${recorder.requests.length}`;
          const file = tools.find(({ name }) => name === operation.tool);
          if (file === undefined) throw new TypeError(`There is no ${operation.tool}.`);
          const args = fill(operation.args ?? {}, known);
          compileCheck(file.inputSchema)(args as Record<string, Json>);
          recorder.prefix = paths[new URL(originOf(file.http.url)).host] ?? '';
          const { credentials } = vendor;
          const answer = await callTool(file, args, { origin: recorder.origin, call, credentials });
          const request = recorder.requests.at(-1);
          if (request === undefined) throw new TypeError(`${operation.tool} sent nothing.`);
          expect(shown(request, operation)).toEqual(
            wanted(vendor, operation, { known: { ...known, call }, request, recorder }),
          );
          const { succeeded, said } = verdictOf(answer, vendor);
          expect(succeeded, `${operation.tool}: ${said}`).toBe(operation.lacked !== true);
          Object.assign(known, learned(answer, operation));
        }
      } finally {
        await emulator.close();
      }
    },
  );
});

function originOf(template: string): string {
  return new URL(template.replaceAll(/[{}]/g, '')).origin;
}

/** A boundary is made of the content; where it stands is what counts. */
const BOUNDARY = /interlock-[0-9a-f]{32}/g;
/** Of every request's own time and connection. */
const PASSING = new Set(['connection', 'traceparent', 'tracestate']);

interface Sent {
  tool: string;
  request: string;
  headers: Record<string, string>;
  body: string;
}

function shown({ method, url, headers, body }: RecordedRequest, { tool }: Operation): Sent {
  return {
    ...{
      tool,
      request: `${method} ${url}`,
      body: body.toString().replaceAll(BOUNDARY, 'interlock-BOUNDARY'),
    },
    headers: Object.fromEntries(
      Object.entries(headers)
        .filter(([name]) => !PASSING.has(name))
        .map(([name, value]) => [name, value.replaceAll(BOUNDARY, 'interlock-BOUNDARY')]),
    ),
  };
}

function wanted(
  { headers, credentials }: Vendor,
  operation: Operation,
  {
    known,
    request,
    recorder,
  }: { known: Record<string, string>; request: RecordedRequest; recorder: Recorder },
): Sent {
  const [keyId = '', secret = ''] = (credentials['aws-key'] ?? '').split(':');
  const signature = awsAuthorization(request, { keyId, secret, region: 'us-east-1', service: 's3' });
  const { tool, body = '', ...more } = fill(operation, { ...known });
  const sendsBody = operation.body !== undefined;
  return {
    ...{ tool, request: more.request, body },
    headers: {
      host: new URL(recorder.origin).host,
      'user-agent': 'interlock',
      'accept-encoding': 'identity',
      ...(sendsBody || /^(POST|PUT|PATCH) /.test(more.request)
        ? { 'content-length': String(request.body.length) }
        : {}),
      ...fill(headers, { ...known, signature }),
      ...more.headers,
    },
  };
}

function verdictOf(
  { succeeded, status, text }: Answer,
  { succeeded: isSuccess = () => true }: Vendor,
): { succeeded: boolean; said: string } {
  return { succeeded: succeeded && isSuccess(jsonOf(text)), said: `${status} ${text.slice(0, 300)}` };
}

function learned({ text }: Answer, { learn = {} }: Operation): Record<string, string> {
  return Object.fromEntries(
    Object.entries(learn).map(([name, pointer]) => {
      const value = valueAt(jsonOf(text) as Json, pointer);
      expect(value, `${name} at ${pointer}`).toBeDefined();
      return [name, String(value)];
    }),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Returns where a schema takes text, lists or objects without an end. */
function unbounded(schema: unknown, at = ''): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const one = schema as Record<string, unknown>;
  const has = (...names: string[]) => names.some((name) => name in one);
  const properties = Object.entries((one['properties'] as Record<string, unknown> | undefined) ?? {});
  const open = {
    string: !has('maxLength', 'enum', 'pattern'),
    array: !has('maxItems'),
    object: one['additionalProperties'] === undefined && !has('maxProperties'),
    integer: !has('maximum') && !/number$/.test(at),
  }[String(one['type'])];
  return [
    ...(open === true ? [at] : []),
    ...properties.flatMap(([name, inner]) => unbounded(inner, `${at}/${name}`)),
    ...unbounded(one['items'], `${at}/*`),
    ...unbounded(one['additionalProperties'], `${at}/*`),
  ];
}
