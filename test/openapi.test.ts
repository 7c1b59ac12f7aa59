import { toolListSchema } from '@interlock/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from './line.ts';
import { type Drawn, judgeOf, requestsOf, sendDrawn } from './openapi-client.ts';
import { documentSchema, type OpenApi, valueFor } from './openapi-values.ts';

/** The same values in every run: a run that fails is one that anybody can repeat. */
fc.configureGlobal({ seed: 20_261_121 });

const START_MS = 100_000;
const RUNS_MS = 300_000;
/** Requests that are under way at once, and rounds of them: eighteen hundred requests. */
const AT_ONCE = 12;
const ROUNDS = 150;

let line: Line;
let document: OpenApi;
beforeAll(async () => {
  line = await startLine({ tools: { slow: { labels: ['writes', 'sends-external'] } } });
  document = documentSchema.parse(await (await fetch(`${line.interlock.ingress}/openapi.json`)).json());
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

/** Returns calls of the tools there are, with arguments that their own schemas take. */
async function callsOfTools() {
  const { tools } = toolListSchema.parse((await line.agent('helper').get('/v1/tools')).body);
  return fc.oneof(
    ...tools.map(({ name, inputSchema }) =>
      fc.record({ tool: fc.constant(name), arguments: valueFor(inputSchema, document) }),
    ),
  );
}

type Calls = Awaited<ReturnType<typeof callsOfTools>>;

/** Returns questions of another enforcement point about such calls (AuthZEN). */
function questionsAbout(calls: Calls) {
  return calls.map(({ tool, arguments: values }) => ({
    subject: { type: 'agent', id: 'helper' },
    action: { name: 'execute_tool' },
    resource: { type: 'tool', id: tool, properties: { arguments: values } },
  }));
}

describe('a client generated from /openapi.json', () => {
  test(
    '[P-ingress-openapi] finds no 500, no undocumented answer and no undocumented body in 1,800 requests',
    async () => {
      const judge = judgeOf(document);
      const made: string[] = [];
      const seen = new Map<string, number>();
      const calls = await callsOfTools();
      const questions = questionsAbout(calls);
      const requests = requestsOf(document, `Bearer ${line.agent('helper').key}`, {
        bodies: {
          '/v1/calls': calls,
          '/access/v1/evaluation': questions,
          '/access/v1/evaluations': fc.record({ evaluations: fc.array(questions, { maxLength: 3 }) }),
        },
        calls: () => made,
      });
      const look = async (drawn: Drawn) => {
        const answered = await sendDrawn(line.interlock.ingress, drawn);
        const call = answered.headers['interlock-call'];
        if (typeof call === 'string' && made.length < 200) made.push(call);
        const kind = `${drawn.operation} ${answered.status}`;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        const wrong = answered.status === 500 ? 'a 500' : judge(drawn, answered);
        return wrong === undefined ? [] : [{ wrong, drawn, answered: answered.text }];
      };
      await fc.assert(
        fc.asyncProperty(fc.array(requests, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (batch) => {
          expect((await Promise.all(batch.map(look))).flat()).toEqual([]);
        }),
        {
          ...{ numRuns: ROUNDS, endOnFailure: true },
          // What was drawn is long; what was wrong with it says it all.
          reporter: ({ failed, seed, errorInstance }) => {
            if (failed) throw new Error(`The seed was ${seed}.`, { cause: errorInstance });
          },
        },
      );
      const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
      expect(total).toBe(AT_ONCE * ROUNDS);
      // The client got everywhere: outcomes, questions, refusals of every kind, and answers about known calls.
      expect([...seen.keys()]).toEqual(
        expect.arrayContaining([
          ...[200, 202, 400, 401, 404, 422].map((status) => `POST /v1/calls ${status}`),
          ...[200, 202, 400, 401, 404].map((status) => `GET /v1/calls/{call} ${status}`),
          ...['GET /v1/tools 200', 'GET /v1/tools 401', 'GET /openapi.json 200'],
          ...[200, 400, 401].map((status) => `POST /access/v1/evaluation ${status}`),
          ...[200, 400, 401].map((status) => `POST /access/v1/evaluations ${status}`),
        ]),
      );
    },
    RUNS_MS,
  );
});
