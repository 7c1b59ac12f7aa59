/** The functions of a WebAssembly module that are counted when they start: see metering.ts. */
import { Reader, skipImmediates, skipLocals } from './wasm.ts';

/**
 * A function that makes more calls is counted. Comparing and looking up two values, of which decisions consist, makes
 * fewer; counting them too would cost a tenth of the time of a decision.
 */
const LIGHT_CALLS_MAX = 15;
const OPCODE = { block: 0x02, loop: 0x03, if: 0x04, end: 0x0b, call: 0x10, callIndirect: 0x11 } as const;
/** A call of any function in a table. */
const ANY = -1;

/**
 * Returns the indices of the functions that are counted when they start: those that call themselves, directly or
 * through others, and those that make more than `LIGHT_CALLS_MAX` calls, including the calls of the functions they call.
 * Calls inside a loop are left out: its iterations are counted.
 *
 * @param bodies the code of each function; the first has the index `first`, after the imported functions
 */
export function heavyFunctions(bodies: Uint8Array<ArrayBuffer>[], first: number): ReadonlySet<number> {
  const calls = bodies.map(callsOutsideLoops);
  const heavy = new Set<number>();
  const open = new Set<number>();
  const weights = new Map<number, number>();

  /** Returns the number of uncounted calls from the start of a function to its end. */
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
