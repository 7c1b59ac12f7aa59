import { randomBytes } from 'node:crypto';
import { type ConfiguredPerson, sha256 } from '@interlock/contracts';
import type { Context } from './context.ts';

const TOKEN_BYTES = 32;

/**
 * Returns the context with a new token for every person without a `tokenHash` whose token is not known here, and the
 * people with the hashes of the tokens that are known.
 */
export function withTokens(
  context: Context,
  people: readonly ConfiguredPerson[],
): { context: Context; people: ConfiguredPerson[] } {
  const tokens = { ...context.people };
  const hashed = people.map((person) => {
    if (person.tokenHash !== undefined) return person;
    const token = tokens[person.person] ?? createToken();
    tokens[person.person] = token;
    return { ...person, tokenHash: sha256(token) };
  });
  const admins = people.filter(({ roles, tenants }) => roles.includes('admin') && tenants === undefined);
  const actors = admins.filter(({ person }) => tokens[person] !== undefined).map(({ person }) => person);
  const person = actors.find((name) => name === context.person) ?? actors[0];
  return {
    context: { ...context, people: tokens, ...(person === undefined ? {} : { person }) },
    people: hashed,
  };
}

/** Returns a new token of 256 random bits. */
function createToken(): string {
  return `ilp_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
}
