import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Plan } from './measure.ts';
import type { PolicyPlan } from './policy/measure.ts';

export const USAGE = `usage: npm run bench -- [options]

Measures, in one run on this machine: a direct call to the upstream, the floor (the same hops between services
that do nothing), and the whole line; then what policy takes for a decision.

  --json             one JSON object on standard output; progress stays on standard error
  --quick            short measurements and one run of the line, in about a minute and a half
  --only <part>      line or policy
  --rates <list>     calls per second of the open loop, separated by commas (100,500,1000)
  --help             this text

The exit code is 0 when it ran, whether or not the targets were met; 1 when it could not run or a call failed
at a rate that the target can take.
`;

const RATES = [100, 500, 1_000];
/** A rate above this is not one of a laptop's. */
const RATE_MAX = 100_000;

export interface Options {
  json: boolean;
  quick: boolean;
  help: boolean;
  rates: number[];
  /** What is measured; without it, everything. */
  only: 'line' | 'policy' | undefined;
}

/** Reads the command line. Throws an Error that says what is wrong with it. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    strict: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      rates: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const { json, quick, help, rates } = values;
  const only = z.enum(['line', 'policy']).optional().safeParse(values.only);
  if (!only.success) throw new Error('--only takes line or policy.');
  return { json, quick, help, rates: rates === undefined ? RATES : readRates(rates), only: only.data };
}

function readRates(text: string): number[] {
  const rates = z.array(z.coerce.number().int().min(1).max(RATE_MAX)).min(1).safeParse(text.split(','));
  if (rates.success) return rates.data;
  throw new Error(`--rates takes whole numbers from 1 to ${RATE_MAX}, separated by commas.`);
}

/** Returns how many decisions policy takes. */
export function policyPlanOf({ quick }: Options): PolicyPlan {
  return quick
    ? { decisions: 4_000, asked: 400, endurance: 10_000, simulated: 0 }
    : { decisions: 100_000, asked: 10_000, endurance: 1_000_000, simulated: 10_000 };
}

/** Returns how long each part takes. What has no processes behind it is warm sooner. */
export function plansOf({ quick, rates }: Options): { direct: Plan; governed: Plan } {
  return quick
    ? {
        direct: { rates, warmUpMs: 300, rateMs: 500, drainMs: 1_000, saturationMs: 500 },
        governed: { rates, warmUpMs: 3_000, rateMs: 1_000, drainMs: 1_000, saturationMs: 1_500 },
      }
    : {
        direct: { rates, warmUpMs: 1_000, rateMs: 5_000, drainMs: 10_000, saturationMs: 4_000 },
        governed: { rates, warmUpMs: 8_000, rateMs: 8_000, drainMs: 40_000, saturationMs: 8_000 },
      };
}
