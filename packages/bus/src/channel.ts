/** The two-way channel of a call, between the replica of ingress that holds it and its executor: result bodies in frames, and cancellation. */
import { channelSubject, limits } from '@interlock/contracts';
import { LRUCache } from 'lru-cache';
import type { Connection } from './connection.ts';
import { tracedHeaders } from './envelope.ts';

const FRAME_HEADER = 'Interlock-Frame';
const FRAME_PATTERN = /^([0-9]{1,3})\/([0-9]{1,3})$/;
const FRAMES_MAX = Math.ceil(limits.resultBytes / limits.frameBytes);
/** Bodies of which some frames have arrived; beyond it the one that waited longest is dropped. */
const BODIES_MAX = 4_096;

/** Sends a result's body in frames of at most `limits.frameBytes`. */
export function sendResult(
  { nats }: Pick<Connection, 'nats'>,
  replyTo: string,
  call: string,
  body: Uint8Array,
): void {
  const frames = Math.max(1, Math.ceil(body.length / limits.frameBytes));
  for (let index = 0; index < frames; index += 1) {
    nats.publish(
      channelSubject(replyTo, call, 'out'),
      body.subarray(index * limits.frameBytes, (index + 1) * limits.frameBytes),
      { headers: tracedHeaders({ [FRAME_HEADER]: `${index}/${frames}` }) },
    );
  }
}

/** Receives the frames sent to one replica and passes each body on once it is whole. A frame out of order drops its body. */
export function onResult(
  connection: Pick<Connection, 'listen'>,
  replica: string,
  listener: (call: string, body: Uint8Array) => void,
): Promise<void> {
  const bodies = new LRUCache<string, Uint8Array[]>({ max: BODIES_MAX });
  return connection.listen(channelSubject(replica, '*', 'out'), (message) => {
    const call = message.subject.split('.').at(-2);
    const [, index, count] = FRAME_PATTERN.exec(message.headers?.get(FRAME_HEADER) ?? '') ?? [];
    if (call === undefined || Number(count) > FRAMES_MAX) return;
    if (count === '1') return listener(call, message.data);
    const frames = bodies.get(call) ?? [];
    if (frames.length !== Number(index)) return void bodies.delete(call);
    frames.push(message.data);
    bodies.set(call, frames);
    if (frames.length === Number(count)) {
      bodies.delete(call);
      listener(call, Buffer.concat(frames));
    }
  });
}

/** Publishes to the executors that the agent of a call no longer waits. */
export function sendCancel({ nats }: Pick<Connection, 'nats'>, replica: string, call: string): void {
  nats.publish(channelSubject(replica, call, 'in'));
}

/** Calls back with each call whose agent no longer waits. */
export function onCancel(
  connection: Pick<Connection, 'listen'>,
  listener: (call: string) => void,
): Promise<void> {
  return connection.listen(channelSubject('*', '*', 'in'), (message) => {
    const call = message.subject.split('.').at(-2);
    if (call !== undefined) listener(call);
  });
}
