import type { Route } from './door.ts';
import type { Management } from './management.ts';

/** The routes about people: who there is, and who asks. */
export function personRoutes({ people }: Management): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/people',
      roles: ['operator', 'reader'],
      answer: async () => ({
        people: people.all().map(({ value: { tokenHash: _hash, ...person } }) => person),
      }),
    },
    {
      method: 'GET',
      url: '/v1/me',
      roles: 'person',
      answer: async ({ person: { tokenHash: _hash, ...person } }) => person,
    },
  ];
}
