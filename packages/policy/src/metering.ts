/**
 * A limit on the work of a WebAssembly module, written into the module itself: a counter in a global, decremented at
 * every iteration of every loop and at the start of every function that calls itself or makes many calls, and a trap
 * when it is zero (docs/decisions/014).
 *
 * M1. Between two decrements a module runs a bounded number of instructions: code without a loop, and in it calls of
 *     functions that make few calls themselves (calls.ts). Each instruction has bounded cost: a module with
 *     instructions that work on ranges of memory, or that are not known here, is rejected.
 * M2. The module was valid before it had the counter: so it has no instruction with the index of that global.
 * M3. The same input takes the same number of steps on every machine, however busy: a decision that is within the
 *     limit once is always within it.
 */
import { heavyFunctions } from './calls.ts';
import { concatenated, named, Reader, signed, skipImmediates, skipLocals, unfit, unsigned } from './wasm.ts';

/** The exported name of the counter: a mutable i32 that the host sets before each call. */
export const STEPS_EXPORT = 'interlock.steps';

const HEADER_BYTES = 8;
const SECTION = { custom: 0, import: 2, global: 6, export: 7, code: 10 } as const;
const EXTERNAL_FUNCTION = 0;
const EXTERNAL_GLOBAL = 3;
const OPCODE = {
  unreachable: 0x00,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  getGlobal: 0x23,
  setGlobal: 0x24,
} as const;
const I32 = { type: 0x7f, const: 0x41, eqz: 0x45, sub: 0x6b } as const;
const NO_RESULT = 0x40;
const MUTABLE = 1;

/**
 * Returns the module with a counter that starts at `steps` (below 2^31) and traps when it is zero.
 * Throws `configuration_invalid` for an invalid module, and for instructions that cannot be counted (M1).
 */
export function metered(wasm: Uint8Array<ArrayBuffer>, steps: number): Uint8Array<ArrayBuffer> {
  if (!WebAssembly.validate(wasm)) throw unfit('is not valid');
  const sections = readSections(wasm);
  const globals = sections.find(({ id }) => id === SECTION.global);
  const counter =
    imported(EXTERNAL_GLOBAL, sections) +
    (globals === undefined ? 0 : new Reader(globals.content).unsigned());
  const additions = new Map<number, number[]>([
    [SECTION.global, [I32.type, MUTABLE, I32.const, ...signed(steps), OPCODE.end]],
    [SECTION.export, [...named(STEPS_EXPORT), EXTERNAL_GLOBAL, ...unsigned(counter)]],
  ]);
  const parts = [wasm.subarray(0, HEADER_BYTES)];
  for (const { id, content } of withGlobalAndExport(sections)) {
    const addition = additions.get(id);
    if (addition !== undefined) parts.push(section(id, appended(content, addition)));
    else if (id === SECTION.code)
      parts.push(
        section(id, meteredCode(content, imported(EXTERNAL_FUNCTION, sections), decrementOf(counter))),
      );
    // Custom sections describe the code before it was changed.
    else if (id !== SECTION.custom) parts.push(section(id, content));
  }
  return concatenated(parts);
}

interface Section {
  id: number;
  content: Uint8Array<ArrayBuffer>;
}

function readSections(wasm: Uint8Array<ArrayBuffer>): Section[] {
  const reader = new Reader(wasm);
  reader.skip(HEADER_BYTES);
  const sections: Section[] = [];
  while (!reader.done) sections.push({ id: reader.byte(), content: reader.take(reader.unsigned()) });
  return sections;
}

/** Adds empty sections for globals and exports if there are none; sections are in the order of their ids. */
function withGlobalAndExport(sections: Section[]): Section[] {
  const whole = sections.filter(({ id }) => id !== SECTION.custom);
  for (const id of [SECTION.global, SECTION.export]) {
    if (whole.some((one) => one.id === id)) continue;
    const next = whole.findIndex((one) => one.id > id);
    whole.splice(next === -1 ? whole.length : next, 0, { id, content: Uint8Array.of(0) });
  }
  return whole;
}

/** Returns the number of imports of a kind: their indices come before those of the module's own. */
function imported(wanted: number, sections: Section[]): number {
  const imports = sections.find(({ id }) => id === SECTION.import);
  if (imports === undefined) return 0;
  const reader = new Reader(imports.content);
  const kinds = Array.from({ length: reader.unsigned() }, () => readImport(reader));
  return kinds.filter((kind) => kind === wanted).length;
}

/** Skips one import and returns its kind: function, table, memory or global. */
function readImport(reader: Reader): number {
  reader.take(reader.unsigned());
  reader.take(reader.unsigned());
  const kind = reader.byte();
  if (kind === 1) reader.byte();
  if (kind === 0) reader.unsigned();
  else if (kind === 1 || kind === 2) {
    const bounded = reader.byte() === 1;
    reader.unsigned();
    if (bounded) reader.unsigned();
  } else if (kind === EXTERNAL_GLOBAL) reader.skip(2);
  else throw unfit('has an import of an unknown kind');
  return kind;
}

/** Adds one element to a section that is a list. */
function appended(content: Uint8Array<ArrayBuffer>, element: number[]): Uint8Array<ArrayBuffer> {
  const reader = new Reader(content);
  const count = reader.unsigned();
  return concatenated([Uint8Array.from(unsigned(count + 1)), reader.rest(), Uint8Array.from(element)]);
}

function decrementOf(counter: number): Uint8Array<ArrayBuffer> {
  const index = unsigned(counter);
  return Uint8Array.from([
    ...[OPCODE.getGlobal, ...index, I32.eqz, OPCODE.if, NO_RESULT, OPCODE.unreachable, OPCODE.end],
    ...[OPCODE.getGlobal, ...index, I32.const, 1, I32.sub, OPCODE.setGlobal, ...index],
  ]);
}

/** @param first the index of the module's first own function */
function meteredCode(
  content: Uint8Array<ArrayBuffer>,
  first: number,
  decrement: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const reader = new Reader(content);
  const bodies = Array.from({ length: reader.unsigned() }, () => reader.take(reader.unsigned()));
  const heavy = heavyFunctions(bodies, first);
  const metered = bodies.flatMap((body, index) => {
    const counted = concatenated(meteredBody(body, heavy.has(first + index), decrement));
    return [Uint8Array.from(unsigned(counted.length)), counted];
  });
  return concatenated([Uint8Array.from(unsigned(bodies.length)), ...metered]);
}

function meteredBody(
  body: Uint8Array<ArrayBuffer>,
  isHeavy: boolean,
  decrement: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer>[] {
  const reader = new Reader(body);
  skipLocals(reader);
  const parts = [reader.sinceLast()];
  if (isHeavy) parts.push(decrement);
  while (!reader.done) {
    const opcode = reader.byte();
    skipImmediates(opcode, reader);
    if (opcode === OPCODE.loop) parts.push(reader.sinceLast(), decrement);
  }
  return [...parts, reader.sinceLast()];
}

function section(id: number, content: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return concatenated([Uint8Array.from([id, ...unsigned(content.length)]), content]);
}
