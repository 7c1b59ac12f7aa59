/** The report of the bench about policy. */
import { atMost, type Check, table } from '../tables.ts';
import type { PolicyMeasured } from './measure.ts';

/** To reach, in process, with the whole library, a megabyte of data and a hundred rules. */
const P50_US = 200;
const P99_US = 1_000;
/** What V8 may take over a long run; what leaks a hundred bytes a decision takes as much in a million. */
const RESIDENT_GROWTH_MB = 64;
/** An instance that grew by more is replaced. */
const POLICY_GROWTH_MB = 8;
/** Ten thousand recorded calls, the candidate's compilation among it. */
const SIMULATE_SECONDS = 10;

/** Compares what was measured with the targets. */
export function policyChecks({ inProcess, endurance, simulate }: PolicyMeasured): Check[] {
  const { decisions, residentGrowthMb, policyGrowthMb } = endurance;
  return [
    atMost('policy decision p50', inProcess.p50Us, P50_US, 'µs'),
    atMost('policy decision p99', inProcess.p99Us, P99_US, 'µs'),
    growth(`policy memory growth over ${decisions} decisions`, policyGrowthMb, POLICY_GROWTH_MB),
    growth(`resident memory growth over ${decisions} decisions`, residentGrowthMb, RESIDENT_GROWTH_MB),
    ...(simulate === undefined
      ? []
      : [
          atMost(`simulating over ${simulate.calls} recorded calls`, simulate.seconds, SIMULATE_SECONDS, 's'),
        ]),
  ];
}

function growth(name: string, value: number, target: number): Check {
  return { name, value, target, unit: 'MB', met: value <= target };
}

/** Writes what was measured as tables. */
export function policyTables(measured: PolicyMeasured): string {
  const { rules, dataBytes, verdicts, inProcess, opaServer, opaServerRatio } = measured;
  const said = Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  const times = ({ p50Us, p90Us, p99Us }: typeof inProcess) => [p50Us, p90Us, p99Us].map(String);
  return [
    `policy: ${rules} rules, ${dataBytes} bytes of data; calls: ${said.join(', ')}`,
    table([
      ['', 'p50 µs', 'p90 µs', 'p99 µs'],
      ['in process', ...times(inProcess)],
      ['opa run --server over loopback', ...times(opaServer)],
      ['ratio', `${opaServerRatio.p50} x`, '', `${opaServerRatio.p99} x`],
    ]),
    table([
      ['made rules', 'p50 µs', 'p90 µs', 'p99 µs', 'bundle KiB', 'open ms'],
      ...measured.growth.map((one) => [
        String(one.rules),
        ...times(one),
        String(Math.round(one.bundleBytes / 1_024)),
        String(one.openMs),
      ]),
    ]),
  ].join('\n\n');
}
