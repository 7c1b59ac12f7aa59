import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { createLog } from './log.ts';

function capture(): { log: Logger; text: () => string } {
  let written = '';
  const stream = {
    write: (line: string) => {
      written += line;
    },
  };
  const log = createLog({ level: 'info', service: 'broker', replica: 'rep_1', stream });
  return { log, text: () => written };
}

test('[P-secret-nowhere] a Secret is never logged, wherever it is', () => {
  const { log, text } = capture();
  const secret = new Secret('swordfish');
  log.info({ value: secret, deep: { list: [secret] } }, 'one');
  log.child({ bound: secret }).info('two');
  log.info(new Error('three', { cause: secret }));
  expect(text()).not.toContain('swordfish');
  expect(text().match(/\[secret\]/g)).toHaveLength(3);
});

test.each([
  'authorization',
  'Cookie',
  'set-cookie',
  'accessToken',
  'password',
  'clientSecret',
  'key',
  'apiKey',
  'busSeed',
])('a value named %s is not logged even when it is not a Secret', (name) => {
  const { log, text } = capture();
  log.info({ [name]: 'swordfish', headers: { [name]: ['swordfish'] } }, 'one');
  log.child({ [name]: 'swordfish' }).info('two');
  expect(text()).not.toContain('swordfish');
});

test("a parser's error does not quote what it read", () => {
  const { log, text } = capture();
  try {
    JSON.parse('swordfish');
  } catch (cause) {
    log.error({ err: new Fault('body_malformed', { cause }) }, 'one');
  }
  expect(text()).toContain('malformed text');
  expect(text()).not.toContain('swordfish');
});

test('bytes are counted, not logged', () => {
  const { log, text } = capture();
  log.info({ body: Buffer.from('swordfish') }, 'one');
  expect(JSON.parse(text())).toMatchObject({ body: '[9 bytes]' });
});

test('a Fault is logged with its code and the chain of its causes', () => {
  const { log, text } = capture();
  const cause = new Error('outer', { cause: new Error('inner') });
  log.error({ err: new Fault('ledger_full', { cause }) }, 'one');
  expect(JSON.parse(text())).toMatchObject({
    level: 'error',
    err: { name: 'Fault', code: 'ledger_full', causes: [{ message: 'outer' }, { message: 'inner' }] },
  });
});

test('a chain of causes that bites its tail ends', () => {
  const { log, text } = capture();
  const first = new Error('first');
  const second = new Error('second', { cause: first });
  first.cause = second;
  log.error(first, 'one');
  expect(JSON.parse(text()).err.causes).toHaveLength(8);
});

test('every line says service and replica, and a key id stays readable', () => {
  const { log, text } = capture();
  log.info({ keyId: 'sig_1' }, 'one');
  expect(JSON.parse(text())).toMatchObject({
    service: 'broker',
    replica: 'rep_1',
    keyId: 'sig_1',
    msg: 'one',
  });
});
