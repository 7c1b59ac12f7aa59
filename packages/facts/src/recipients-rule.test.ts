/** Draws recipients as an attacker would write them, and holds the rule to finding each, or to not reading the text. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled, of } from './grammar.fixture.ts';
import { createJudge, DRAWS, type Judge } from './rule.fixture.ts';

let judge: Judge;
beforeAll(async () => {
  judge = await createJudge({
    sends_external_asks: { domains: ['example.com'], addresses: ['carol@partner.example'] },
  });
});
afterAll(() => judge[Symbol.asyncDispose]());

function verdict(to: string | string[]): Promise<string> {
  return judge.judge({ parse: [{ at: '/to', as: 'recipients' }], args: { to }, labels: ['sends-external'] });
}

const known = of('bob@example.com', 'a.b+c@EXAMPLE.com', 'carol@partner.example', 'o_x-1@example.com');
const evil = of('evil.com', 'evil.example', 'example.com.evil.com', 'evil-example.com');
const name = of('eve', 'bob', 'x.y');

/** Addresses that reach somebody who is not known, or that some program sends on to them. */
const strange = filled(
  [
    '<name>@<evil>',
    '<name>@sub.example.com',
    '<name>@example.co',
    '<name>%<evil>@example.com',
    '<name>%<evil>%example.com@example.com',
    '<evil>!<name>@example.com',
    '<evil>!<name>',
    '<@example.com:<name>@<evil>>',
    '@example.com:<name>@<evil>',
    '"<name>@<evil>"@example.com',
    '"<name>%<evil>"@example.com',
    '"<evil>!<name>"@example.com',
    '<name>\\@<evil>@example.com',
    '<name>@<evil>@example.com',
    '<name>(@example.com)@<evil>',
    '<name>@<evil>(@example.com)',
    '<name>@<evil> (bob@example.com)',
    'bob(<name>@<evil>)@example.com',
    'bob@(<evil>)example.com',
    'bob@example.com(.<evil>)',
    '<name>@<evil> <bob@example.com>',
    'bob@example.com <<name>@<evil>>',
    '"bob@example.com" <<name>@<evil>>',
    'bob@example.com <name>@<evil>',
    'bob@example.com;<name>@<evil>',
    'bob@example.com, <name>@<evil>',
    'team: bob@example.com, <name>@<evil>;',
    'team:<name>@<evil>;, bob@example.com',
    'bob@example.com\r\nBcc: <name>@<evil>',
    'bob@example.com\0@<evil>',
    'bob@example.com#@<evil>',
    'bob@example.com,',
    '=?utf-8?q?<name>=40<evil>=3e?=@example.com',
    '=?utf-8?q?<name>=40<evil>?= <bob@example.com>',
    '=?iso-8859-1?q?=41=42?=bob@example.com',
    'IMCEASMTP-<name>+40<evil>@example.com',
    'imceaex-_o=x@example.com',
    'SRS0=hash=tt=<evil>=<name>@example.com',
    'srs1=hash=<evil>==hash=<name>@example.com',
    '<name>\uff20<evil>@example.com',
    '<name>\uff05<evil>@example.com',
    '<evil>\uff01<name>@example.com',
    '<name>\u0140<evil>@example.com',
    '<name>@\uff45xample.com',
    '<name>@example\u3002com.<evil>',
    '<name>@example.com\u3002<evil>',
    '<name>@ex\u0430mple.com',
    '<name>@example.c\u043em',
    '<name>@ex\u00admple.com',
    '<name>@example\u200b.com',
    '<name>@xn--exmple-4nf.com',
    '<name>@[203.0.113.7]',
    '<name>@203.0.113.7',
    '-oQ<name>@example.com',
    '|mail<name>@example.com',
    '/tmp/<name>@example.com',
    '`<name>`@example.com',
    '<name>@example.com.',
    '<name>@@example.com',
    '@example.com',
    '<name>@',
    '<name>',
  ],
  { name, evil },
);

/** The same among others, with names and blanks. */
const list = fc
  .tuple(strange, fc.array(known, { maxLength: 2 }), fc.nat(3), fc.nat(3))
  .map(([address, others, place, way]) => {
    const written = [address, ` ${address} `, `Bob <${address}>`, `"Doe, Ann" <${address}>`][way] ?? address;
    return others.toSpliced(place, 0, written);
  });

describe('[P-rules-hold] sends_external_asks', () => {
  test('asks about every recipient who is not known, however the address is written', async () => {
    await fc.assert(
      fc.asyncProperty(list, fc.boolean(), async (texts, isList) => {
        const to = isList ? texts : texts.join(', ');
        expect(await verdict(to), JSON.stringify(to)).toMatch(/^ask sends_external_asks/);
      }),
      DRAWS,
    );
  }, 120_000);

  test('lets mail to known recipients through', async () => {
    const written = filled(
      ['<known>', ' <known> ', 'Bob <<known>>', '"Doe, Ann" <<known>>', '<known> (Ann)', '<known>, <known>'],
      {
        known,
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(written, { minLength: 1, maxLength: 3 }), async (to) => {
        expect(await verdict(to), JSON.stringify(to)).toBe('allow allow_listed');
        expect(await verdict(to.join(', ')), JSON.stringify(to)).toBe('allow allow_listed');
      }),
      { ...DRAWS, numRuns: 300 },
    );
  }, 120_000);
});
