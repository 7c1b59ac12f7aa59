import { faultCodes, faults } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { describeDoor } from './openapi.ts';
import { isDocumented, methodsAt, routeNames, routes, statusesOf } from './routes.ts';

const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) })),
  ),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

const text = JSON.stringify(describeDoor());
const document = documentSchema.parse(JSON.parse(text));

describe('the description of the door', () => {
  test.each(Object.values(routes))(
    '[P-ingress-openapi] names every status that $method $url may answer',
    (route) => {
      const name = Object.entries(routes).find(([, one]) => one === route)?.[0] ?? '';
      const path = document.paths[route.url.replace(':call', '{call}')];
      const statuses = Object.keys(path?.[route.method.toLowerCase()]?.responses ?? {}).map(Number);
      expect(statuses).toEqual(statusesOf(routesKey(name)));
      for (const code of route.codes) expect(statuses).toContain(faults[code].status);
    },
  );

  test('refers to nothing that is not in it', () => {
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) {
      expect(reference).toMatch(/^#\/components\/schemas\//);
      expect(document.components.schemas).toHaveProperty([reference.split('/').at(-1) ?? '']);
    }
  });

  test('covers every code that a call may be refused with', () => {
    const refusing = faultCodes.filter((code) => !/^(signature|token|name|trace|audit|question)_/.test(code));
    for (const code of refusing) expect(isDocumented('POST /v1/calls', faults[code].status), code).toBe(true);
    expect(isDocumented('POST /v1/calls', 418)).toBe(false);
  });
});

describe('an address', () => {
  test.each([
    ['/v1/calls', ['POST']],
    ['/v1/calls/c1', ['GET']],
    ['/v1/tools', ['GET']],
    ['/v1/calls/c1/x', undefined],
    ['/', undefined],
  ])('%s takes %j', (path, methods) => {
    expect(methodsAt(path)).toEqual(methods);
  });
});

function routesKey(name: string): keyof typeof routes {
  return z.enum(routeNames).parse(name);
}
