import { Fault } from '@interlock/contracts';
import { expect, test } from 'vitest';
import { createLog } from './log.ts';
import { createOutput } from './log-output.ts';

/** A disk that is full until it is told otherwise, and then takes so many bytes at once. */
function disk() {
  const state = { full: true, takes: Number.POSITIVE_INFINITY, text: '' };
  const stream = createOutput((bytes) => {
    if (state.full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const taken = bytes.subarray(0, state.takes);
    state.text += Buffer.from(taken).toString('utf8');
    return taken.length;
  });
  const log = createLog({ level: 'info', service: 'ingress', replica: 'rep_1', stream });
  const messages = () =>
    state.text
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line).msg);
  return { state, log, messages };
}

test('[P-log-never-fails] a log that cannot be written throws at nobody, and is written once it can be', () => {
  const { state, log, messages } = disk();
  log.error({ err: new Fault('internal') }, 'one');
  log.info('two');
  state.full = false;
  log.info('three');
  expect(messages()).toEqual(['one', 'two', 'three']);
});

test('[P-log-never-fails] lines that do not fit into memory are lost, and the log says how many', () => {
  const { state, log, messages } = disk();
  for (let index = 0; index < 10_000; index += 1) log.info(`line ${index}`);
  state.full = false;
  log.info('at last');
  const kept = messages().filter((message) => String(message).startsWith('line '));
  expect(kept.slice(0, 2)).toEqual(['line 0', 'line 1']);
  expect(messages()).toContain(
    `${10_001 - kept.length} lines of the log were lost, because they could not be written`,
  );
  log.info('as before');
  expect(messages().at(-1)).toBe('as before');
});

test('a line that was written in part goes on where it stopped', () => {
  const { state, log, messages } = disk();
  Object.assign(state, { full: false, takes: 7 });
  log.info('one');
  state.full = true;
  log.info('two');
  state.full = false;
  log.info('three');
  expect(messages()).toEqual(['one', 'two', 'three']);
});

test('[P-log-never-fails] a value that cannot be read throws at nobody', () => {
  const { state, log, messages } = disk();
  state.full = false;
  const value = {
    get secretive(): string {
      throw new Error('not readable');
    },
  };
  log.info({ value }, 'one');
  log.child({ value }).info('two');
  log.info({ big: 1n }, 'three');
  expect(messages()).toEqual(['one', 'two', 'three']);
});
