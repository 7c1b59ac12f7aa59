import { newId } from '@interlock/contracts';
import { eventually, makeRefused, startTestBus } from '@interlock/testkit';
import { expect, test } from 'vitest';
import { provisionerService } from './main.ts';

const SMALL_LEDGER = 65_536;
/** The provisioner looks every few seconds. */
const NOTICED_MS = 20_000;
const TEST_MS = 60_000;

test(
  '[P-streams-bounded] a stream that is more than three fifths full is told of, and so is that it has room again, and calls go on',
  async () => {
    await using testBus = await startTestBus({ ledgerMaxBytes: SMALL_LEDGER });
    await using started = await testBus.start([provisionerService]);
    const [ingress, auditor] = [await testBus.busOf('ingress'), await testBus.busOf('auditor')];
    const readiness = async () => await (await fetch(new URL('/readyz', started.healthUrl))).json();
    const metrics = async () => await (await fetch(new URL('/metrics', started.healthUrl))).text();
    expect(await readiness()).toMatchObject({ ready: true, facts: {} });
    for (;;) {
      const { bytes, maxBytes } = await auditor.streamState('LEDGER');
      if (bytes >= 0.6 * maxBytes) break;
      const call = newId('call');
      await ingress.refuse(
        makeRefused({ tenant: 'acme', agent: 'clerk', call, tool: 'pay' }, testBus.keyring),
      );
    }
    await eventually(async () => {
      expect(await readiness()).toMatchObject({
        ready: true,
        facts: { filling: expect.stringMatching(/^LEDGER 6\d %$/) },
      });
      return true;
    }, NOTICED_MS);
    expect(await metrics()).toMatch(/^interlock_provisioner_stream_used_ratio\{stream="LEDGER"\} 0\.6/m);
    await auditor.purgeBelow('LEDGER', (await auditor.streamState('LEDGER')).lastSequence + 1);
    await eventually(async () => {
      expect(await readiness()).toEqual({ ready: true, checks: expect.anything(), facts: {} });
      return true;
    }, NOTICED_MS);
  },
  TEST_MS,
);
