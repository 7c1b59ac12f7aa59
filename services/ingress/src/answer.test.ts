import { Fault, faultCodes, problemSchema } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { answerHeld, answerRefusal, faultOf } from './answer.ts';

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
    const answer = answerHeld({ call: 'c_1', expiresAt: 5 });
    expect(answer).toMatchObject({ status: 202, body: { call: 'c_1', state: 'held', expiresAt: 5 } });
    expect(answer.headers['location']).toBe('/v1/calls/c_1');
  });
});
