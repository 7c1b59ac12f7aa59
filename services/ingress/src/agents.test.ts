import { type AgentEntry, agentEntrySchema, sha256 } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { AgentKeys, authenticator } from './agents.ts';

const one = `ilk_${'a'.repeat(43)}`;
const two = `ilk_${'b'.repeat(43)}`;

function agentWith(keys: Record<string, number>): AgentEntry {
  return agentEntrySchema.parse({
    tenant: 'acme',
    agent: 'bot',
    user: 'ann',
    session: 's1',
    keys: Object.entries(keys).map(([key, notAfter], index) => ({
      keyId: `k${index}`,
      hash: sha256(key),
      createdAt: 0,
      notAfter,
    })),
  });
}

describe('an API key', () => {
  test.each([
    [undefined, 'key_missing'],
    ['', 'key_invalid'],
    [one, 'key_invalid'],
    [`Basic ${one}`, 'key_invalid'],
    [`Bearer ${one} `, 'key_invalid'],
    [`Bearer ${one}a`, 'key_invalid'],
    [`Bearer ${two}`, 'key_invalid'],
    [`Bearer ilk_${'a'.repeat(42)}`, 'key_invalid'],
  ])('given as %j is refused with %s', (header, code) => {
    const keys = new AgentKeys();
    keys.change('acme.bot', agentWith({ [one]: 100 }));
    expect(() => keys.authenticate(header, 0)).toThrow(code);
  });

  test('[P-ingress-keys] is refused from the instant at which it expires', () => {
    const keys = new AgentKeys();
    keys.change('acme.bot', agentWith({ [one]: 100 }));
    expect(keys.authenticate(`Bearer ${one}`, 99).agent).toBe('bot');
    expect(() => keys.authenticate(`Bearer ${one}`, 100)).toThrow('key_invalid');
  });

  test('works beside its successor as long as its entry has both, and no longer', () => {
    const keys = new AgentKeys();
    keys.change('acme.bot', agentWith({ [one]: 100, [two]: 200 }));
    expect(keys.authenticate(`bearer ${one}`, 0)).toBe(keys.authenticate(`Bearer ${two}`, 0));
    keys.change('acme.bot', agentWith({ [two]: 200 }));
    expect(() => keys.authenticate(`Bearer ${one}`, 0)).toThrow('key_invalid');
    keys.change('acme.bot', undefined);
    expect(() => keys.authenticate(`Bearer ${two}`, 0)).toThrow('key_invalid');
  });

  test('[P-unsure-means-no] is not compared while the copy of the agents may be behind', () => {
    const authenticate = authenticator({ current: false, onChange: () => undefined });
    expect(() => authenticate(`Bearer ${one}`, 0)).toThrow('dependency_unavailable');
  });
});
