import { inTrace } from '@interlock/bus';
import {
  answerRequestSchema,
  Fault,
  idSchema,
  newId,
  type OpenApproval,
  type PersonEntry,
  type QuestionEntry,
  questionEntrySchema,
  type Statement,
} from '@interlock/contracts';
import { signStatement } from '@interlock/keys';
import { z } from 'zod';
import type { Management } from './management.ts';
import { requireTenant } from './people.ts';
import { parseInput } from './problem.ts';
import { questionState } from './question-state.ts';
import { openQuestion } from './questions.ts';
import type { Route } from './server.ts';

/** A running approver counts an answer within milliseconds. */
const ACCEPTANCE_TIMEOUT_MS = 5_000;
const ACCEPTANCE_POLL_MS = 25;
/** A person reads the list, and it is one answer: so many questions, and so many bytes of them. */
const LISTED_MAX = 100;
const LISTED_BYTES = 8 * 1_048_576;
const addressSchema = z.strictObject({ tenant: idSchema, call: idSchema });
const querySchema = z.strictObject({ call: idSchema }).partial();

/** Routes of open questions. The question names who may answer; the approver checks it again and decides. */
export function approvalRoutes(management: Management): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/approvals',
      roles: 'person',
      answer: async ({ person, query }) => {
        const { call } = parseInput(querySchema, query, 'query_invalid');
        return await listOpen(management, person, call);
      },
    },
    {
      method: 'GET',
      url: '/v1/approvals/:tenant/:call',
      roles: 'person',
      answer: async ({ person, params }) => {
        const address = parseInput(addressSchema, params, 'id_invalid');
        requireTenant(person, address.tenant);
        const question = await readQuestion(management, address);
        if (!maySee(person, question)) throw new Fault('answer_not_allowed');
        return await questionState(management, address, question);
      },
    },
    {
      method: 'POST',
      url: '/v1/approvals/:tenant/:call',
      roles: 'person',
      answer: async ({ person, params, body }) => {
        const address = parseInput(addressSchema, params, 'id_invalid');
        const answer = parseInput(answerRequestSchema, body);
        requireTenant(person, address.tenant);
        const question = await readQuestion(management, address);
        if (!maySee(person, question)) throw new Fault('answer_not_allowed');
        if (question.state !== 'open') throw new Fault('question_closed');
        if (question.questionDigest !== answer.questionDigest) throw new Fault('answer_mismatch');
        const statement: Statement<'answer'> = {
          type: 'answer',
          answer: newId('ans'),
          ...address,
          ...answer,
          person: person.person,
          channel: 'console',
          issuedAt: management.clock.nowMs(),
        };
        return await submitAnswer(management, statement, question.traceparent);
      },
    },
  ];
}

/** Lists the open questions that a person may see, oldest first, or the one about a call. */
async function listOpen(
  { bus, keys, log }: Management,
  person: PersonEntry,
  call: string | undefined,
): Promise<object> {
  const stored = (await bus.records('questions', questionEntrySchema).list()).map(({ value }) => value);
  const open = stored
    .filter((entry) => entry.state === 'open' && maySee(person, entry))
    .filter(({ question }) => call === undefined || question.call === call)
    .toSorted((left, right) => left.question.askedAt - right.question.askedAt);
  const listed = open.slice(0, Math.max(1, countWithin(open, LISTED_BYTES)));
  const approvals: OpenApproval[] = [];
  const unreadable: { tenant: string; call: string }[] = [];
  for (const entry of listed) {
    try {
      approvals.push(openQuestion(entry, keys.seal));
    } catch (error) {
      const { tenant, call } = entry.question;
      log.warn({ err: error, tenant, call }, 'an open question cannot be opened: it is listed as unreadable');
      unreadable.push({ tenant, call });
    }
  }
  return { approvals, unreadable, more: open.length - listed.length };
}

/** Returns how many of the first questions fit into one list. */
function countWithin(open: readonly QuestionEntry[], bytesMax: number): number {
  let bytes = 0;
  for (const [index, { sealed }] of open.entries()) {
    bytes += sealed?.content.length ?? 0;
    if (index >= LISTED_MAX || bytes > bytesMax) return index;
  }
  return open.length;
}

/** The exact call is for the people who may answer, and for admins. */
function maySee(person: PersonEntry, { question }: QuestionEntry): boolean {
  if (person.tenants !== undefined && !person.tenants.includes(question.tenant)) return false;
  return person.roles.includes('admin') || question.roles.some((role) => person.roles.includes(role));
}

async function readQuestion({ bus }: Management, { tenant, call }: z.infer<typeof addressSchema>) {
  const record = await bus.records('questions', questionEntrySchema).get(`${tenant}.${call}`);
  if (record === undefined) throw new Fault('question_unknown');
  return record.value;
}

/** Publishes the answer and waits until the approver has counted or rejected it. */
async function submitAnswer(
  management: Management,
  statement: Statement<'answer'>,
  traceparent: string | undefined,
): Promise<object> {
  const { bus, clock, keys } = management;
  const { tenant, call, person } = statement;
  const signed = signStatement(statement, keys.sign);
  const answered = { tenant, call, statement: signed };
  await inTrace(traceparent, () => bus.publish('answered', { tenant, call }, answered, 'any'));
  const endMs = clock.monotonicMs() + ACCEPTANCE_TIMEOUT_MS;
  while (clock.monotonicMs() < endMs) {
    const question = await readQuestion(management, { tenant, call });
    const state = stateOfAnswer(question, statement.answer);
    if (state !== undefined) return { tenant, call, state, person };
    await clock.sleep(ACCEPTANCE_POLL_MS);
  }
  throw new Fault('outcome_unknown', {
    detail: 'The answer was submitted, but the approver has not counted it yet.',
    next: 'List the open questions: a question that is no longer open has its answer. The same answer may be sent again.',
  });
}

/** Returns what became of an answer, or undefined while it is not counted. Throws the fault it was rejected with. */
export function stateOfAnswer(question: QuestionEntry, answer: string): 'approved' | 'denied' | undefined {
  const rejected = question.rejected.find((rejection) => rejection.answer === answer);
  if (rejected !== undefined) throw new Fault(rejected.code);
  if (question.state === 'open') return undefined;
  if (question.answer !== answer || question.state === 'expired') throw new Fault('question_closed');
  return question.state;
}
