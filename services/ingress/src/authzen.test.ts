import { Fault, type RpcReply, type RpcRequest, sha256 } from '@interlock/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { agentKeys, type IngressFixture, startIngress } from './ingress.fixture.ts';

type Request = RpcRequest<'decider.evaluate'>;
type Reply = RpcReply<'decider.evaluate'>;

let ingress: IngressFixture;
const questions: Request[] = [];
beforeAll(async () => {
  ingress = await startIngress();
  await ingress.decider.serve('decider.evaluate', async (question) => {
    questions.push(question);
    return replyTo(question);
  });
});
afterAll(() => ingress?.[Symbol.asyncDispose]());

/** The text of the note is the verdict that the decider returns. */
function replyTo({ arguments: text }: Request): Reply {
  const { text: wish } = z.object({ text: z.string() }).parse(JSON.parse(text));
  if (wish === 'missing') throw new Fault('policy_missing');
  const verdict = z.enum(['allow', 'ask', 'deny']).parse(wish);
  return { verdict, reasons: [{ rule: 'r', text: wish }], obligations: [], policyDigest: sha256('p') };
}

function evaluation(text: unknown, subject = 'bot', tool = 'note') {
  return {
    subject: { type: 'agent', id: subject },
    action: { name: 'execute_tool' },
    resource: { type: 'tool', id: tool, properties: { arguments: { text } } },
  };
}

const decisionSchema = z.object({
  decision: z.boolean(),
  context: z.looseObject({ evaluation: z.string().default('') }),
});

async function post(
  path: string,
  body: unknown,
  init: { key?: string; headers?: Record<string, string> } = {},
) {
  return await ingress.ask(path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(init.key === undefined ? {} : { key: init.key }),
    headers: { 'content-type': 'application/json', ...init.headers },
  });
}

async function decided(body: unknown, key?: string) {
  const answer = await post('/access/v1/evaluation', body, key === undefined ? {} : { key });
  expect(answer.status).toBe(200);
  return decisionSchema.parse(answer.body);
}

async function decidedAll(body: object, key?: string) {
  const answer = await post('/access/v1/evaluations', body, key === undefined ? {} : { key });
  expect(answer.status).toBe(200);
  return z.object({ evaluations: z.array(decisionSchema) }).parse(answer.body).evaluations;
}

async function refusalOf(evaluated: string) {
  return (await ingress.executor.readCall('acme', evaluated))?.body;
}

describe('[P-authzen] an enforcement point gets no permit', () => {
  test.each([
    ['about another agent without the role for it', evaluation('allow', 'neighbour'), 'policy_denied'],
    ['about an unknown agent', evaluation('allow', 'nobody'), 'policy_denied'],
    ['about an unknown tool', evaluation('allow', 'bot', 'nothing'), 'tool_unknown'],
    ['about arguments that do not fit the tool', evaluation(7), 'arguments_invalid'],
    ['about another action', { ...evaluation('allow'), action: { name: 'read' } }, 'policy_denied'],
    [
      'about another type of resource',
      { ...evaluation('allow'), resource: { type: 'file', id: 'note' } },
      'policy_denied',
    ],
  ])('%s, and the refusal is on the ledger', async (_, question, code) => {
    const asked = questions.length;
    const { decision, context } = await decided(question);
    expect(decision).toBe(false);
    expect(context).toMatchObject({ code });
    expect(questions).toHaveLength(asked);
    expect(await refusalOf(context.evaluation)).toMatchObject({ code, by: 'ingress' });
  });

  test('about an agent of another tenant, whatever its role', async () => {
    const { decision, context } = await decided(evaluation('allow', 'stranger'), agentKeys.gate);
    expect({ decision, code: context['code'] }).toEqual({ decision: false, code: 'policy_denied' });
  });

  test('where policy asks or denies', async () => {
    expect(await decided(evaluation('ask'))).toMatchObject({ decision: false, context: { verdict: 'ask' } });
    expect(await decided(evaluation('deny'))).toMatchObject({
      decision: false,
      context: { verdict: 'deny' },
    });
  });

  test('where no policy is loaded, but an error', async () => {
    const answer = await post('/access/v1/evaluation', evaluation('missing'));
    expect(answer).toMatchObject({ status: 503, body: { code: 'policy_missing' } });
  });

  test.each([
    ['no key', '/access/v1/evaluation', evaluation('allow'), { key: 'x' }, 401],
    ['a body that is not JSON', '/access/v1/evaluation', '{', {}, 400],
    ['a member twice', '/access/v1/evaluation', '{"subject":1,"subject":2}', {}, 400],
    ['no subject', '/access/v1/evaluation', { ...evaluation('allow'), subject: undefined }, {}, 400],
    ['no subject, many', '/access/v1/evaluations', { evaluations: [] }, {}, 400],
    ['too many', '/access/v1/evaluations', { evaluations: Array(51).fill(evaluation('allow')) }, {}, 400],
    ['text', '/access/v1/evaluation', '', { headers: { 'content-type': 'text/plain' } }, 415],
  ])('a request with %s is an error', async (_, path, body, init, status) => {
    expect((await post(path, body, init)).status).toBe(status);
  });
});

describe('[P-authzen] an enforcement point gets the decision of policy', () => {
  test('about itself, decided on everything in its request', async () => {
    const { decision, context } = await decided({
      ...evaluation('allow'),
      context: { purpose: 'to see', time: 'ignored' },
    });
    expect(decision).toBe(true);
    expect(context).toMatchObject({ verdict: 'allow', reasons: [{ rule: 'r', text: 'allow' }] });
    expect(questions.at(-1)).toMatchObject({
      ...{ tenant: 'acme', agent: 'bot', user: 'user-of-bot', session: 'ses-bot', asker: 'bot' },
      ...{ tool: 'note', arguments: '{"text":"allow"}', purpose: 'to see', call: context.evaluation },
    });
  });

  test('about other agents of its tenant where it has the role', async () => {
    expect((await decided(evaluation('allow', 'neighbour'), agentKeys.gate)).decision).toBe(true);
    expect(questions.at(-1)).toMatchObject({ agent: 'neighbour', asker: 'gate' });
  });

  test('about several calls at once, with defaults that each evaluation may replace', async () => {
    const { resource, ...others } = evaluation('allow');
    const decisions = await decidedAll({
      ...others,
      evaluations: [
        { resource },
        evaluation('deny'),
        { resource, subject: { type: 'agent', id: 'gate' } },
        {},
      ],
    });
    expect(decisions.map(({ decision }) => decision)).toEqual([true, false, false, false]);
    expect(decisions[3]?.context).toMatchObject({ code: 'body_invalid', pointer: '/evaluations/3/resource' });
  });

  test('up to the decision at which the semantic of the request stops', async () => {
    const evaluations = ['allow', 'deny', 'ask', 'allow'].map((text) => evaluation(text));
    const withSemantic = async (evaluations_semantic: string, list = evaluations) =>
      (await decidedAll({ evaluations: list, options: { evaluations_semantic } })).map(
        ({ decision }) => decision,
      );
    expect(await withSemantic('execute_all')).toEqual([true, false, false, true]);
    expect(await withSemantic('deny_on_first_deny')).toEqual([true, false]);
    expect(await withSemantic('permit_on_first_permit', evaluations.slice(1))).toEqual([false, false, true]);
  });

  test('once, where a request for several has no list', async () => {
    const answer = await post('/access/v1/evaluations', evaluation('allow'));
    expect(decisionSchema.parse(answer.body).decision).toBe(true);
  });

  test('with its own request id, where that is valid', async () => {
    const headers = { 'x-request-id': 'r-1' };
    const answer = await post('/access/v1/evaluation', evaluation('allow'), { headers });
    expect(answer.headers.get('x-request-id')).toBe('r-1');
  });

  test('at the addresses that the metadata names', async () => {
    const { body } = await ingress.ask('/.well-known/authzen-configuration');
    const metadata = z.record(z.string(), z.string()).parse({ ...body, call: 'x' });
    expect(new URL(metadata['access_evaluation_endpoint'] ?? '').pathname).toBe('/access/v1/evaluation');
    expect(new URL(metadata['access_evaluations_endpoint'] ?? '').pathname).toBe('/access/v1/evaluations');
    const response = await fetch(metadata['access_evaluation_endpoint'] ?? '', {
      method: 'POST',
      headers: { authorization: `Bearer ${agentKeys.bot}`, 'content-type': 'application/json' },
      body: JSON.stringify(evaluation('allow')),
    });
    expect(await response.json()).toMatchObject({ decision: true });
  });
});
