import { describe, expect, test } from 'vitest';
import { EgressFault } from './fault.ts';
import { compilePolicy, type EgressPolicy, permitUrl } from './policy.ts';
import { loopbackPolicy } from './upstream.fixture.ts';

describe('a policy', () => {
  test.each([
    '',
    '*',
    '*.',
    '*.com',
    '*.1.2.3.4',
    'https://example.com',
    'example.com/',
    'example.com/path',
    'user@example.com',
    'example.com.',
    'example.com:',
    'example.com:99999',
    'http://',
    'http://*',
    'ftp://example.com',
    'exa mple.com',
    'a.*.example.com',
    '10.0.0.0/8',
    '::1',
    'example.com?x',
    'example.com#x',
    'example.com\\x',
  ])('with an entry that could mean two things is refused whole: %j', (entry) => {
    expect(faultOf(() => compilePolicy(loopbackPolicy(['good.example', entry])))).toMatchObject({
      code: 'configuration_invalid',
      pointer: '/allow/1',
    });
  });

  test.each<[string, Partial<EgressPolicy>]>([
    ['/redirects', { redirects: 11 }],
    ['/redirects', { redirects: -1 }],
    ['/timeoutMs', { timeoutMs: 0 }],
    ['/timeoutMs', { timeoutMs: Number.POSITIVE_INFINITY }],
    ['/connectTimeoutMs', { connectTimeoutMs: Number.NaN }],
    ['/maxResponseBytes', { maxResponseBytes: 1.5 }],
    ['/allowPrivate/0', { allowPrivate: ['everything'] }],
    ['/allow', { allow: Array.from({ length: 65 }, (_, index) => `h${index}.example`) }],
  ])('without a sensible limit at %s is refused', (pointer, change) => {
    expect(faultOf(() => compilePolicy(loopbackPolicy([], change)))).toMatchObject({ pointer, sent: 'no' });
  });

  test.each([
    ['example.com', 'http://example.com/'],
    ['example.com', 'https://example.com:8443/'],
    ['example.com', 'https://www.example.com/'],
    ['example.com', 'https://example.com.evil.net/'],
    ['example.com', 'https://example.com./'],
    ['example.com', 'https://example.com@evil.net/'],
    ['example.com', 'https://user@example.com/'],
    ['example.com', 'https://evil.net#@example.com/'],
    ['example.com', 'https://evil.net\\@example.com/'],
    ['example.com:8443', 'https://example.com/'],
    ['http://example.com', 'https://example.com/'],
    ['http://example.com:8080', 'http://example.com/'],
    ['*.example.com', 'https://example.com/'],
    ['*.example.com', 'https://evilexample.com/'],
    ['*.example.com', 'https://.example.com/'],
    ['*.example.com', 'http://a.example.com/'],
    ['bücher.example', 'https://bucher.example/'],
  ])('that allows %s refuses %s', (entry, url) => {
    expect(faultOf(() => permitUrl(url, compilePolicy(loopbackPolicy([entry]))))).toMatchObject({
      code: 'egress_destination_refused',
      sent: 'no',
    });
  });

  test.each([
    ['example.com', 'https://EXAMPLE.com:443/a?b#c', 'https://example.com/a?b'],
    ['example.com:8443', 'https://example.com:8443/', 'https://example.com:8443/'],
    ['http://example.com:8080', 'http://example.com:8080/', 'http://example.com:8080/'],
    ['*.example.com', 'https://a.b.example.com/', 'https://a.b.example.com/'],
    ['*.example.com:8443', 'https://a.example.com:8443/', 'https://a.example.com:8443/'],
    ['bücher.example', 'https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example/'],
    ['[2606:4700::1]', 'https://[2606:4700:0:0::1]/', 'https://[2606:4700::1]/'],
    ['http://2130706433:81', 'http://127.0.0.1:81/', 'http://127.0.0.1:81/'],
  ])('that allows %s permits %s', (entry, url, permitted) => {
    expect(permitUrl(url, compilePolicy(loopbackPolicy([entry]))).href).toBe(permitted);
  });
});

function faultOf(act: () => unknown): EgressFault {
  try {
    act();
  } catch (cause) {
    if (cause instanceof EgressFault) return cause;
    throw cause;
  }
  throw new Error('Nothing was refused.');
}
