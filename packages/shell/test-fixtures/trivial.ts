import { z } from 'zod';
import { run } from '../src/run.ts';
import { defineService } from '../src/service.ts';

/** A service that does nothing but say what happens to it. `FIXTURE_FAILS` names how it goes wrong. */
const trivialService = defineService({
  name: 'limiter',
  config: z.object({
    FIXTURE_FAILS: z.enum(['at-start', 'unhandled', 'never-drains']).optional(),
    FIXTURE_PASSWORD: z.string().optional(),
  }),
  start: async (context) => {
    context.health.add('fixture', () => true);
    context.health.show('fixture', () => 'shown');
    if (context.config.FIXTURE_FAILS === 'at-start')
      throw new Error('the fixture does not start', { cause: new Error('on purpose') });
    context.signal.addEventListener('abort', () => context.log.info('told to take no new work'));
    process.on('message', () => {
      void Promise.reject(new Error('nobody awaits this', { cause: new Error('on purpose') }));
    });
    return {
      url: 'http://127.0.0.1:1',
      [Symbol.asyncDispose]: async () => {
        await context.clock.sleep(context.config.FIXTURE_FAILS === 'never-drains' ? 60_000 : 50);
        context.log.info({ password: context.config.FIXTURE_PASSWORD }, 'drained');
      },
    };
  },
});

await run([trivialService]);
