/** Reading and writing WebAssembly modules (Core Specification 2.0, chapter 5: binary format). */
import { Fault } from '@interlock/contracts';

/** Reads a part of a module. Reading beyond its end throws `configuration_invalid`. */
export class Reader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;
  #last = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw unfit('is cut short');
    this.#at += 1;
    return byte;
  }

  /** Skips a LEB128 number of any size. */
  skipNumber(): void {
    while (this.byte() >= 0x80);
  }

  /** An unsigned LEB128 number of 32 bits. */
  unsigned(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw unfit('has a number that is too large');
  }

  skip(count: number): void {
    this.take(count);
  }

  take(count: number): Uint8Array<ArrayBuffer> {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw unfit('is cut short');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  rest(): Uint8Array<ArrayBuffer> {
    return this.take(this.#bytes.length - this.#at);
  }

  /** Returns what was read since the last call of this method. */
  sinceLast(): Uint8Array<ArrayBuffer> {
    const read = this.#bytes.subarray(this.#last, this.#at);
    this.#last = this.#at;
    return read;
  }
}

/** Skips the locals at the beginning of a function's body. */
export function skipLocals(reader: Reader): void {
  for (let groups = reader.unsigned(); groups > 0; groups -= 1) {
    reader.unsigned();
    reader.byte();
  }
}

/** Skips the immediates of an instruction. Throws for one that is not known or works on ranges of memory. */
export function skipImmediates(opcode: number, reader: Reader): void {
  if (opcode === BR_TABLE) {
    for (let targets = reader.unsigned(); targets >= 0; targets -= 1) reader.skipNumber();
  } else if (opcode === PREFIX) {
    if (reader.unsigned() > PREFIXED_CONVERSIONS_LAST) throw uncountable(opcode);
  } else if (opcode === F32_CONST) {
    reader.skip(4);
  } else if (opcode === F64_CONST) {
    reader.skip(8);
  } else {
    const numbers = numbersAfter(opcode);
    if (numbers === undefined) throw uncountable(opcode);
    for (let left = numbers; left > 0; left -= 1) reader.skipNumber();
  }
}

const BR_TABLE = 0x0e;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
const PREFIX = 0xfc;
/** After the prefix, saturating conversions come first; copying and filling of memory and tables follow. */
const PREFIXED_CONVERSIONS_LAST = 7;
/** unreachable, nop, else, end, return, drop, select */
const WITHOUT: ReadonlySet<number> = new Set([0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b]);
/** block, loop, if, br, br_if, call; local and global get, set, tee; memory.size, memory.grow; i32.const, i64.const */
const WITH_ONE: ReadonlySet<number> = new Set([
  ...[0x02, 0x03, 0x04, 0x0c, 0x0d, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x3f, 0x40, 0x41, 0x42],
]);
const CALL_INDIRECT = 0x11;

/** Returns how many LEB128 numbers follow an instruction. */
function numbersAfter(opcode: number): number | undefined {
  const calculates = opcode >= 0x45 && opcode <= 0xc4;
  if (calculates || WITHOUT.has(opcode)) return 0;
  const loadsOrStores = opcode >= 0x28 && opcode <= 0x3e;
  if (loadsOrStores || opcode === CALL_INDIRECT) return 2;
  return WITH_ONE.has(opcode) ? 1 : undefined;
}

function uncountable(opcode: number): Fault {
  return unfit(`has an instruction that cannot be counted (0x${opcode.toString(16)})`);
}

/** Encodes an unsigned LEB128 number. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return [...bytes, left];
}

/** Encodes a number that is not negative as signed LEB128: its last byte must not have the sign bit. */
export function signed(value: number): number[] {
  const bytes = unsigned(value);
  const last = bytes.at(-1) ?? 0;
  return (last & 0x40) === 0 ? bytes : [...bytes.slice(0, -1), last | 0x80, 0];
}

/** Encodes a name: its length and its UTF-8. */
export function named(name: string): number[] {
  const bytes = new TextEncoder().encode(name);
  return [...unsigned(bytes.length), ...bytes];
}

export function concatenated(parts: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Returns the fault of a module that cannot be used. */
export function unfit(what: string): Fault {
  return new Fault('configuration_invalid', { detail: `The policy module ${what}.` });
}
