import { Fault, faultCodes, faults, problemSchema, type Question, type Settled } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { answerHeld, answerOutcome, answerRefusal, answerRunning, faultOf } from './answer.ts';

const digest = 'a'.repeat(64);
const question: Question = {
  ...{
    tenant: 'acme',
    agent: 'bot',
    user: 'ann',
    session: 's',
    call: 'c_1',
    tool: 'pay',
    toolVersion: digest,
  },
  ...{ argumentsDigest: digest, callDigest: digest, roles: ['approver', 'treasurer'], separateDuties: true },
  reasons: [{ rule: 'amount_cap', text: 'It spends more than 100.' }],
  ...{ askedAt: 0, expiresAt: Date.UTC(2026, 10, 30, 8) },
};

describe('an answer', () => {
  test.each(faultCodes)('[P-ingress-bad-input] with the code %s is a whole problem document', (code) => {
    const answer = answerRefusal(new Fault(code), 'c_1');
    expect(problemSchema.parse(answer.body)).toMatchObject({ code, status: answer.status, call: 'c_1' });
    expect(answer.headers['interlock-call']).toBe('c_1');
    expect(JSON.stringify(answer.body)).not.toContain('{call}');
  });

  test('[P-limits-headers] rounds the wait up to whole seconds, and names the limit in a form that a header may have', () => {
    const fault = new Fault('rate_limited', { rule: 'per "agent"\r\nx', retryAfterMs: 1_001 });
    expect(answerRefusal(fault).headers).toMatchObject({
      'retry-after': '2',
      ratelimit: '"per__agent___x";r=0;t=2',
    });
  });

  test('does not repeat the message of an unexpected error', () => {
    const fault = faultOf(new TypeError('a secret of the inside'));
    expect(JSON.stringify(answerRefusal(fault).body)).not.toContain('secret');
  });

  test('that the call waits for an approval says where to ask for the outcome and until when', () => {
    const answer = answerHeld(question);
    const { expiresAt } = question;
    expect(answer).toMatchObject({ status: 202, body: { call: 'c_1', state: 'held', expiresAt } });
    expect(answer.headers['location']).toBe('/v1/calls/c_1');
  });
});

describe('[P-answers-advise] what an agent is told', () => {
  const settled: Settled = {
    ...{ tenant: 'acme', agent: 'bot', call: 'c_1', tool: 'pay', at: 0, outcome: 'failed', redactions: 0 },
    ...{ labels: [], executor: 'x', keepResult: true, argumentsDigest: digest },
  };
  const body = (changes: Partial<Settled>, result: object = {}) =>
    answerOutcome({ ...settled, ...changes }, { result, replayed: false }).body;

  test('of a held call: why, who may answer, until when, and how to hear of it', () => {
    expect(answerHeld(question).body).toMatchObject({
      detail:
        'A person must approve this call: one with the role approver or treasurer, and not ann, until 2026-11-30T08:00:00.000Z; after that it is refused. Why: It spends more than 100.',
      next: 'Ask for the outcome at /v1/calls/c_1?wait=30. Do not make it again: it is carried out once a person approves it.',
    });
    expect(answerRunning('c_1').body).toMatchObject({
      next: 'Ask for the outcome at /v1/calls/c_1?wait=30. Do not make it again.',
    });
  });

  test.each([
    [
      { code: 'egress_unreachable' as const },
      /could not be reached. Nothing was sent/,
      /^After a few seconds/,
    ],
    [{ code: 'credential_unknown' as const }, /Nothing was sent/, /not yours to correct/],
    [{ upstreamStatus: 404 }, /answered 404.*It refused the call/, /^Correct the call/],
    [{ upstreamStatus: 429 }, /answered 429.*did not take the call now/, /^Later/],
    [{ upstreamStatus: 500 }, /answered 500.*may have done a part/, /^Find out at the tool/],
    [{ code: 'upstream_failed' as const, upstreamStatus: 502 }, /may have done a part/, /^Find out/],
    [
      { result: { digest, bytes: 2, mediaType: 'a/b' } },
      /answered that it failed.*may have done/,
      /^Find out/,
    ],
  ])(
    'of a call that failed with %j: whether it may have happened, and what to do',
    (changes, detail, next) => {
      expect(body(changes)).toMatchObject({
        detail: expect.stringMatching(detail),
        next: expect.stringMatching(next),
      });
    },
  );

  test.each([undefined, 'outcome_unknown', 'egress_timeout', 'egress_too_large'] as const)(
    'of an unknown outcome (%s): that the call may have been carried out, and to find out first',
    (code) => {
      const said = body({ outcome: 'unknown', ...(code === undefined ? {} : { code }) });
      expect(said).toMatchObject({
        detail: expect.stringMatching(/may have been carried out/),
        next: expect.stringMatching(/^Find out at the tool .* a second time/),
      });
    },
  );

  test('of a success: nothing besides its result, but that a result was not kept', () => {
    expect(body({ outcome: 'succeeded' })).not.toHaveProperty('detail');
    const kept = { outcome: 'succeeded' as const, result: { digest, bytes: 2, mediaType: 'a/b' } };
    expect(body(kept, { result: 1 })).not.toHaveProperty('detail');
    expect(body(kept)).toMatchObject({ detail: expect.stringMatching(/was carried out.*not kept/) });
  });

  test('of a limit: the seconds to wait in the body, and for a budget that it takes a new call', () => {
    const limited = answerRefusal(new Fault('rate_limited', { retryAfterMs: 4_200 }));
    expect(limited.body).toMatchObject({ retryAfter: 5, next: expect.stringContaining('after 5 seconds') });
    const spent = answerRefusal(new Fault('spend_limited', { retryAfterMs: 60_000 }));
    expect(spent.body).toMatchObject({
      retryAfter: 60,
      next: expect.stringMatching(/^Make a new call after 60 seconds/),
    });
  });

  test('of a mistake on our side: that it is not its own to correct', () => {
    for (const code of [
      'tool_unusable',
      'credential_unknown',
      'policy_missing',
      'poison',
      'internal',
    ] as const)
      expect(answerRefusal(new Fault(code)).body).toMatchObject({
        next: expect.stringContaining('not yours to correct'),
      });
  });

  test.each(faultCodes.filter((code) => faults[code].status === 429))(
    'with %s: never to read a header, which a model does not see',
    (code) => {
      expect(faults[code].next).not.toContain('header');
    },
  );
});
