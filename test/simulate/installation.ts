/** The installation of one round: real processes, each behind a link to NATS of its own, and an upstream that counts. */
import { fileURLToPath } from 'node:url';
import { type ServiceName, services } from '@interlock/contracts';
import { freePort } from '@interlock/testkit';
import { type Line, startLine } from '../line.ts';
import { type Link, openLink } from './link.ts';
import type { Schedule } from './schedule.ts';

const SHIFT = fileURLToPath(new URL('./shift-clock.mjs', import.meta.url));
/** A call that nobody settles is settled by another executor soon, so that a round need not wait for minutes. */
const CLAIM_MS = 4_000;
/** Longer than an outage, so that a question is answered across it; short enough to see it expire. */
const QUESTION_MS = 25_000;
/** `bare` of the line spends 1 each time here: of all its calls of a round at most this many may have an effect. */
export const BUDGET = 10;
const DAY_MS = 86_400_000;

export interface Installation extends AsyncDisposable {
  readonly line: Line;
  readonly links: ReadonlyMap<string, Link>;
}

/** Starts everything for a round and returns once calls work. */
export async function startInstallation({ clock }: Pick<Schedule, 'clock'>): Promise<Installation> {
  await using owned = new AsyncDisposableStack();
  const nats = await freePort();
  const links = new Map<string, Link>();
  for (const service of services) links.set(service, owned.use(await openLink(nats)));
  const envOf = (service: ServiceName) => ({
    NATS_URL: `nats://127.0.0.1:${links.get(service)?.port}`,
    ...(clock?.service === service
      ? { NODE_OPTIONS: `--import=${SHIFT}`, INTERLOCK_TEST_CLOCK_OFFSET_MS: String(clock.offsetMs) }
      : {}),
  });
  const claimed = { claimMs: CLAIM_MS };
  const line = owned.use(
    await startLine({
      tools: {
        write: claimed,
        idem: claimed,
        slow: claimed,
        ask: claimed,
        bare: { ...claimed, ...spending },
      },
      limits: [
        {
          name: 'budget',
          per: ['tenant'],
          match: { tool: 'bare' },
          spend: { amount: BUDGET, windowMs: DAY_MS },
        },
      ],
      approvals: { expiresMs: QUESTION_MS },
      ports: { nats },
      serviceEnv: Object.fromEntries(services.map((service) => [service, envOf(service)])),
    }),
  );
  line.upstream.behave({ kind: 'delay', delayMs: 700 }, '/slow');
  const running = owned.move();
  return { line, links, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

const spending = {
  spends: '/amount',
  credential: { name: 'upstream-token', inject: { as: 'bearer' } },
  inputSchema: {
    type: 'object',
    properties: { text: { type: 'string' }, amount: { type: 'number' } },
    required: ['text', 'amount'],
    additionalProperties: false,
  },
};
