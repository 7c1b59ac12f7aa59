import { activeTraceparent, connectBus, type Delivery, type EntryWatch, type Next } from '@interlock/bus';
import { type ApprovalsEntry, Fault, questionEntrySchema, type Statement } from '@interlock/contracts';
import { verifyDecision } from '@interlock/gate';
import { verifyStatement } from '@interlock/keys';
import { defineService, run, type ServiceContext } from '@interlock/shell';
import { ask, openQuestion } from './ask.ts';
import { configSchema } from './config.ts';
import { putAnswer, putQuestion, type QuestionParts, questionKey } from './questions.ts';
import { refusalOfAnswered, refusalOfHeld } from './refuse.ts';
import { sealHeldCall } from './seal-call.ts';
import { Shares } from './shares.ts';
import { type Sweep, startSweep } from './sweep.ts';

/** People ask and answer slowly; this many at once is a burst. */
const CONCURRENCY = 32;

/** The approver: asks people about held calls, applies their answers, and expires questions. */
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
    const shares = new Shares();
    const parts: Parts = { bus, records, shares, keys, keyring, clock, log, settings, people };
    const sweep = stack.use(await startSweep(parts));
    health.add('bus', () => bus.ready);
    health.add('settings', () => settings.current || 'the copy of the settings may be behind');
    health.add('questions', () => sweep.current || 'the copy of the questions may be behind');
    health.add('people', () => people.current || 'the copy of the people may be behind');
    stack.use(
      await bus.step('approver', {
        verb: (delivery) => askPeople(delivery, parts, sweep),
        poison: (delivery, fault) => refusalOfHeld(delivery, fault, keyring, clock.nowMs()),
        concurrency: CONCURRENCY,
      }),
    );
    stack.use(
      await bus.step('approver-answered', {
        verb: (delivery) => receiveAnswer(delivery, parts),
        poison: async (delivery, fault) => {
          const stored = await records.get(questionKey(delivery.address));
          // An answer to no question is about no call.
          return stored && refusalOfAnswered(delivery, fault, stored.value, keyring, clock.nowMs());
        },
        concurrency: CONCURRENCY,
      }),
    );
    const owned = stack.move();
    return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

/** A second run is harmless: the stored question is published again, which stores nothing. */
async function askPeople(
  delivery: Delivery<'held'>,
  parts: Parts,
  { current }: Pick<Sweep, 'current'>,
): Promise<Next<'held'> | undefined> {
  const { keyring, clock, settings } = parts;
  const { event, sequence } = delivery;
  try {
    const nowMs = clock.nowMs();
    const decision = verifyDecision(event, 'ask', keyring, nowMs);
    if (Math.min(event.call.notAfter, decision.notAfter) <= nowMs) throw new Fault('deadline_passed');
    if (!current)
      throw new Fault('dependency_unavailable', { detail: 'The copy of the questions may be behind.' });
    const question = ask(event, decision, approvalsIn(settings), nowMs);
    const traceparent = activeTraceparent();
    const entry = openQuestion(question, sealHeldCall(event, sequence, keyring, nowMs));
    await putQuestion(parts, traceparent === undefined ? entry : { ...entry, traceparent });
    return undefined;
  } catch (error) {
    // After an unavailable dependency the event is delivered again, until the call's deadline.
    if (!(error instanceof Fault) || error.code === 'dependency_unavailable') throw error;
    return { step: 'refused', body: refusalOfHeld(delivery, error, keyring, clock.nowMs()) };
  }
}

/** A second run is harmless: an answer that was applied is known by its id. */
async function receiveAnswer({ event, address }: Delivery<'answered'>, parts: Parts): Promise<undefined> {
  const { people, keyring, clock, log } = parts;
  const { tenant, call } = address;
  let answer: Statement<'answer'>;
  try {
    answer = verifyStatement(event.statement, 'answer', keyring, clock.nowMs());
  } catch (error) {
    // Its sender is not known, so there is nothing to note in the question.
    log.warn({ err: error, tenant, call }, 'an answer was ignored: its signature does not verify');
    return;
  }
  if (!people.current)
    throw new Fault('dependency_unavailable', { detail: 'The copy of the people may be behind.' });
  // The subject names the question it was sent to. An answer that is replayed to another question is rejected there.
  const outcome = await putAnswer(parts, { answer, sentTo: address }, (person) => people.get(person));
  log.info({ tenant, call, answer: answer.answer, outcome }, 'an answer was applied to its question');
}

function approvalsIn(settings: EntryWatch<'settings'>): ApprovalsEntry {
  if (!settings.current)
    throw new Fault('dependency_unavailable', { detail: 'The copy of the settings may be behind.' });
  const entry = settings.get('approvals');
  if (entry === undefined || !('roles' in entry))
    throw new Fault('dependency_unavailable', {
      detail: 'The entry settings/approvals is missing: nobody has said who may approve.',
      next: 'The mistake is not yours to correct: ask the operator of Interlock to apply who may approve. Then send the call again.',
    });
  return entry;
}

type Parts = QuestionParts &
  Pick<ServiceContext<unknown>, 'keyring' | 'clock' | 'log'> & {
    settings: EntryWatch<'settings'>;
    people: EntryWatch<'people'>;
  };

if (import.meta.main) await run([approverService]);
