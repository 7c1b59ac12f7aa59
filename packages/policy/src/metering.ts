/**
 * A limit on the work of a WebAssembly module, written into the module itself: a counter in a global, taken from at
 * every turn of every loop and at the start of every function that calls itself or much else, and a trap when it is used
 * up (docs/decisions/014).
 *
 * 1. Between two takings a module runs a bounded number of instructions: a stretch without a loop, and in it calls of
 *    functions that call little themselves (calls.ts). Each instruction is of bounded cost: those that work on whole
 *    stretches of memory, and all that are not known here, make a module unfit.
 * 2. The module was valid before it had the counter: so it names no global of that number, and cannot refill it.
 * 3. The same question takes the same number of steps on every machine, however busy: a decision that is in time
 *    once is in time always.
 */
import { heavyFunctions } from './calls.ts';
import { concatenated, named, Reader, signed, skipImmediates, skipLocals, unfit, unsigned } from './wasm.ts';

/** The name under which the counter is exported: a mutable i32 that the host sets before it calls. */
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
 * Returns the module with a counter that starts at `steps` (below 2^31) and traps the module when it is used up.
 * Throws `configuration_invalid` for what is no module, or has instructions that cannot be counted.
 */
export function metered(wasm: Uint8Array<ArrayBuffer>, steps: number): Uint8Array<ArrayBuffer> {
  if (!WebAssembly.validate(wasm)) throw unfit('is not valid');
  const sections = readSections(wasm);
  const globals = sections.find(({ id }) => id === SECTION.global);
  const counter =
    imported(EXTERNAL_GLOBAL, sections) +
    (globals === undefined ? 0 : new Reader(globals.content).unsigned());
  const counted = new Map<number, number[]>([
    [SECTION.global, [I32.type, MUTABLE, I32.const, ...signed(steps), OPCODE.end]],
    [SECTION.export, [...named(STEPS_EXPORT), EXTERNAL_GLOBAL, ...unsigned(counter)]],
  ]);
  const parts = [wasm.subarray(0, HEADER_BYTES)];
  for (const { id, content } of withBoth(sections)) {
    const addition = counted.get(id);
    if (addition !== undefined) parts.push(section(id, appended(content, addition)));
    else if (id === SECTION.code)
      parts.push(section(id, meteredCode(content, imported(EXTERNAL_FUNCTION, sections), takingOf(counter))));
    // Custom sections describe the code as it was.
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

/** Puts empty sections for globals and exports where there are none; sections stand in the order of their numbers. */
function withBoth(sections: Section[]): Section[] {
  const whole = sections.filter(({ id }) => id !== SECTION.custom);
  for (const id of [SECTION.global, SECTION.export]) {
    if (whole.some((one) => one.id === id)) continue;
    const next = whole.findIndex((one) => one.id > id);
    whole.splice(next === -1 ? whole.length : next, 0, { id, content: Uint8Array.of(0) });
  }
  return whole;
}

/** Returns how many things of this kind the module imports: they are numbered before its own. */
function imported(wanted: number, sections: Section[]): number {
  const imports = sections.find(({ id }) => id === SECTION.import);
  if (imports === undefined) return 0;
  const reader = new Reader(imports.content);
  const kinds = Array.from({ length: reader.unsigned() }, () => readImport(reader));
  return kinds.filter((kind) => kind === wanted).length;
}

/** Reads past one import and returns its kind: function, table, memory or global. */
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
  else throw unfit('imports something unknown');
  return kind;
}

/** Adds one element to a section that is a list. */
function appended(content: Uint8Array<ArrayBuffer>, element: number[]): Uint8Array<ArrayBuffer> {
  const reader = new Reader(content);
  const count = reader.unsigned();
  return concatenated([Uint8Array.from(unsigned(count + 1)), reader.rest(), Uint8Array.from(element)]);
}

function takingOf(counter: number): Uint8Array<ArrayBuffer> {
  const index = unsigned(counter);
  return Uint8Array.from([
    ...[OPCODE.getGlobal, ...index, I32.eqz, OPCODE.if, NO_RESULT, OPCODE.unreachable, OPCODE.end],
    ...[OPCODE.getGlobal, ...index, I32.const, 1, I32.sub, OPCODE.setGlobal, ...index],
  ]);
}

/** @param first the number of the module's first own function */
function meteredCode(
  content: Uint8Array<ArrayBuffer>,
  first: number,
  taking: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const reader = new Reader(content);
  const bodies = Array.from({ length: reader.unsigned() }, () => reader.take(reader.unsigned()));
  const heavy = heavyFunctions(bodies, first);
  const metered = bodies.flatMap((body, index) => {
    const counted = concatenated(meteredBody(body, heavy.has(first + index), taking));
    return [Uint8Array.from(unsigned(counted.length)), counted];
  });
  return concatenated([Uint8Array.from(unsigned(bodies.length)), ...metered]);
}

function meteredBody(
  body: Uint8Array<ArrayBuffer>,
  isHeavy: boolean,
  taking: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer>[] {
  const reader = new Reader(body);
  skipLocals(reader);
  const parts = [reader.sinceLast()];
  if (isHeavy) parts.push(taking);
  while (!reader.done) {
    const opcode = reader.byte();
    skipImmediates(opcode, reader);
    if (opcode === OPCODE.loop) parts.push(reader.sinceLast(), taking);
  }
  return [...parts, reader.sinceLast()];
}

function section(id: number, content: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return concatenated([Uint8Array.from([id, ...unsigned(content.length)]), content]);
}
