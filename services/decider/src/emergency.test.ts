import type { EmergencyEntry } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { callOf, nowMs, toolOf } from './decision.fixture.ts';
import { emergencyOf, reportEmergency } from './emergency.ts';

const HOUR_MS = 3_600_000;
const emergency: EmergencyEntry = {
  id: 'emg_1',
  tenant: 'acme',
  agent: 'clerk',
  tools: ['pay'],
  by: 'otto',
  reason: 'the store is on fire',
  openedAt: nowMs - HOUR_MS,
  expiresAt: nowMs + HOUR_MS,
};
const call = callOf(toolOf('pay'));

function watchOf(more: Partial<EmergencyEntry> = {}, current = true) {
  return { current, get: (key: string) => (key === 'acme.clerk' ? { ...emergency, ...more } : undefined) };
}

describe('[P-emergency] a call is under no emergency', () => {
  test.each<[string, Partial<EmergencyEntry>]>([
    ['that has ended', { expiresAt: nowMs }],
    ['that was opened more than four hours ago, whatever its end', { openedAt: nowMs - 4 * HOUR_MS }],
    ['that opens later', { openedAt: nowMs + 2 * 60_000 }],
    ['for other tools', { tools: ['read', 'pays'] }],
    ['of another agent under its key', { agent: 'other' }],
    ['of another tenant under its key', { tenant: 'other' }],
  ])('%s', (_, more) => {
    expect(emergencyOf(watchOf(more), call, nowMs)).toBeUndefined();
  });

  test('while it may have been closed', () => {
    expect(emergencyOf(watchOf({}, false), call, nowMs)).toBeUndefined();
  });

  test('of another agent', () => {
    expect(emergencyOf(watchOf(), { ...call, agent: 'other' }, nowMs)).toBeUndefined();
  });
});

describe('[P-emergency] a call is under an emergency', () => {
  test('for its tool, or for all', () => {
    expect(emergencyOf(watchOf(), call, nowMs)).toEqual(emergency);
    expect(emergencyOf(watchOf({ tools: ['*'] }), call, nowMs)).toMatchObject({ id: 'emg_1' });
  });

  test('and every decision is logged, with who opened it and why', () => {
    const lines: object[] = [];
    const log = { warn: (fields: object, message: string) => void lines.push({ ...fields, message }) };
    reportEmergency(log, emergency, call, 'decided');
    expect(lines).toMatchObject([
      { emergency: 'emg_1', by: 'otto', reason: emergency.reason, call: call.call, step: 'decided' },
    ]);
  });
});
