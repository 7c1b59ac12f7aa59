import { trace } from '@opentelemetry/api';
import { z } from 'zod';
import { run } from '../src/run.ts';
import { defineService } from '../src/service.ts';

/** A service that only logs what happens to it. Its parent sends `reject` or `finish`. */
const trivialService = defineService({
  name: 'limiter',
  config: z.object({ FIXTURE_FAILS: z.enum(['at-start', 'to-become-ready']).optional() }),
  start: async (context) => {
    if (context.config.FIXTURE_FAILS === 'at-start')
      throw new Error('the fixture does not start', { cause: new Error('on purpose') });
    if (context.config.FIXTURE_FAILS === 'to-become-ready') {
      context.log.info('waiting');
      await context.clock.sleep(60_000, context.signal);
    }
    trace.getTracer('fixture').startActiveSpan('starting', (span) => {
      context.log.info('inside a span');
      span.end();
    });
    context.signal.addEventListener('abort', () => context.log.info('takes no new work'));
    const finished = Promise.withResolvers<void>();
    process.on('message', (word) => {
      if (word === 'finish') finished.resolve();
      else void Promise.reject(new Error('nobody awaits this', { cause: new Error('on purpose') }));
    });
    process.once('disconnect', () => finished.resolve());
    return {
      url: 'http://127.0.0.1:1',
      [Symbol.asyncDispose]: async () => {
        await finished.promise;
        context.log.info('drained');
      },
    };
  },
});

await run([trivialService]);
