import { Fault, type FaultCode, faultCodes, faultCodesOf, faults } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { answerRefusal } from './answer.ts';
import { describeApi } from './openapi.ts';
import { isDocumented, methodsAt, routeNames, routes, statusesOf } from './routes.ts';

const codeSchema = z.object({
  properties: z.object({ code: z.object({ enum: z.array(z.string()) }).optional() }).optional(),
});
const responseSchema = z.object({
  content: z.record(z.string(), z.object({ schema: codeSchema })),
});
const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ responses: z.record(z.string(), responseSchema) })),
  ),
  components: z.object({ schemas: z.record(z.string(), codeSchema) }),
});

const text = JSON.stringify(describeApi());
const document = documentSchema.parse(JSON.parse(text));

describe("the description of the agents' API", () => {
  test.each(routeNames)(
    '[P-ingress-openapi] names every status and every code that %s may answer',
    (name) => {
      const { method, url, codes } = routes[name];
      const responses =
        document.paths[url.replace(':call', '{call}')]?.[method.toLowerCase()]?.responses ?? {};
      expect(Object.keys(responses).map(Number)).toEqual(statusesOf(name));
      for (const code of codes)
        expect(
          codesIn(responses[faults[code].status]?.content['application/problem+json']?.schema),
        ).toContain(code);
    },
  );

  test('[P-ingress-openapi] names exactly the codes that belong to that API', () => {
    const wanted = faultCodesOf('agents').sort();
    const named = Object.values(document.paths)
      .flatMap((methods) => Object.values(methods))
      .flatMap(({ responses }) => Object.values(responses))
      .flatMap(({ content }) => Object.values(content).flatMap(({ schema }) => codesIn(schema)));
    expect([...new Set(named)].sort()).toEqual(wanted);
    expect(codesIn(document.components.schemas['Problem']).sort()).toEqual(wanted);
    const elsewhere = faultCodes.filter((code) => !faults[code].apis.includes('agents'));
    expect(elsewhere.length).toBeGreaterThan(0);
    for (const code of elsewhere) expect(text).not.toContain(`"${code}"`);
  });

  test('refers to nothing that is not in it', () => {
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) {
      expect(reference).toMatch(/^#\/components\/schemas\//);
      expect(document.components.schemas).toHaveProperty([reference.split('/').at(-1) ?? '']);
    }
  });
});

describe('[P-ingress-openapi] an answer about a call', () => {
  const isNamed = (code: FaultCode) => isDocumented('POST /v1/calls', answerRefusal(new Fault(code), 'c_1'));

  test('has no code of another API', () => {
    for (const code of faultCodes) expect(isNamed(code), code).toBe(faults[code].apis.includes('agents'));
  });

  test('has no status that its route does not name', () => {
    const answer = { status: 418, mediaType: 'application/json', body: {}, headers: {} } as const;
    expect(isDocumented('POST /v1/calls', answer)).toBe(false);
    expect(isDocumented('POST /v1/calls', { ...answer, status: 202 })).toBe(true);
    expect(isDocumented('GET /v1/tools', { ...answer, status: 202 })).toBe(false);
  });
});

describe('an address', () => {
  test.each([
    ['/v1/calls', ['POST']],
    ['/v1/calls/c1', ['GET']],
    ['/v1/tools', ['GET']],
    ['/v1/calls/c1/x', undefined],
    ['/', undefined],
  ])('%s accepts %j', (path, methods) => {
    expect(methodsAt(path)).toEqual(methods);
  });
});

function codesIn(schema: z.infer<typeof codeSchema> | undefined): string[] {
  return schema?.properties?.code?.enum ?? [];
}
