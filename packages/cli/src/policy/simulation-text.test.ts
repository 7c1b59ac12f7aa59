import { expect, test } from 'vitest';
import { type SimulateResult, simulationMarkdown, simulationText } from './simulation-text.ts';

const AT = Date.UTC(2026, 0, 31);
const RESULT: SimulateResult = {
  since: AT,
  until: AT + 1_000,
  comparedWith: 'recorded',
  candidateSource: 'my-interlock/policies',
  candidateDigest: 'd'.repeat(64),
  tookMs: { compiled: 1, fetched: 2, total: 3_000 },
  calls: 5,
  held: 1,
  changed: 1,
  wider: 0,
  narrower: 1,
  base: { allow: 4, ask: 1, deny: 0, error: 0 },
  candidate: { allow: 4, ask: 0, deny: 1, error: 0 },
  changes: [
    {
      tool: 'send_mail',
      from: 'ask',
      to: 'deny',
      rulesBefore: ['sends_external_asks'],
      rulesNow: ['quiet'],
      move: 'narrower',
      calls: 1,
      examples: [{ tenant: 'acme', call: 'c_1', agent: 'clerk', at: AT }],
    },
  ],
  ungrouped: 0,
  unreadable: { calls: 1, reasons: [{ why: '/a|b: <img src=x> @everyone', calls: 1 }] },
};

test('[P-policy-markdown] the report of a simulation as Markdown has the numbers and changes in tables, and nothing recorded becomes Markdown or HTML', () => {
  const markdown = simulationMarkdown(RESULT);
  for (const row of [
    '| base | 4 | 1 | 0 | 0 |',
    '| candidate | 4 | 0 | 1 | 0 |',
    '| ask -\\> deny | send\\_mail | sends\\_external\\_asks -\\> quiet | 1 | c\\_1 |',
  ])
    expect(markdown.split('\n')).toContain(row);
  expect(markdown).toMatch(/^### Policy simulation\n\n5 recorded calls/);
  expect(markdown).not.toMatch(/[^\\][<@]/);
});

test('[P-policy-simulate] the report of a simulation says how many calls were still held, and what the candidate was made of', () => {
  const text = simulationText(RESULT);
  expect(text).toContain('5 recorded calls (1 still held), ');
  expect(text).toContain('candidate  my-interlock/policies (dddddddddddd)');
});
