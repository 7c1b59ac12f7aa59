import { activeTraceparent, connectBus, type Delivery, type EntryWatch, type Next } from '@interlock/bus';
import { type ApprovalsEntry, Fault, questionEntrySchema, type Statement } from '@interlock/contracts';
import { verifyDecision } from '@interlock/gate';
import { verifyStatement } from '@interlock/keys';
import { defineService, run, type ServiceContext } from '@interlock/shell';
import { ask, openQuestion } from './ask.ts';
import { configSchema } from './config.ts';
import { putAnswer, putQuestion, type QuestionParts, questionKey } from './questions.ts';
import { refusalOfAnswered, refusalOfHeld } from './refuse.ts';
import { startRounds } from './rounds.ts';
import { sealHeldCall } from './seal-call.ts';

/** People ask and answer slowly; this many at once is a burst. */
const CONCURRENCY = 32;

/** The approver: puts held calls to people, counts their answers, and lets questions expire. */
export const approverService = defineService({
  name: 'approver',
  config: configSchema,
  async start(context) {
    await using stack = new AsyncDisposableStack();
    const { service, nats, keys, keyring, clock, log, health } = context;
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    const settings = stack.use(await bus.entries('settings').watch());
    const people = stack.use(await bus.entries('people').watch());
    const records = bus.records('questions', questionEntrySchema);
    const parts: Parts = { bus, records, keys, keyring, clock, log, settings, people };
    const rounds = stack.use(await startRounds(parts));
    health.add('bus', () => bus.connected || 'the bus is away');
    health.add('settings', () => settings.current || 'the copy of the settings may be behind');
    health.add('people', () => people.current || 'the copy of the people may be behind');
    stack.use(
      await bus.step('approver', {
        verb: (delivery) => hold(delivery, parts),
        poison: (delivery, fault) => refusalOfHeld(delivery, fault, keyring, clock.nowMs()),
        concurrency: CONCURRENCY,
      }),
    );
    stack.use(
      await bus.step('approver-answered', {
        verb: (delivery) => count(delivery, parts),
        poison: (delivery, fault) => {
          const entry = rounds.seen(questionKey(delivery.address));
          return refusalOfAnswered(delivery, fault, entry, keyring, clock.nowMs());
        },
        concurrency: CONCURRENCY,
      }),
    );
    const owned = stack.move();
    return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

/** A second run is harmless: the question that stands is announced again, which stores nothing. */
async function hold(delivery: Delivery<'held'>, parts: Parts): Promise<Next<'held'> | undefined> {
  const { keyring, clock, settings } = parts;
  const { event, sequence } = delivery;
  try {
    const nowMs = clock.nowMs();
    const decision = verifyDecision(event, 'ask', keyring, nowMs);
    if (Math.min(event.call.notAfter, decision.notAfter) <= nowMs) throw new Fault('deadline_passed');
    const question = ask(event, decision, approvalsIn(settings), nowMs);
    const traceparent = activeTraceparent();
    const entry = openQuestion(question, sealHeldCall(event, sequence, keyring, nowMs));
    await putQuestion(parts, traceparent === undefined ? entry : { ...entry, traceparent });
    return undefined;
  } catch (error) {
    // What passes by itself goes back to the bus and comes again until the call's deadline.
    if (!(error instanceof Fault) || error.code === 'dependency_unavailable') throw error;
    return { step: 'refused', body: refusalOfHeld(delivery, error, keyring, clock.nowMs()) };
  }
}

/** A second run is harmless: an answer that was counted or noted is known by its id. */
async function count({ event, address }: Delivery<'answered'>, parts: Parts): Promise<undefined> {
  const { people, keyring, clock, log } = parts;
  const { tenant, call } = address;
  let answer: Statement<'answer'>;
  try {
    answer = verifyStatement(event.statement, 'answer', keyring, clock.nowMs());
  } catch (error) {
    // It cannot be told from whom it comes, so there is nothing to note beside the question.
    log.warn({ err: error, tenant, call }, 'an answer is not authentic');
    return;
  }
  if (!people.current)
    throw new Fault('dependency_unavailable', { detail: 'The copy of the people may be behind.' });
  // The subject says which question it was sent to: an answer replayed to another one is judged there, and fails.
  const judged = await putAnswer(parts, { answer, sentTo: address }, (person) => people.get(person));
  log.info({ tenant, call, answer: answer.answer, judged }, 'an answer was judged');
}

function approvalsIn(settings: EntryWatch<'settings'>): ApprovalsEntry {
  if (!settings.current)
    throw new Fault('dependency_unavailable', { detail: 'The copy of the settings may be behind.' });
  const entry = settings.get('approvals');
  if (entry === undefined || !('roles' in entry))
    throw new Fault('dependency_unavailable', { detail: 'It was not set yet who may approve.' });
  return entry;
}

type Parts = QuestionParts &
  Pick<ServiceContext<unknown>, 'keyring' | 'clock' | 'log'> & {
    settings: EntryWatch<'settings'>;
    people: EntryWatch<'people'>;
  };

if (import.meta.main) await run([approverService]);
