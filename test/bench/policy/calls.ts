/** Calls as the decider shows them to policy, drawn from what the rules know and what they do not. */
import { factsSchema, type PolicyInput, sha256 } from '@interlock/contracts';
import { DOMAINS, TABLES, USERS, ZONES } from './rules.ts';

const EPOCH_MS = Date.UTC(2026, 10, 21, 9);
const MINUTES = 1_440;
const TOOL_VERSION = sha256('tool');

/** Returns `count` calls of these tools, the same in every run. */
export function makeCalls(count: number, tools: readonly string[]): PolicyInput[] {
  const chance = chanceOf(20_261_121);
  return Array.from({ length: count }, (_, index) => makeCall(chance, tools, index));
}

function makeCall(chance: Chance, tools: readonly string[], index: number): PolicyInput {
  const user = chance.of(USERS);
  const minuteOfDay = chance.below(MINUTES);
  const sends = chance.below(4) === 0;
  return {
    subject: {
      agent: `agent_${index % 10}`,
      user,
      tenant: 'acme',
      roles: chance.below(10) === 0 ? ['intern'] : ['support', 'finance'],
      proof: 'api_key',
    },
    action: { name: 'execute_tool' },
    tool: {
      name: chance.of(tools),
      version: TOOL_VERSION,
      labels: sends ? ['sends-external', 'writes'] : ['reads-private'],
      firstUse: chance.below(10) === 0,
    },
    arguments: argumentsOf(chance, index),
    facts: factsOf(chance, sends),
    session: {
      id: `session_${index % 50}`,
      labels: chance.below(3) === 0 ? ['read-private', 'saw-untrusted'] : ['read-private'],
      openedAt: EPOCH_MS,
    },
    history: { denied: [] },
    context: {
      time: new Date(EPOCH_MS).toISOString(),
      epochMs: EPOCH_MS,
      local: Object.fromEntries(
        ZONES.map((zone) => [zone, { date: '2026-11-21', weekday: 1 + chance.below(7), minuteOfDay }]),
      ),
      purpose: 'Answer the customer and settle what is open.',
      door: 'executor',
      environment: 'production',
      origin: { address: '10.1.2.3' },
    },
    ...(chance.below(3) === 0 ? { spends: chance.below(1_100) } : {}),
  };
}

function argumentsOf(chance: Chance, index: number): PolicyInput['arguments'] {
  return {
    subject: `word_${chance.below(100)}`,
    customer: { id: index, name: 'Ada Lovelace', tags: ['new', 'vip', 'eu'] },
    body: 'Thank you for your order. It left our warehouse this morning and will be with you in two days. '.repeat(
      4,
    ),
    items: Array.from({ length: 5 }, (_, step) => ({
      sku: `sku-${index}-${step}`,
      amount: step,
      gift: false,
    })),
  };
}

/** Facts as parsers make them: every tool goes somewhere, and its arguments hold SQL, a path, recipients or none of them. */
function factsOf(chance: Chance, sends: boolean): PolicyInput['facts'] {
  const table = chance.of(TABLES);
  const domain = chance.of(DOMAINS);
  const host = chance.of(DOMAINS);
  const path = `${chance.of(['srv', 'home', 'etc'])}/reports/2026/11.csv`;
  const holds = sends ? 'recipients' : chance.of(['sql', 'path', 'nothing']);
  return {
    ...factsSchema.parse({}),
    sql:
      holds === 'sql'
        ? [
            {
              at: '/query',
              readable: true,
              dialect: 'postgresql',
              statements: [
                { kind: 'select', kinds: ['select'], readOnly: true, tables: [table], functions: ['count'] },
              ],
            },
          ]
        : [],
    paths:
      holds === 'path'
        ? [
            {
              at: '/file',
              readable: true,
              path,
              normalized: path,
              absolute: false,
              traverses: false,
              segments: path.split('/'),
            },
          ]
        : [],
    recipients:
      holds === 'recipients'
        ? [{ at: '/to', readable: true, address: `contact.0.1@${domain}`, local: 'contact.0.1', domain }]
        : [],
    destinations: [
      {
        readable: true,
        origin: `https://${host}`,
        host,
        scheme: 'https',
        method: 'POST',
        carries: true,
        firstUse: chance.below(10) === 0,
      },
    ],
  };
}

interface Chance {
  /** A whole number from 0 and below the bound. */
  below: (bound: number) => number;
  of: (things: readonly string[]) => string;
}

/** A linear congruential generator (the constants of Numerical Recipes): even enough, and the same everywhere. */
function chanceOf(seed: number): Chance {
  let state = seed;
  const below = (bound: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  return { below, of: (things) => things[below(things.length)] ?? '' };
}
