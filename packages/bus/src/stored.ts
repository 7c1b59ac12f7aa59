/**
 * Events after they were stored, as the server publishes them once more.
 *
 * R1 A service that receives them could also make a consumer, on a bucket it reads, that delivers to this very subject.
 *    Such a message keeps the subject it was stored under, so it is recognised and dropped.
 */
import { type EventBody, type StoredStep, storedPattern } from '@interlock/contracts';
import type { BusContext } from './context.ts';
import { parseBody } from './envelope.ts';

/** Calls back with each event of a step after it was stored, from when it resolves. */
export function onStored<S extends StoredStep>(
  { connection, log }: Pick<BusContext, 'connection' | 'log'>,
  step: S,
  listener: (body: EventBody<S>) => void,
): Promise<void> {
  const pattern = storedPattern(step);
  return connection.listen(pattern, (message) => {
    // R1
    if (!message.subject.startsWith(pattern.slice(0, -1))) {
      const { subject } = message;
      log.error(
        { step, subject },
        'dropped a forged event: it was delivered as stored, from another subject',
      );
      return;
    }
    try {
      listener(parseBody(step, message.data));
    } catch (cause) {
      log.error({ err: cause, step }, 'dropped a stored event that does not have the shape of its step');
    }
  });
}
