import { timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AuditStreams, Buckets, BusClock, Entry } from '@interlock/bus';
import { Fault, type PersonEntry, personEntrySchema, sha256 } from '@interlock/contracts';
import { z } from 'zod';
import { writeEntry } from './write-entry.ts';

/** Roles of the management API; `admin` has all of them. Other roles are for approvals only. */
export type ConsoleRole = 'operator' | 'approver' | 'reader';

const TOKEN = /^Bearer (ilp_[A-Za-z0-9_-]{43})$/;
const PEOPLE_MAX = 1_000;
const SEED_AUTHOR = 'interlock';

const peopleSeedSchema = z.strictObject({ people: z.array(personEntrySchema).min(1).max(PEOPLE_MAX) });

/** The people of the installation, as a live copy of their entries. */
export interface People {
  /** False while the copy may be behind. */
  readonly current: boolean;
  all(): Entry<'people'>[];
}

/**
 * Returns the person whose token an `Authorization` header has.
 * Throws `token_missing`, `token_invalid`, or `dependency_unavailable` while the list of people may be out of date.
 */
export function authenticate(header: string | undefined, people: People): PersonEntry {
  if (header === undefined) throw new Fault('token_missing');
  const token = TOKEN.exec(header)?.[1];
  if (token === undefined) throw new Fault('token_invalid');
  if (!people.current)
    throw new Fault('dependency_unavailable', {
      detail:
        'The console is not connected to NATS, so its list of people may be out of date. Nothing was done.',
    });
  const hash = Buffer.from(sha256(token), 'hex');
  const found = people.all().find(({ value }) => timingSafeEqual(Buffer.from(value.tokenHash, 'hex'), hash));
  if (found === undefined) throw new Fault('token_invalid');
  return found.value;
}

/** Throws `role_missing` unless the person is an admin or has one of the roles. */
export function requireRole(person: PersonEntry, roles: readonly ConsoleRole[]): void {
  if (person.roles.includes('admin') || roles.some((role) => person.roles.includes(role))) return;
  throw new Fault('role_missing', {
    detail: `This needs one of these roles: ${['admin', ...roles].join(', ')}.`,
  });
}

/** Throws `role_missing` where the person has no rights in the tenant. */
export function requireTenant(person: PersonEntry, tenant: string): void {
  if (reaches(person, tenant)) return;
  throw new Fault('role_missing', { detail: 'This person has no rights in this tenant.' });
}

/** Returns true where a person has rights in a tenant. */
export function reaches({ tenants }: Pick<PersonEntry, 'tenants'>, tenant: string): boolean {
  return tenants === undefined || tenants.includes(tenant);
}

/** Throws `role_missing` where the person's roles are for some tenants only: the operation concerns all of them. */
export function requireEveryTenant(person: PersonEntry): void {
  if (person.tenants === undefined) return;
  throw new Fault('role_missing', {
    detail: 'This operation concerns every tenant, and this person has rights in some only.',
  });
}

/**
 * Writes the people of a seed file where there are none yet. A second run finds people and does nothing.
 * Throws when the file cannot be read or does not have the right shape.
 */
export async function seedPeople(
  bus: Buckets & AuditStreams,
  clock: BusClock,
  file: string,
): Promise<number> {
  const known = await bus.entries('people').list();
  if (known.length > 0) return 0;
  const { people } = peopleSeedSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  for (const person of people) {
    const operation = {
      kind: 'person',
      verb: 'created',
      tenant: 'all',
      name: person.person,
      by: SEED_AUTHOR,
    };
    await writeEntry({ bus, clock }, { bucket: 'people', key: person.person, value: person }, operation);
  }
  return people.length;
}
