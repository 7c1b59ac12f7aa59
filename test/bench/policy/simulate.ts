/** How long `interlock policy simulate` takes over calls that a running line recorded. */
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { z } from 'zod';
import { runPolicy } from '../../command.ts';
import { type Line, startLine } from '../../line.ts';

/** As many as make the calls quickly without queueing for long. */
const AT_ONCE = 48;
/** The audit catches up at some hundreds of records a second on a busy machine. */
const RECORDED_MS = 300_000;

const simulatedSchema = z.looseObject({
  calls: z.int(),
  tookMs: z.looseObject({ fetched: z.number(), total: z.number() }),
});

export interface SimulateMeasured {
  calls: number;
  /** From the command's start to its end, the candidate's compilation among it. */
  seconds: number;
  /** Until the first recorded calls were there. */
  firstSeconds: number;
}

/** Makes calls on a line of its own and simulates the policy in force over all of them. */
export async function measureSimulation(
  calls: number,
  say: (line: string) => void,
): Promise<SimulateMeasured> {
  say(`policy: making ${calls} calls to simulate over`);
  await using line = await startLine();
  let next = 0;
  const make = async () => {
    for (let index = next++; index < calls; index = next++)
      await line.call('write', { text: `call ${index} ${'of some length '.repeat(20)}` });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, make));
  await eventually(async () => (await recorded(line)) >= calls, RECORDED_MS);
  const startedAt = performance.now();
  const candidate = path.join(line.config, 'policies');
  const { result, stderr } = await runPolicy(line, 'simulate', '--since', '1d', '--candidate', candidate);
  const seconds = (performance.now() - startedAt) / 1_000;
  const simulated = simulatedSchema.safeParse(result);
  if (!simulated.success) throw new Error(`The simulation failed: ${stderr}`);
  const tenths = (value: number) => Math.round(value * 10) / 10;
  const { tookMs } = simulated.data;
  say(`policy: ${simulated.data.calls} recorded calls simulated in ${tenths(seconds)} s`);
  return {
    calls: simulated.data.calls,
    seconds: tenths(seconds),
    firstSeconds: tenths(tookMs.fetched / 1_000),
  };
}

async function recorded(line: Line): Promise<number> {
  const { text } = await line.person('alice').get('/v1/replay?since=0&until=99999999999999');
  return text.trim().split('\n').length - 1;
}
