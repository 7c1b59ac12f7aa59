/** Which functions of a WebAssembly module do much without turning in a loop of their own: see metering.ts. */
import { Reader, skipImmediates, skipLocals } from './wasm.ts';

/**
 * As many calls go uncounted before a function counts. Comparing and looking up two values, of which decisions are
 * made, take fewer; counting them too costs a decision a tenth of its time.
 */
const LIGHT_CALLS_MAX = 15;
const OPCODE = { block: 0x02, loop: 0x03, if: 0x04, end: 0x0b, call: 0x10, callIndirect: 0x11 } as const;
/** A call of whatever a table holds. */
const ANY = -1;

/**
 * Returns the numbers of the functions that count each time they start: those that call themselves, directly or
 * through others, and those that make more calls than go uncounted, what the called ones call among them. Calls inside
 * a loop are left out: its turns are counted.
 *
 * @param bodies the code of each function; the first has the number `first`, imported functions stand before it
 */
export function heavyFunctions(bodies: Uint8Array<ArrayBuffer>[], first: number): ReadonlySet<number> {
  const calls = bodies.map(callsOutsideLoops);
  const heavy = new Set<number>();
  const open = new Set<number>();
  const weights = new Map<number, number>();

  /** How many calls go uncounted from when this function starts until it ends. */
  const weigh = (callee: number): number => {
    if (callee === ANY) return LIGHT_CALLS_MAX;
    if (callee < first) return 0;
    const known = weights.get(callee);
    if (known !== undefined) return known;
    if (open.has(callee)) {
      heavy.add(callee);
      return 0;
    }
    open.add(callee);
    const sum = (calls[callee - first] ?? []).reduce((total, next) => total + 1 + weigh(next), 0);
    open.delete(callee);
    if (sum > LIGHT_CALLS_MAX) heavy.add(callee);
    const weight = heavy.has(callee) ? 0 : sum;
    weights.set(callee, weight);
    return weight;
  };

  for (const index of bodies.keys()) weigh(first + index);
  return heavy;
}

function callsOutsideLoops(body: Uint8Array<ArrayBuffer>): number[] {
  const reader = new Reader(body);
  skipLocals(reader);
  const calls: number[] = [];
  const opened: number[] = [];
  while (!reader.done) {
    const opcode = reader.byte();
    const callee = opcode === OPCODE.call ? reader.unsigned() : ANY;
    if (opcode !== OPCODE.call) skipImmediates(opcode, reader);
    const calling = opcode === OPCODE.call || opcode === OPCODE.callIndirect;
    if (calling && !opened.includes(OPCODE.loop)) calls.push(callee);
    if (opcode === OPCODE.block || opcode === OPCODE.loop || opcode === OPCODE.if) opened.push(opcode);
    if (opcode === OPCODE.end) opened.pop();
  }
  return calls;
}
