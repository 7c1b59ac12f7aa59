import { approverService } from '@interlock/approver';
import { auditorService } from '@interlock/auditor';
import { brokerService } from '@interlock/broker';
import { consoleService } from '@interlock/console';
import { services } from '@interlock/contracts';
import { deciderService } from '@interlock/decider';
import { executorService } from '@interlock/executor';
import { ingressService } from '@interlock/ingress';
import { limiterService } from '@interlock/limiter';
import { provisionerService } from '@interlock/provisioner';
import { commonConfigSchema, variableNames } from '@interlock/shell';
import { expect, test } from 'vitest';
import { commonVariables, ownVariables, variablesOf } from './service-variables.ts';

const definitions = [
  approverService,
  auditorService,
  brokerService,
  consoleService,
  deciderService,
  executorService,
  ingressService,
  limiterService,
  provisionerService,
];

test('every service is given the variables that it reads, and no other service reads them for it', () => {
  const own = (names: string[]) => names.filter((name) => !commonVariables.includes(name)).sort();
  const read = Object.fromEntries(definitions.map(({ name, config }) => [name, own(variableNames(config))]));
  const given = Object.fromEntries(services.map((name) => [name, [...ownVariables[name]].sort()]));
  expect(given).toEqual(read);
  expect([...commonVariables].sort()).toEqual(variableNames(commonConfigSchema).sort());
});

test('what no service reads stays with the one who starts it', () => {
  const secrets = {
    AWS_SECRET_ACCESS_KEY: 'a',
    GITHUB_TOKEN: 'b',
    INTERLOCK_AUTHOR_KEY_FILE: 'c',
    LD_PRELOAD: 'd',
  };
  const env = { ...secrets, PATH: '/bin', REDIS_URL: 'redis://x', MONGODB_URL: 'mongodb://y' };
  expect(variablesOf(['limiter'], env)).toEqual({ PATH: '/bin', REDIS_URL: 'redis://x' });
  expect(variablesOf(services, env)).toEqual({
    PATH: '/bin',
    REDIS_URL: 'redis://x',
    MONGODB_URL: 'mongodb://y',
  });
});
