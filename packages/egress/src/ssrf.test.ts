import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EgressFault } from './fault.ts';
import { createEgress, type Egress } from './request.ts';
import { get, loopbackPolicy, startUpstream, type Upstream } from './upstream.fixture.ts';

/** Spellings of places that must not be reached; public collections have more of each kind. */
const OWN_CASES = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0177.0.0.1/',
  'http://0x7f.1/',
  'http://0/',
  'http://[::]/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[2002:7f00:1::]/',
  'http://169.254.169.254/latest/meta-data/',
  'http://localhost/',
  'http://localhost./',
  'http://LOCALHOST/',
  'http://①②⑦.⓪.⓪.①/',
  'http://loopback.example/',
  'http://rebinding.example/',
  'http://user:password@8.8.8.8/',
  'http://8.8.8.8 &@2.2.2.2# @3.3.3.3/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_save',
  'jar:http://127.0.0.1!/',
  'http://o177.0.0.1/',
  '//127.0.0.1/',
  '',
];

const TESTBED_CASES = 46;

/** A resolver for which every name is at home, as the names of the cases are on the Internet. */
const resolveInside = async (hostname: string) =>
  hostname.includes('rebind') ? ['1.2.3.4', '169.254.169.254'] : ['127.0.0.1'];

describe('a destination that must not be reached', () => {
  let upstream: Upstream;
  let egress: Egress;
  beforeAll(async () => {
    upstream = await startUpstream((_request, response) => response.end('reached'));
    egress = createEgress({ resolve: resolveInside });
  });
  afterAll(async () => {
    await egress[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  test('[P-egress-checked-address] is refused in every spelling, even where the allow-list names it, while an allowed URL passes', async () => {
    const testbed = readTestbed();
    expect([0, TESTBED_CASES]).toContain(testbed.length);
    for (const url of [...OWN_CASES, ...testbed]) {
      const policy = loopbackPolicy(allowWhatItNames(url), { allowPrivate: [] });
      const fault = await egress.request(get(url, policy)).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(fault, url).toBeInstanceOf(EgressFault);
      expect(fault, url).toMatchObject({ sent: 'no' });
      expect(codeOf(fault), url).toMatch(/^egress_(destination|address)_refused$/);
    }
    const address = `127.0.0.1:${upstream.port}`;
    expect(upstream.seen).toEqual([]);
    const answer = await egress.request(get(`http://${address}/`, loopbackPolicy([`http://${address}`])));
    expect(Buffer.from(answer.body).toString()).toBe('reached');
  });
});

/** The public collection where it is present; its own README says what it holds. */
function readTestbed(): readonly string[] {
  const folder =
    process.env['INTERLOCK_TESTBEDS'] ?? resolve(import.meta.dirname, '../../../../shared/testbeds');
  const file = join(folder, 'ssrf.json');
  if (!existsSync(file)) return [];
  const cases: { url: string }[] = JSON.parse(readFileSync(file, 'utf8'));
  return cases.map(({ url }) => url);
}

/** The most generous allow-list for a URL, so that only what comes after the list can refuse it. */
function allowWhatItNames(text: string): readonly string[] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.host === '' || url.host.endsWith('.')) return [];
  return url.protocol === 'http:' ? [`http://${url.host}`] : url.protocol === 'https:' ? [url.host] : [];
}

function codeOf(fault: unknown): string {
  return fault instanceof EgressFault ? fault.code : '';
}
