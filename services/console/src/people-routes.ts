import type { PersonEntry } from '@interlock/contracts';
import type { Management } from './management.ts';
import { reaches } from './people.ts';
import type { Route } from './server.ts';

/** The routes about people: all of them, and the one who asks. */
export function personRoutes({ people }: Management): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/people',
      roles: ['operator', 'reader'],
      answer: async ({ person }) => ({ people: people.all().flatMap(({ value }) => shownTo(person, value)) }),
    },
    {
      method: 'GET',
      url: '/v1/me',
      roles: 'person',
      answer: async ({ person: { tokenHash: _hash, ...person } }) => person,
    },
  ];
}

/** A person with rights in some tenants sees who has rights there, and of their tenants only these. */
function shownTo(viewer: PersonEntry, { tokenHash: _hash, ...person }: PersonEntry) {
  if (viewer.tenants === undefined || person.tenants === undefined) return [person];
  const tenants = person.tenants.filter((tenant) => reaches(viewer, tenant));
  return tenants.length === 0 ? [] : [{ ...person, tenants }];
}
