import type { AgentEntry } from '@interlock/contracts';
import { expect, test } from 'vitest';
import { createAgentKey, withKey, withoutKey } from './agent-keys.ts';

const HOUR_MS = 3_600_000;
const agent: AgentEntry = {
  tenant: 'acme',
  agent: 'helper',
  user: 'ada',
  roles: [],
  session: 'ses_1',
  keys: [],
  caps: { ratePerSecond: 1, burst: 1, inFlight: 1 },
};
const terms = { nowMs: 1_000, validMs: 90 * HOUR_MS, overlapMs: HOUR_MS, by: 'otto' };

test('[P-ingress-keys] the entry of an agent has only the hash of its key', () => {
  const fresh = createAgentKey();
  expect(fresh.key).toMatch(/^ilk_[A-Za-z0-9_-]{43}$/);
  expect(JSON.stringify(withKey(agent, fresh, terms))).not.toContain(fresh.key);
});

test('[P-ingress-keys] after a rotation the old key is valid for the overlap and no longer', () => {
  const first = createAgentKey();
  const second = createAgentKey();
  const before = withKey(agent, first, terms);
  const after = withKey(before, second, { ...terms, nowMs: 5_000 });
  expect(after.keys.map(({ keyId, notAfter }) => [keyId, notAfter])).toEqual([
    [first.keyId, 5_000 + HOUR_MS],
    [second.keyId, 5_000 + terms.validMs],
  ]);
});

test('a rotation never makes an old key valid for longer than before', () => {
  const before = withKey(agent, createAgentKey(), { ...terms, validMs: 60_000 });
  const after = withKey(before, createAgentKey(), terms);
  expect(after.keys[0]?.notAfter).toBe(61_000);
});

test('a rotation without overlap makes the old keys invalid at once', () => {
  const after = withKey(withKey(agent, createAgentKey(), terms), createAgentKey(), {
    ...terms,
    overlapMs: 0,
  });
  expect(after.keys).toHaveLength(1);
});

test('[P-ingress-keys] revoking ends one key, or all of them', () => {
  const first = createAgentKey();
  const both = withKey(withKey(agent, first, terms), createAgentKey(), terms);
  expect(() => withoutKey(both, 'key_unknown')).toThrow(expect.objectContaining({ code: 'name_unknown' }));
  expect(withoutKey(both, first.keyId).keys).toHaveLength(1);
  expect(withoutKey(both, undefined).keys).toEqual([]);
});
