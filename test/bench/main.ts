/** `npm run bench`: direct, floor and line, one after the other, under the same load; then policy. See README.md beside it. */
import { readFile } from 'node:fs/promises';
import type { Environment } from '@interlock/shell';
import { startFloor } from './floor.ts';
import { type Line, startBenchLine } from './line.ts';
import { Generator } from './load.ts';
import { measure, type Plan } from './measure.ts';
import { type Options, plansOf, policyPlanOf, readOptions, USAGE } from './options.ts';
import { measurePolicy } from './policy/measure.ts';
import { failuresOf, type LineMeasured, reportOf, tablesOf } from './report.ts';
import { type BenchUpstream, startBenchUpstream } from './upstream.ts';

const KIBIBYTES_PER_MEBIBYTE = 1_024;

/** One call in a hundred is traced, as a busy installation would: the standard sampler, set from outside. */
const SAMPLED = {
  tracing: 'traceidratio 0.01',
  env: { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' },
} as const;
const TRACED = { tracing: 'every call', env: { OTEL_TRACES_SAMPLER: 'parentbased_always_on' } } as const;

await main();

async function main(): Promise<void> {
  const options = optionsOrUndefined();
  if (options === undefined) return;
  const line = options.only === 'policy' ? undefined : await runAll(options);
  const policy = options.only === 'line' ? undefined : await measurePolicy(policyPlanOf(options), say);
  const report = reportOf(line, policy);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : tablesOf(report));
  const failed = line === undefined ? 0 : failuresOf(line);
  if (failed > 0) {
    say(`${failed} calls failed`);
    process.exitCode = 1;
  }
}

function optionsOrUndefined(): Options | undefined {
  try {
    const options = readOptions(process.argv.slice(2));
    if (!options.help) return options;
    process.stdout.write(USAGE);
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : 'wrong usage'}\n\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}

async function runAll(options: Options) {
  const plans = plansOf(options);
  using generator = new Generator();
  await using upstream = await startBenchUpstream();
  const direct = await measure('direct', upstream.aim, { plan: plans.direct, generator, say });
  const floor = await measureFloor(plans.governed, generator);
  const first = await measureLine(upstream, SAMPLED, { plan: plans.governed, generator });
  const second = options.quick
    ? undefined
    : await measureLine(upstream, TRACED, { plan: plans.governed, generator });
  return { direct, floor, ...first, lineTraced: second?.line };
}

async function measureFloor(plan: Plan, generator: Generator) {
  say('starting the floor');
  await using floor = await startFloor();
  return await measure('floor', floor.aim, { plan, generator, say });
}

async function measureLine(
  upstream: BenchUpstream,
  { tracing, env }: { tracing: string; env: Environment },
  { plan, generator }: { plan: Plan; generator: Generator },
): Promise<{ line: LineMeasured; residentMb: Record<string, number> }> {
  say(`starting the line (tracing: ${tracing})`);
  await using line = await startBenchLine(upstream.url, env);
  const measured = await measure('line', line.aim, { plan, generator, say });
  return { line: { ...measured, tracing }, residentMb: await residentMbOf(line) };
}

/** Resident memory by service, as the kernel reports it. */
async function residentMbOf({ interlock }: Line): Promise<Record<string, number>> {
  const entries = await Promise.all(
    interlock.services.map(async ({ name, pid }) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
      return [name, Math.round(kibibytes / KIBIBYTES_PER_MEBIBYTE)] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
