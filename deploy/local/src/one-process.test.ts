import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ONE_PROCESS = path.join(import.meta.dirname, 'one-process.ts');
const COMMON = {
  NATS_URL: 'nats://127.0.0.1:1',
  INTERLOCK_KEYS: 'keys',
  INTERLOCK_KEYRING: 'keyring.jws',
  INTERLOCK_ROOT_KEY: 'A'.repeat(43),
};

const runServices = (...names: string[]) =>
  promisify(execFile)(process.execPath, [ONE_PROCESS, ...names], { env: COMMON });

test('a service that does not exist is refused, and the services are listed', async () => {
  await expect(runServices('limiter', 'limitr')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^unknown service: limitr\. The services are: .*\blimiter\b/),
  });
});

test('[P-one-process] a process runs the services it is given, and needs the variables of no other', async () => {
  // A service that is loaded complains of its own missing variable: that shows which ones were.
  await expect(runServices('limiter')).rejects.toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/^REDIS_URL is not set(?!.*MONGODB_URL)/),
  });
  await expect(runServices('auditor')).rejects.toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/^MONGODB_URL is not set(?!.*REDIS_URL)/),
  });
});
