import type { Buckets } from '@interlock/bus';
import { approvalsEntrySchema, limitsEntrySchema, type Settings } from '@interlock/contracts';
import type { Management } from './management.ts';
import { requireEveryTenant } from './people.ts';
import type { Route } from './server.ts';

/** The route that shows the limits and the rules about approvals in force. They name agents of every tenant. */
export function settingRoutes({ bus }: Pick<Management, 'bus'>): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/settings',
      roles: ['operator', 'reader'],
      answer: async ({ person }) => {
        requireEveryTenant(person);
        return await readSettings(bus);
      },
    },
  ];
}

/** Returns what was applied; absent where none ever was. */
export async function readSettings(bus: Pick<Buckets, 'entries'>): Promise<Settings> {
  const settings = await bus.entries('settings').list();
  const settingOf = (name: string) => settings.find(({ key }) => key === name)?.value;
  const [limits, approvals] = [settingOf('limits'), settingOf('approvals')];
  return {
    ...(limits === undefined ? {} : { limits: limitsEntrySchema.parse(limits) }),
    ...(approvals === undefined ? {} : { approvals: approvalsEntrySchema.parse(approvals) }),
  };
}
