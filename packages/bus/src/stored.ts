/** Hearing of events once they are on disk, as the server publishes them again. */
import { type EventBody, type StoredStep, storedPattern } from '@interlock/contracts';
import type { BusLog } from './bus.ts';
import type { Connection } from './connection.ts';
import { parseBody } from './envelope.ts';

/**
 * Tells of each event of a step after it was stored. A service that hears them too could make a consumer on a bucket
 * it reads deliver to this very subject; such a message keeps the subject it was stored under, so it is told apart.
 */
export function hearStored<S extends StoredStep>(
  connection: Connection,
  log: BusLog,
  step: S,
  listener: (body: EventBody<S>) => void,
): Promise<void> {
  const pattern = storedPattern(step);
  return connection.listen(pattern, (message) => {
    if (!message.subject.startsWith(pattern.slice(0, -1))) {
      log.error({ step, subject: message.subject }, 'what was never stored came as a stored event');
      return;
    }
    try {
      listener(parseBody(step, message.data));
    } catch (cause) {
      log.error({ err: cause, step }, 'a stored event could not be read');
    }
  });
}
