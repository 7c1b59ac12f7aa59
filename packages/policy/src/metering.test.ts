import { describe, expect, test } from 'vitest';
import { metered, STEPS_EXPORT } from './metering.ts';
import { unsigned } from './wasm.ts';

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const EXPORT_MAIN = [0x07, 0x08, 0x01, 0x04, 0x6d, 0x61, 0x69, 0x6e, 0x00, 0x00];
const ONE_PAGE = [0x05, 0x03, 0x01, 0x00, 0x01];

/** A module of functions from i32 to nothing, the first of them `main`. */
function moduleOf(codes: number[][], { memory = [] as number[] } = {}): Uint8Array<ArrayBuffer> {
  const bodies = codes.flatMap((code) => [code.length + 2, 0x00, ...code, 0x0b]);
  return Uint8Array.from([
    ...HEADER,
    ...[0x01, 0x05, 0x01, 0x60, 0x01, 0x7f, 0x00],
    ...[0x03, codes.length + 1, codes.length, ...codes.map(() => 0x00)],
    ...memory,
    ...EXPORT_MAIN,
    ...[0x0a, ...unsigned(bodies.length + 1), codes.length, ...bodies],
  ]);
}

/** `(loop (br_if 0 (i32.ne (local.tee 0 (i32.sub (local.get 0) 1)) 0)))`: iterates as often as its argument says. */
const turning = [0x03, 0x40, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x41, 0x00, 0x47, 0x0d, 0x00, 0x0b];
/** `(if (local.get 0) (then (call 0 (i32.sub (local.get 0) 1)) (call 0 (i32.sub (local.get 0) 1))))`: 2^n calls. */
const branching = [
  ...[0x20, 0x00, 0x04, 0x40],
  ...[0x20, 0x00, 0x41, 0x01, 0x6b, 0x10, 0x00],
  ...[0x20, 0x00, 0x41, 0x01, 0x6b, 0x10, 0x00],
  0x0b,
];
/** `(call $callee (local.get 0))`, so often. */
const calling = (callee: number, times: number) =>
  Array.from({ length: times }, () => [0x20, 0x00, 0x10, callee]).flat();
/** Each function calls the next one twice, the last one nothing: 2^n calls, and none of itself. */
const doubling = (count: number) => [
  ...Array.from({ length: count }, (_, index) => calling(index + 1, 2)),
  [],
];

function running(codes: number[][], steps: number): { main: (argument: number) => void; left: () => number } {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(metered(moduleOf(codes), steps)));
  const { main, [STEPS_EXPORT]: counter } = exports;
  if (typeof main !== 'function' || !(counter instanceof WebAssembly.Global)) throw new Error('not metered');
  return { main: (argument) => void main(argument), left: () => counter.value };
}

describe('[P-policy-bounded] a module is not run', () => {
  const unfit = expect.objectContaining({ code: 'configuration_invalid' });

  test.each([
    ['that is none', Uint8Array.from(HEADER.slice(1))],
    ['that is cut short', moduleOf([turning]).subarray(0, 40)],
    // `(memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))`
    [
      'that fills memory in one instruction',
      moduleOf([[0x41, 0x00, 0x41, 0x00, 0x41, 0x80, 0x80, 0x04, 0xfc, 0x0b, 0x00]], { memory: ONE_PAGE }),
    ],
    // `(global.set 0 (i32.const 9))`, where there is no global but the counter that is to come.
    ['that would refill its own counter', moduleOf([[0x41, 0x09, 0x24, 0x00]])],
  ])('%s', (_, wasm) => {
    expect(() => metered(wasm, 1)).toThrow(unfit);
  });
});

describe('[P-policy-bounded] a module that is counted', () => {
  test('is stopped in a loop when its last step is taken', () => {
    expect(() => running([turning], 10).main(11)).toThrow(/unreachable/);
    const enough = running([turning], 10);
    enough.main(10);
    expect(enough.left()).toBe(0);
  });

  test('is stopped in calls that branch', () => {
    expect(() => running([branching], 1_000).main(20)).toThrow(/unreachable/);
    const enough = running([branching], 1_000);
    enough.main(8);
    expect(enough.left()).toBe(1_000 - (2 ** 9 - 1));
  });

  test('is stopped in calls that branch and do not return', () => {
    expect(() => running(doubling(30), 1_000).main(0)).toThrow(/unreachable/);
  });

  test('is stopped in functions that call each other', () => {
    expect(() => running([calling(1, 2), calling(0, 2)], 1_000).main(0)).toThrow(/unreachable/);
    expect(() => running([calling(1, 1), [...turning, ...calling(0, 1)]], 1_000).main(1)).toThrow(
      /unreachable/,
    );
  });

  test('counts a function that makes sixteen calls, and none that makes fewer', () => {
    const few = running([calling(1, 15), []], 10);
    few.main(0);
    expect(few.left()).toBe(10);
    const many = running([calling(1, 16), []], 10);
    many.main(0);
    expect(many.left()).toBe(9);
  });

  test('counts the calls of the functions it calls', () => {
    const both = running([calling(1, 3), calling(2, 5), []], 10);
    both.main(0);
    expect(both.left()).toBe(9);
  });

  test('does not count calls inside a loop, whose iterations are counted', () => {
    // `(loop (call 1 (local.get 0)) … (br_if 0 …))`, with more calls than go uncounted.
    const [loop, result, ...rest] = turning;
    const called = running([[loop ?? 0, result ?? 0, ...calling(1, 20), ...rest], []], 10);
    called.main(4);
    expect(called.left()).toBe(6);
  });
});
