import { eventually } from '@interlock/testkit';
import { test } from 'vitest';
import { type AuditedHouse, newCall, startAuditedHouse } from './house.fixture.ts';
import { auditorService } from './main.ts';

const RECOVERED_WITHIN_MS = 10_000;

/** Starts an auditor, and says whether it is ready. */
async function startAuditor(house: AuditedHouse): Promise<() => Promise<boolean>> {
  const { healthUrl } = await house.house.start([auditorService], { MONGODB_URL: house.mongo.url });
  return async () => (await fetch(`${healthUrl}/readyz`)).status === 200;
}

const recorded = async (house: AuditedHouse) => (await house.records.countDocuments()) === 1;

test('[P-recovers] an auditor whose MongoDB hangs is not ready, and records again within ten seconds of its return', async () => {
  await using house = await startAuditedHouse();
  const ready = await startAuditor(house);
  await eventually(ready);
  await house.mongo.server.pause();
  await house.refuse(newCall());
  await eventually(async () => !(await ready()));
  house.mongo.server.resume();
  await eventually(async () => (await ready()) && (await recorded(house)), RECOVERED_WITHIN_MS);
});

test('an auditor that starts before its MongoDB records within ten seconds of its coming', async () => {
  await using house = await startAuditedHouse();
  await house.mongo.server.kill();
  const ready = await startAuditor(house);
  await house.refuse(newCall());
  await eventually(async () => !(await ready()));
  await house.mongo.server.restart();
  await eventually(async () => (await ready()) && (await recorded(house)), RECOVERED_WITHIN_MS);
});
