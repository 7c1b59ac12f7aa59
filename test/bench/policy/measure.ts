/** Measures of policy: the time of a decision, in process and over loopback, what a million leave behind, and growth. */
import type { PolicyInput } from '@interlock/contracts';
import type { Policy } from '@interlock/policy';
import { startOpa } from '@interlock/testkit';
import { buildLibraryBundle, buildMadeBundle, type PolicyBundle } from './bundle.ts';
import { measureSimulation, type SimulateMeasured } from './simulate.ts';

const RULES = 100;
const GROWTH = [10, 100, 1_000];
/** A thousand rules take milliseconds a decision. */
const GROWTH_DECISIONS = 2_000;
const MEBIBYTE = 1_048_576;
const MICROSECONDS = 1_000;
/** V8 compiles what it meets often better, and it has met everything by then. */
const WARM_UP_DECISIONS = 5_000;
/** In process and over loopback take turns, so that whatever else the machine does falls on both. */
const ROUNDS = 5;
/** The first part of a long run fills V8's heap and is not counted. */
const FILLING_SHARE = 0.1;

/** How many decisions each part takes. */
export interface PolicyPlan {
  decisions: number;
  asked: number;
  endurance: number;
  /** Recorded calls that are simulated over; none for a short run. */
  simulated: number;
}

/** Times in microseconds. */
export interface Times {
  p50Us: number;
  p90Us: number;
  p99Us: number;
}

export interface PolicyMeasured {
  rules: number;
  dataBytes: number;
  bundleBytes: number;
  openMs: number;
  verdicts: Record<string, number>;
  inProcess: Times;
  /** `opa run --server` with the same sources and data over loopback, one request at a time. */
  opaServer: Times;
  opaServerRatio: { p50: number; p99: number };
  endurance: { decisions: number; residentGrowthMb: number; policyGrowthMb: number };
  /** Of made rules alone. */
  /** `interlock policy simulate` over calls that a line recorded. */
  simulate?: SimulateMeasured;
  growth: (Times & { rules: number; bundleBytes: number; openMs: number })[];
}

/** Measures policy from all sides. */
export async function measurePolicy(plan: PolicyPlan, say: (line: string) => void): Promise<PolicyMeasured> {
  await using bundle = await buildLibraryBundle(RULES);
  const { policy, calls, rules, dataBytes, bundleBytes, openMs } = bundle;
  say(`policy: ${rules} rules, ${dataBytes} bytes of data, opened in ${openMs} ms`);
  const verdicts = verdictsOf(policy, calls);
  const { inProcess, opaServer } = await sideBySide(bundle, plan);
  say(`policy: in process p50 ${inProcess.p50Us} µs, opa over loopback p50 ${opaServer.p50Us} µs`);
  const endurance = endure(policy, calls, plan.endurance);
  say(`policy: ${endurance.decisions} decisions, ${endurance.residentGrowthMb} MB more resident`);
  const growth: PolicyMeasured['growth'] = [];
  for (const count of GROWTH) growth.push(await measureGrowth(count));
  const simulate = plan.simulated === 0 ? undefined : await measureSimulation(plan.simulated, say);
  return {
    ...(simulate === undefined ? {} : { simulate }),
    ...{ rules, dataBytes, bundleBytes, openMs, verdicts, inProcess, opaServer, endurance, growth },
    opaServerRatio: {
      p50: ratio(opaServer.p50Us, inProcess.p50Us),
      p99: ratio(opaServer.p99Us, inProcess.p99Us),
    },
  };
}

async function sideBySide(
  { policy, calls, files }: PolicyBundle,
  { decisions, asked }: PolicyPlan,
): Promise<{ inProcess: Times; opaServer: Times }> {
  await using opa = await startOpa(files);
  const texts = calls.map((call) => JSON.stringify(call));
  const ask = async (index: number) => {
    await opa.ask('interlock/main/decision', texts[index % texts.length] ?? '');
  };
  decide(policy, calls, WARM_UP_DECISIONS);
  for (let index = 0; index < texts.length; index += 1) await ask(index);
  const mine: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    mine.push(...decide(policy, calls, decisions / ROUNDS));
    for (let index = 0; index < asked / ROUNDS; index += 1) {
      const startedAt = performance.now();
      await ask(index);
      theirs.push(performance.now() - startedAt);
    }
  }
  return { inProcess: timesOf(mine), opaServer: timesOf(theirs) };
}

/** Decides again and again, and returns what each decision took in milliseconds. */
function decide(policy: Policy, calls: PolicyInput[], count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const call = calls[index % calls.length] ?? {};
    const startedAt = performance.now();
    policy.evaluate(call);
    return performance.now() - startedAt;
  });
}

function endure(policy: Policy, calls: PolicyInput[], decisions: number): PolicyMeasured['endurance'] {
  const filling = Math.round(decisions * FILLING_SHARE);
  const asMany = (count: number) => {
    for (let index = 0; index < count; index += 1) policy.evaluate(calls[index % calls.length] ?? {});
  };
  asMany(filling);
  const resident = process.memoryUsage.rss();
  const held = policy.memoryBytes;
  asMany(decisions - filling);
  return {
    decisions,
    residentGrowthMb: mebibytes(process.memoryUsage.rss() - resident),
    policyGrowthMb: mebibytes(policy.memoryBytes - held),
  };
}

async function measureGrowth(count: number): Promise<PolicyMeasured['growth'][number]> {
  await using bundle = await buildMadeBundle(count);
  const { policy, calls, rules, bundleBytes, openMs } = bundle;
  decide(policy, calls, GROWTH_DECISIONS);
  return { rules, bundleBytes, openMs, ...timesOf(decide(policy, calls, GROWTH_DECISIONS)) };
}

function verdictsOf(policy: Policy, calls: PolicyInput[]): Record<string, number> {
  const verdicts: Record<string, number> = {};
  for (const call of calls) {
    const { verdict } = policy.evaluate(call);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  }
  return verdicts;
}

function timesOf(timesMs: number[]): Times {
  const sorted = Float64Array.from(timesMs).sort();
  const at = (share: number) =>
    Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * MICROSECONDS);
  return { p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99) };
}

function mebibytes(bytes: number): number {
  return Math.round((bytes / MEBIBYTE) * 10) / 10;
}

function ratio(value: number, base: number): number {
  return base === 0 ? 0 : Math.round((value / base) * 10) / 10;
}
