import type { QuestionEntry } from '@interlock/contracts';
import { approvalsEntrySchema, buckets } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { ask, openQuestion } from './ask.ts';
import { heldEvent, keyring, NOW_MS } from './held-call.fixture.ts';
import { sealHeldCall } from './seal-call.ts';
import { Shares, shares } from './shares.ts';

const { event, decision } = heldEvent();
const sealed = sealHeldCall(event, 1, keyring, NOW_MS);
const made = openQuestion(ask(event, decision, approvalsEntrySchema.parse({}), NOW_MS), sealed);

/** Returns an open question of somebody, with a sealed call of so many bytes. */
function questionOf(tenant: string, agent: string, bytes = 1_000): QuestionEntry {
  return {
    ...made,
    question: { ...made.question, tenant, agent },
    sealed: { ...sealed, content: 'A'.repeat(bytes) },
  };
}

/** Takes questions until one is refused, and returns how many were taken and the refusal. */
function fill(counted: Shares, next: (index: number) => QuestionEntry): { taken: number; refusal: unknown } {
  for (let index = 0; index <= shares.all.questions; index += 1) {
    try {
      counted.take(`key-${index}`, next(index), NOW_MS);
    } catch (refusal) {
      return { taken: index, refusal };
    }
  }
  return expect.unreachable('Nothing was refused.');
}

describe('[P-approval-shares] open questions', () => {
  test('of one agent are limited in number, and the refusal says until when at most', () => {
    const { taken, refusal } = fill(new Shares(), () => questionOf('t', 'greedy'));
    expect(taken).toBe(shares.agent.questions);
    expect(refusal).toMatchObject({
      code: 'approvals_limited',
      retryAfterMs: made.question.expiresAt - NOW_MS,
      detail: expect.stringContaining('of this agent'),
    });
  });

  test('of one agent are limited in bytes', () => {
    const { taken, refusal } = fill(new Shares(), () => questionOf('t', 'greedy', 1_048_576));
    expect(taken).toBe(3);
    expect(refusal).toMatchObject({ code: 'approvals_limited' });
  });

  test('of one tenant are limited, however many agents it has', () => {
    const { taken, refusal } = fill(new Shares(), (index) => questionOf('greedy', `agent-${index}`));
    expect(taken).toBe(shares.tenant.questions);
    expect(refusal).toMatchObject({ detail: expect.stringContaining('of this tenant') });
  });

  test('of all together leave the bucket room to write each of them once more, and as much again', () => {
    expect(2 * shares.all.bytes).toBeLessThan(buckets.questions.maxBytes);
    const { taken } = fill(new Shares(), (index) => questionOf(`tenant-${index}`, 'a'));
    expect(taken).toBe(shares.all.questions);
  });

  test('of others may still be asked when one has used its share up', () => {
    const counted = new Shares();
    fill(counted, () => questionOf('t', 'greedy'));
    expect(() => counted.take('other-agent', questionOf('t', 'modest'), NOW_MS)).not.toThrow();
    expect(() => counted.take('other-tenant', questionOf('u', 'greedy'), NOW_MS)).not.toThrow();
  });

  test('count no longer when they are closed, gone, or could not be written, and one counts once', () => {
    const counted = new Shares();
    const { taken } = fill(counted, () => questionOf('t', 'greedy'));
    const one = questionOf('t', 'greedy');
    const isFull = () => {
      try {
        counted.take('next', one, NOW_MS)();
        return false;
      } catch {
        return true;
      }
    };
    expect(isFull()).toBe(true);
    expect(() => counted.take(`key-${taken - 1}`, one, NOW_MS)).not.toThrow();
    counted.note('key-0', { ...one, state: 'approved' });
    expect(isFull()).toBe(false);
    counted.note('key-0', one);
    expect(isFull()).toBe(true);
    counted.note('key-0', undefined);
    expect(isFull()).toBe(false);
  });

  test.each(['while', 'before'])(
    'still count when they are given back and the bucket had them %s they were written',
    (when) => {
      const counted = new Shares();
      const { taken } = fill(counted, () => questionOf('t', 'greedy'));
      const one = questionOf('t', 'greedy');
      const last = `key-${taken - 1}`;
      counted.note(last, undefined);
      if (when === 'before') counted.note(last, one);
      const giveBack = counted.take(last, one, NOW_MS);
      if (when === 'while') counted.note(last, one);
      giveBack();
      expect(() => counted.take('next', one, NOW_MS)).toThrow();
      counted.note(last, undefined);
      expect(() => counted.take('next', one, NOW_MS)).not.toThrow();
    },
  );
});
