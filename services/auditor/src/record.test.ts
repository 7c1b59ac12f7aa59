import type { StreamRecord } from '@interlock/bus';
import { canonicalJson, sha256 } from '@interlock/contracts';
import { createTestKeys, makeCall, makeDecided } from '@interlock/testkit';
import { expect, test } from 'vitest';
import { faultOf, genesisOf, type Head, link } from './chain.ts';
import { recordOf, stubOf } from './record.ts';

const created = '2026-01-01T00:00:00Z';
const shut = () => undefined;
const { signingKeyOf } = createTestKeys();

function message(body: unknown, more: Partial<StreamRecord> = {}): StreamRecord {
  const data = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  return {
    stream: 'LEDGER',
    created,
    sequence: 1,
    subject: 'interlock.ledger.v1.refused.acme.call_1',
    step: 'refused',
    storedAtMs: 5,
    data,
    ...more,
  };
}

const box = { sender: 'AA', salt: 'AA', recipients: [{ keyId: 'box_1', key: 'AA' }], content: 'AA' };

for (const [what, data] of [
  ['is not JSON', Buffer.from('{')],
  ['is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ['is not an object', Buffer.from('[1]')],
  ['holds a lone surrogate', Buffer.from('{"a":"\\ud800"}')],
] as const)
  test(`a message that ${what} is recorded by its digest`, () => {
    const record = recordOf(message(data), shut);
    expect(JSON.parse(record.event)).toMatchObject({ stub: expect.any(String), bytes: data.length });
    expect(record).toMatchObject({ sequence: 1, step: 'refused', tenant: 'acme', call: 'call_1' });
    expect(record.digest).toBe(
      sha256(Buffer.concat([Buffer.from('interlock.ledger.v1.refused.acme.call_1\n'), data])),
    );
  });

test('[P-audit-stub] a message too large for the store is recorded by its digest', () => {
  const record = recordOf(message({ text: 'x'.repeat(13 * 1_048_576) }), shut);
  expect(record.event.length).toBeLessThan(200);
});

test('a sealed part that cannot be opened stays as it is', () => {
  const record = recordOf(message({ call: 'call_1', evidence: box }), shut);
  expect(record.evidence).toBeUndefined();
  expect(JSON.parse(record.event)).toMatchObject({ evidence: box });
});

test('tenant and call are those of the subject, whatever the body says', () => {
  const record = recordOf(message({ tenant: 'other', call: 'other', agent: 'clerk' }), shut);
  expect(record).toMatchObject({ tenant: 'acme', call: 'call_1', agent: 'clerk' });
});

test('a question is recorded with the held call that was sealed beside it', () => {
  const call = makeCall({ call: 'call_1', tool: 'pay', keepResult: true });
  const held = { ...makeDecided(call, signingKeyOf('decider'), { verdict: 'ask' }), heldSequence: 1 };
  const body = { question: { call: 'call_1', agent: 'clerk', tool: 'pay', askedAt: 3 }, sealed: box };
  const asked = message(body, {
    stream: 'APPROVALS',
    step: 'asked',
    subject: 'interlock.approval.v1.requested.acme.call_1',
  });
  const record = recordOf(asked, (_, context) =>
    context === 'held:call_1' ? JSON.stringify(held) : undefined,
  );
  expect(record).toMatchObject({ step: 'asked', agent: 'clerk', tool: 'pay', at: 3 });
  expect(record.evidence).toBe(
    canonicalJson({ call: held.call, decision: held.decision, statement: held.statement }),
  );
  expect(record.event).not.toContain('sealed');
});

test('the same messages make the same chain, and each record follows the one before', () => {
  const genesis: Head = { stream: 'LEDGER', created, sequence: 0, hash: genesisOf('LEDGER', created) };
  const make = () =>
    link(
      genesis,
      [1, 2, 3].map((sequence) => recordOf(message({ n: sequence }, { sequence }), shut)),
    );
  const records = make();
  expect(make()).toEqual(records);
  let before = genesis;
  for (const record of records) {
    expect(faultOf(record, before)).toBeUndefined();
    before = record;
  }
  const [first, , third] = records;
  expect(first && third && faultOf(third, first)).toMatchObject({ kind: 'edited' });
});

test('chains of two streams with one name, created at different times, do not mix', () => {
  expect(genesisOf('LEDGER', created)).not.toBe(genesisOf('LEDGER', '2026-01-02T00:00:00Z'));
  const [old, young] = [created, '2026-01-02T00:00:00Z'].map(
    (at) => stubOf(message({}, { created: at }), 'x')._id,
  );
  expect(old).not.toBe(young);
});
