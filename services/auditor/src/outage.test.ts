import { eventually } from '@interlock/testkit';
import { test } from 'vitest';
import { type AuditedBus, newCall, startAuditedBus } from './audited-bus.fixture.ts';
import { auditorService } from './main.ts';

const RECOVERED_WITHIN_MS = 10_000;

/** Starts an auditor, and says whether it is ready. */
async function startAuditor(audited: AuditedBus): Promise<() => Promise<boolean>> {
  const { healthUrl } = await audited.testBus.start([auditorService], { MONGODB_URL: audited.mongo.url });
  return async () => (await fetch(`${healthUrl}/readyz`)).status === 200;
}

const recorded = async (audited: AuditedBus) => (await audited.records.countDocuments()) === 1;

test('[P-recovers] an auditor whose MongoDB hangs is not ready, and records again within ten seconds after it resumes', async () => {
  await using audited = await startAuditedBus();
  const ready = await startAuditor(audited);
  await eventually(ready);
  await audited.mongo.server.pause();
  await audited.refuse(newCall());
  await eventually(async () => !(await ready()));
  audited.mongo.server.resume();
  await eventually(async () => (await ready()) && (await recorded(audited)), RECOVERED_WITHIN_MS);
});

test('an auditor that starts before its MongoDB records within ten seconds after that starts', async () => {
  await using audited = await startAuditedBus();
  await audited.mongo.server.kill();
  const ready = await startAuditor(audited);
  await audited.refuse(newCall());
  await eventually(async () => !(await ready()));
  await audited.mongo.server.restart();
  await eventually(async () => (await ready()) && (await recorded(audited)), RECOVERED_WITHIN_MS);
});
