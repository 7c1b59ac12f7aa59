import { Secret } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { redact, redactBody, redacting } from './redact.ts';
import { needlesOf } from './spellings.ts';

const KEY = 'sk-Live/4f9+8b7c"6d\\5e ü~';

describe('the work of redacting', () => {
  const secrets = [KEY, 'sk_live_4f98b7c6d5e0a1b2c3d4e5f6a7b8c9d0', 'a'.repeat(64)];
  const units: readonly ((secret: string) => string)[] = [
    ...[
      '\\',
      '%',
      '&',
      '\\\\"',
      '%25',
      '&amp;',
      '&#38;',
      '\\u005c',
      '\\u0026amp;%5c%26',
      '\\&%',
      '\0a',
      'abcd\n',
      '{"a":[',
    ].map((unit) => () => unit),
    () => base64('a text of some length, which is base64'),
    () => '{"title": "A \\"quoted\\" text\\nwith lines & more", "url": "https://example.com/a%20b?c=d"}, ',
    (secret) => secret.slice(0, 8),
    (secret) => secret.slice(0, 7),
    (secret) => `${secret.slice(0, 8)}!`,
    (secret) => base64(secret.slice(0, 9)),
    (secret) => JSON.stringify(secret),
  ];
  /** A step is a byte that is looked at. Most shapes need 7 to 18, and those that begin many spellings some forty. */
  const STEPS_PER_BYTE = 64;

  test('[P-redaction-linear] is a few steps for each byte, of whatever a text consists and however long it is', () => {
    for (const secret of secrets) {
      for (const unit of units) {
        for (const length of [4_096, 262_144]) {
          const body = Buffer.from(unit(secret).repeat(length)).subarray(0, length);
          const steps = stepsOf(body, secret);
          expect([unit(secret), steps <= STEPS_PER_BYTE * length]).toEqual([unit(secret), true]);
        }
      }
    }
  });

  test('[P-redaction-linear] is done in turns, between which other work is done', async () => {
    let others = 0;
    let isDone = false;
    const other = () => {
      others += 1;
      if (!isDone) setImmediate(other);
    };
    setImmediate(other);
    const body = Buffer.alloc(1_048_576, '\\');
    const turns = [redactBody(body, [new Secret(KEY)]), redactBody(body, [new Secret(KEY)])];
    await Promise.all(turns);
    isDone = true;
    expect(others).toBeGreaterThan(30);
  });

  test('[P-secret-redacted] finds a secret wherever a long text is cut into windows', () => {
    const escaped = JSON.stringify(JSON.stringify(KEY));
    for (let at = 11_000; at < 17_500; at += 13) {
      const { body, redactions } = redact(`${'x'.repeat(at)} ${escaped} ${'y'.repeat(9_000)}`, [
        new Secret(KEY),
      ]);
      expect([at, redactions, body.length]).toEqual([at, 1, at + 9_000 + 2 + '[secret]'.length + 6]);
    }
  });
});

function stepsOf(body: Uint8Array, secret: string): number {
  const work = redacting(body, needlesOf([new Secret(secret)]));
  let steps = 0;
  for (let next = work.next(); next.done !== true; next = work.next()) steps += next.value;
  return steps;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
