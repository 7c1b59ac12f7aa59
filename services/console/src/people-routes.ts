import type { Management } from './management.ts';
import type { Route } from './server.ts';

/** The routes about people: all of them, and the one who asks. */
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
