import { type ConfiguredPerson, sha256 } from '@interlock/contracts';
import { expect, test } from 'vitest';
import type { Context } from './context.ts';
import { withTokens } from './tokens.ts';

const empty: Context = { people: {}, agents: {} };
const alice: ConfiguredPerson = { person: 'alice', roles: ['admin'] };

test('a person without a token gets one, and only its hash is passed on', () => {
  const { context, people } = withTokens(empty, [alice]);
  const { alice: token = '' } = context.people;
  expect(token).toMatch(/^ilp_[A-Za-z0-9_-]{43}$/);
  expect(people).toEqual([{ ...alice, tokenHash: sha256(token) }]);
});

test('a token that is known is kept, and a hash in the file is left alone', () => {
  const once = withTokens(empty, [alice]);
  expect(withTokens(once.context, [alice])).toEqual(once);
  const hashed = { ...alice, tokenHash: sha256('elsewhere') };
  expect(withTokens(empty, [hashed])).toEqual({ context: empty, people: [hashed] });
});

test('the person who acts is an admin of every tenant whose token is known', () => {
  const people = [
    { person: 'rita', roles: ['reader'] },
    { person: 'tom', roles: ['admin'], tenants: ['acme'] },
    { person: 'hana', roles: ['admin'], tokenHash: sha256('elsewhere') },
    alice,
  ];
  expect(withTokens(empty, people).context.person).toBe('alice');
});
