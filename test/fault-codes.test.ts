import { type Api, type FaultCode, faultCodes, faults, type ServiceName } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { readSources } from './tidy/sources.ts';

const TABLE = 'packages/contracts/src/faults.ts';
const sources = readSources().filter(({ path, isTest }) => path.endsWith('.ts') && !isTest && path !== TABLE);

/** The API that answers what a service throws: a refusal of a call goes to its agent, the rest to a person. */
const answeredBy: Readonly<Record<ServiceName, Api | undefined>> = {
  ingress: 'agents',
  decider: 'agents',
  limiter: 'agents',
  approver: 'agents',
  broker: 'agents',
  executor: 'agents',
  auditor: 'management',
  console: 'management',
  provisioner: undefined,
};

describe('[P-ingress-openapi] a fault code', () => {
  test('is named by code outside of the table', () => {
    const unused = faultCodes.filter((code) => !sources.some(({ text }) => text.includes(`'${code}'`)));
    expect(unused).toEqual([]);
  });

  test('that helps to repeat a call, and is answered before it starts, stands on the page for clients', () => {
    const page = readSources().find(({ path }) => path === 'docs/clients.md')?.text ?? '';
    const missing = faultCodes.filter((code) => {
      const { apis, retryable } = faults[code];
      const isOfOutcome = code.startsWith('egress_') || code === 'upstream_failed';
      return retryable && apis.includes('agents') && !isOfOutcome && !page.includes(`\`${code}\``);
    });
    expect(missing).toEqual([]);
  });

  test.each(Object.entries(answeredBy))(
    'that %s throws belongs to the API that answers it',
    (service, api) => {
      const wrong = thrownBy(service).filter(
        ({ code }) => api === undefined || !faults[code].apis.includes(api),
      );
      expect(wrong).toEqual([]);
      if (api !== undefined) expect(thrownBy(service).length).toBeGreaterThan(0);
    },
  );
});

function thrownBy(service: string): { code: FaultCode; path: string }[] {
  return sources
    .filter(({ path }) => path.startsWith(`services/${service}/`))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\b(?:new Fault|faultEnding)\(\s*'(\w+)'/g)].flatMap(([, name]) =>
        faultCodes.filter((code) => code === name).map((code) => ({ code, path })),
      ),
    );
}
