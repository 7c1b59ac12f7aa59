import { expect, test } from 'vitest';
import { Queue } from './queue.ts';

test('work is done one after the other in the order in which it came', async () => {
  const queue = new Queue();
  const finishFirst = Promise.withResolvers<void>();
  const order: string[] = [];
  const first = queue.run(async () => {
    order.push('first begins');
    await finishFirst.promise;
    order.push('first ends');
  });
  const second = queue.run(async () => order.push('second begins'));
  expect(queue.size).toBe(2);
  finishFirst.resolve();
  await Promise.all([first, second]);
  expect(order).toEqual(['first begins', 'first ends', 'second begins']);
  expect(queue.size).toBe(0);
});

test('who asks for work gets its result or its error, and the next work is done all the same', async () => {
  const queue = new Queue();
  const failing = queue.run(async () => {
    throw new Error('broken');
  });
  const working = queue.run(async () => 7);
  await expect(failing).rejects.toThrow('broken');
  await expect(working).resolves.toBe(7);
});

test('a queue is idle once everything that came is done, failed work too', async () => {
  const queue = new Queue();
  let done = false;
  queue
    .run(async () => {
      throw new Error('broken');
    })
    .catch(() => undefined);
  void queue.run(async () => {
    done = true;
  });
  await queue.idle();
  expect([done, queue.size]).toEqual([true, 0]);
});
