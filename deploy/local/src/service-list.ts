/** Where the probes of an installation are: written down while it runs, so that `interlock doctor` can ask them. */
import { readIfPresent, writePrivate } from '@interlock/shell';
import { z } from 'zod';
import { dataFiles } from './installation-files.ts';
import type { SupervisedProcess } from './supervise.ts';

const serviceListSchema = z.strictObject({
  processes: z.array(
    z.strictObject({
      name: z.string(),
      /** Of its last start; absent while it has not started. */
      healthUrl: z.url().optional(),
    }),
  ),
});
export type ServiceProcess = z.infer<typeof serviceListSchema>['processes'][number];

/** Writes down every process of services, also one that does not run at the moment. */
export async function writeServiceList(data: string, children: readonly SupervisedProcess[]): Promise<void> {
  const processes = children.map(({ name, ready: [first] }) => ({
    name,
    ...(first === undefined ? {} : { healthUrl: first.healthUrl }),
  }));
  await writePrivate(dataFiles(data).services, `${JSON.stringify({ processes })}\n`);
}

/** Returns the processes of services; undefined where none were started with the data folder, or where they were stopped. */
export async function readServiceList(data: string): Promise<ServiceProcess[] | undefined> {
  const text = await readIfPresent(dataFiles(data).services);
  if (text === undefined) return undefined;
  try {
    return serviceListSchema.parse(JSON.parse(text)).processes;
  } catch {
    return undefined;
  }
}
