import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endOf, followLogs, logsOf } from './logs.ts';

let data = '';
let logs = '';
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-logs-'));
  logs = path.join(data, 'logs');
  await mkdir(logs);
});
afterEach(async () => {
  await rm(data, { recursive: true, force: true });
});

const write = (name: string, text: string) => writeFile(path.join(logs, name), text);

describe('the logs of a service', () => {
  test('do not exist before the first start, nor for an unknown name', async () => {
    await expect(logsOf(data, undefined)).rejects.toMatchObject({ code: 'not_running' });
    await write('executor.log', '');
    await expect(logsOf(data, '../executor')).rejects.toMatchObject({
      code: 'log_unknown',
      next: 'There are logs of: executor.',
    });
  });

  test('are those of its replicas too, and of no other service', async () => {
    for (const name of ['ingress.log', 'ingress-2.log', 'ingress-proxy.log', 'notes.txt'])
      await write(name, '');
    const names = async (name?: string) => (await logsOf(data, name)).map((log) => log.name);
    expect(await names('ingress')).toEqual(['ingress-2', 'ingress']);
    expect(await names()).toEqual(['ingress-2', 'ingress-proxy', 'ingress']);
  });
});

test('the end of a log is its last whole lines', async () => {
  await write('decider.log', 'one\ntwo\nthree\nhalf a li');
  const [log] = await logsOf(data, 'decider');
  if (log === undefined) throw new TypeError('The log is missing.');
  expect(await endOf(log, 2)).toEqual({ lines: ['two', 'three'], offset: 14 });
  expect((await endOf(log, 0)).lines).toEqual([]);
});

test('following yields whole lines as they are written, those of a new process too, and ends when its signal aborts', async () => {
  await write('decider.log', 'before\nhalf');
  const ends = await Promise.all(
    (await logsOf(data, undefined)).map(async (log) => ({ log, ...(await endOf(log, 0)) })),
  );
  const stop = new AbortController();
  const followed = followLogs(data, { service: undefined, ends, signal: stop.signal });
  const next = async () => {
    const { value } = await followed.next();
    return value === undefined ? undefined : [value.log.name, value.line];
  };
  await appendFile(path.join(logs, 'decider.log'), ' of it\nrest');
  expect(await next()).toEqual(['decider', 'half of it']);
  await write('limiter.log', 'ready\n');
  expect(await next()).toEqual(['limiter', 'ready']);
  stop.abort();
  expect(await next()).toBeUndefined();
});
