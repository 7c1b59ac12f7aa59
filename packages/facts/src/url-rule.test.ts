/** Draws URLs as an attacker would write them, and holds the rule to finding where each leads, or to not reading it. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled, of } from './grammar.fixture.ts';
import { createJudge, DRAWS, type Judge } from './rule.fixture.ts';

let judge: Judge;
beforeAll(async () => {
  judge = await createJudge({
    new_destination: { known: ['known.com', '.known.org', 'https://known.net:8443'] },
  });
});
afterAll(() => judge[Symbol.asyncDispose]());

function verdict(url: string | string[]): Promise<string> {
  return judge.judge({ parse: [{ at: '/url', as: 'url' }], args: { url } });
}

const evil = of(
  'evil.com',
  'evil.example',
  '203.0.113.7',
  '[2001:db8::1]',
  'known.com.evil.com',
  'evil-known.com',
);
const scheme = of('https', 'http', 'HTTPS', 'ws', 'ftp');
const rest = of('', '/', '/x?q=secret', '?q=1', '#x', ':8080/x', '/known.com/', '/@known.com');

/** URLs that lead elsewhere, or do so for some parser. */
const strange = filled(
  [
    '<scheme>://<evil><rest>',
    '<scheme>://known.com@<evil><rest>',
    '<scheme>://known.com:80@<evil><rest>',
    '<scheme>://<evil>@<evil>@known.com<rest>',
    '<scheme>://<evil>;@known.com<rest>',
    '<scheme>://<evil>&@known.com<rest>',
    '<scheme>://<evil>%40known.com<rest>',
    '<scheme>://known.com#@<evil>/',
    '<scheme>://known.com?@<evil>/',
    '<scheme>://known.com?x#@<evil>/',
    '<scheme>://known.com\\@<evil><rest>',
    '<scheme>://known.com\\.<evil><rest>',
    '<scheme>:\\\\<evil><rest>',
    '<scheme>:/<evil><rest>',
    '<scheme>:///<evil><rest>',
    '<scheme>:<evil><rest>',
    '//<evil><rest>',
    '/\\<evil><rest>',
    '<evil><rest>',
    ' <scheme>://<evil><rest>',
    '<scheme>://known.com\t.<evil><rest>',
    '<scheme>://known.com\n.<evil><rest>',
    '<scheme>://known.com .<evil><rest>',
    '<scheme>://known.com\u3002<evil><rest>',
    '<scheme>://known.com\uff0f.<evil><rest>',
    '<scheme>://known.com\u2100.<evil><rest>',
    '<scheme>://known.com\u00ad.<evil><rest>',
    '<scheme>://kn\u043ewn.com<rest>',
    '<scheme>://\uff4bnown.com<rest>',
    '<scheme>://known\u3002com<rest>',
    '<scheme>://known%2ecom<rest>',
    '<scheme>://%6bnown.com<rest>',
    '<scheme>://known.com%00.<evil><rest>',
    '<scheme>://known.com.<rest>',
    '<scheme>://known.com..<rest>',
    '<scheme>://known.org<rest>',
    '<scheme>://notknown.org<rest>',
    '<scheme>://known.net<rest>',
    'https://known.net:8444<rest>',
    '<scheme>://0x7f.1<rest>',
    '<scheme>://2130706433<rest>',
    '<scheme>://[::ffff:203.0.113.7]<rest>',
    'blob:https://known.com/x',
    'javascript:fetch("https://<evil>")',
    'file:///etc/passwd',
    'data:text/html,x',
    'mailto:x@<evil>',
    'view-source:https://known.com',
    'jar:https://known.com!/',
  ],
  { scheme, evil, rest },
);

describe('[P-rules-hold] new_destination', () => {
  test('asks about every place that is not known, however the URL is written', async () => {
    await fc.assert(
      fc.asyncProperty(strange, fc.boolean(), async (url, isList) => {
        expect(await verdict(isList ? ['https://known.com/', url] : url), url).toMatch(
          /^ask new_destination/,
        );
      }),
      DRAWS,
    );
  }, 120_000);

  test('lets a call to a known place through', async () => {
    const plain = filled(
      [
        '<scheme>://known.com<rest>',
        '<scheme>://KNOWN.com<rest>',
        '<scheme>://a.b.known.org<rest>',
        'https://me@known.com/',
      ],
      { scheme, rest },
    );
    await fc.assert(
      fc.asyncProperty(plain, async (url) => {
        expect(await verdict(url), url).toBe('allow allow_listed');
      }),
      { ...DRAWS, numRuns: 200 },
    );
  }, 120_000);
});
