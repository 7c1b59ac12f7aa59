/** The report of the bench: one JSON object, or tables for a person. */
import type { RateResult } from './load.ts';
import type { Measured } from './measure.ts';
import type { PolicyMeasured } from './policy/measure.ts';
import { policyChecks, policyTables } from './policy/report.ts';
import { atLeast, atMost, type Check, ratio, table } from './tables.ts';

/** To reach, of the line: a share of the floor's saturation, multiples of its latencies, and memory. */
const SATURATION_RATIO = 0.5;
const P50_RATIO = 1.6;
const P99_RATIO = 2;
const RESIDENT_MB = 150;
const TARGET_RATE = 500;

export interface LineMeasured extends Measured {
  /** Which calls were traced: `none`, or a share of them, with the console as collector. */
  tracing: string;
}

export interface Results {
  direct: Measured;
  floor: Measured;
  line: LineMeasured;
  /** The line with every call traced; only in a full run. */
  lineTraced: LineMeasured | undefined;
  /** Resident memory of each service after the load. */
  residentMb: Record<string, number>;
}

export interface Report extends Partial<Results> {
  name: 'bench';
  passed: boolean;
  checks: Check[];
  policy?: PolicyMeasured;
}

/** Compares results with the targets. */
export function reportOf(results: Results | undefined, policy: PolicyMeasured | undefined): Report {
  const checks = [
    ...(results === undefined ? [] : lineChecks(results)),
    ...(policy === undefined ? [] : policyChecks(policy)),
  ];
  const passed = checks.every(({ met }) => met);
  return { name: 'bench', passed, checks, ...results, ...(policy === undefined ? {} : { policy }) };
}

function lineChecks({ floor, line, residentMb }: Results): Check[] {
  return [
    atLeast(
      'line saturation / floor saturation',
      ratio(line.saturationPerSecond, floor.saturationPerSecond),
      SATURATION_RATIO,
      'x',
    ),
    ...latencyChecks(floor, line),
    ...Object.entries(residentMb).map(([service, mb]) =>
      atMost(`resident memory of ${service}`, mb, RESIDENT_MB, 'MB'),
    ),
  ];
}

/** A rate that was not measured has no target. */
function latencyChecks(floor: Measured, line: Measured): Check[] {
  const below = floor.rates.find(({ rate }) => rate === TARGET_RATE);
  const above = line.rates.find(({ rate }) => rate === TARGET_RATE);
  if (below === undefined || above === undefined) return [];
  const checks = [
    atMost(`line p50 / floor p50 at ${TARGET_RATE}/s`, ratio(above.p50Ms, below.p50Ms), P50_RATIO, 'x'),
    atMost(`line p99 / floor p99 at ${TARGET_RATE}/s`, ratio(above.p99Ms, below.p99Ms), P99_RATIO, 'x'),
  ];
  // A quotient of two queues means nothing: both must have kept up with the rate.
  const keptUp = [floor, line].every(({ saturationPerSecond }) => saturationPerSecond >= TARGET_RATE);
  const answered = below.failed === 0 && above.failed === 0;
  return checks.map((check) => ({ ...check, met: check.met && keptUp && answered }));
}

/** Counts the calls that failed where none should have: in saturation, and at rates below it. */
export function failuresOf({ direct, floor, line, lineTraced }: Results): number {
  const measured = [direct, floor, line, ...(lineTraced === undefined ? [] : [lineTraced])];
  return measured
    .flatMap(({ rates, saturationPerSecond, saturationFailed }) => [
      saturationFailed,
      ...rates.filter(({ rate }) => rate <= saturationPerSecond).map(({ failed }) => failed),
    ])
    .reduce((sum, failed) => sum + failed, 0);
}

/** Writes a report as tables. */
export function tablesOf({ direct, floor, line, lineTraced, policy, checks }: Report): string {
  const measured = direct && floor && line ? [lineTables({ direct, floor, line, lineTraced })] : [];
  return [
    ...measured,
    ...(policy === undefined ? [] : [policyTables(policy)]),
    table([
      ['check', 'value', 'target', ''],
      ...checks.map(({ name, value, target, unit, met }) => [
        name,
        `${value} ${unit}`,
        `${target} ${unit}`,
        met ? 'met' : 'not met',
      ]),
    ]),
    '',
  ].join('\n\n');
}

function lineTables({ direct, floor, line, lineTraced }: Omit<Results, 'residentMb'>): string {
  const measured: [string, Measured][] = [
    ['direct', direct],
    ['floor', floor],
    [`line (tracing: ${line.tracing})`, line],
    ...(lineTraced === undefined
      ? []
      : [[`line (tracing: ${lineTraced.tracing})`, lineTraced] satisfies [string, Measured]]),
  ];
  const rows = measured.flatMap(([name, { rates, saturationPerSecond }]) => [
    ...rates.map((result) => [name, ...rowOf(result)]),
    [name, 'saturation', '', '', '', '', `${saturationPerSecond}/s`],
  ]);
  return table([['', 'rate', 'p50 ms', 'p90 ms', 'p99 ms', 'failed', ''], ...rows]);
}

function rowOf({ rate, p50Ms, p90Ms, p99Ms, failed }: RateResult): string[] {
  return [`${rate}/s`, String(p50Ms), String(p90Ms), String(p99Ms), String(failed), ''];
}
