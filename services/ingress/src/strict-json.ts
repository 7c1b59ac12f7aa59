/**
 * JSON as strict as RFC 8785 needs it: text that two parsers could read differently is refused.
 *
 * J1. `JSON.parse` checks the grammar first, so the scan after it runs over well-formed text and only measures.
 * J2. The scan reads each character once, and its recursion ends at the depth limit.
 * J3. Names are compared after their escapes are resolved: `"a"` and `"\u0061"` are the same member.
 */
import { isUtf8 } from 'node:buffer';
import { Fault, pointerOf } from '@interlock/contracts';

export interface JsonLimits {
  /** Objects and arrays inside each other, the outermost included. */
  depth: number;
  /** One string or member name, UTF-16 units. */
  stringLength: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** JSON's white space is 9, 10, 13 and 32; no other character up to this one occurs between tokens. */
const LAST_SPACE = 0x20;
/** Every integer written in fewer characters than this is held exactly. */
const SHORT_NUMBER = 16;
/** The longest pointer that an event may have. */
const POINTER_LENGTH = 1_024;

/**
 * Parses bytes of JSON and returns the value.
 * Throws `unicode_malformed`, `body_malformed`, `body_duplicate_key`, `body_too_deep` or `string_too_long`, with
 * the JSON Pointer of the place where there is one. No message quotes the text.
 */
export function parseStrictJson(bytes: Buffer, limits: JsonLimits): unknown {
  if (!isUtf8(bytes)) throw new Fault('unicode_malformed', { detail: 'The body is not UTF-8.' });
  const text = bytes.toString('utf8');
  // J1
  const value = parse(text);
  new Scan(text, limits).value(0);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the body, so it is not passed on.
    throw new Fault('body_malformed');
  }
}

/** One pass over text that `JSON.parse` accepted. */
class Scan {
  readonly #text: string;
  readonly #limits: JsonLimits;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string, limits: JsonLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  value(depth: number): void {
    const first = this.#next();
    if (first === OPEN_OBJECT) this.#object(depth + 1);
    else if (first === OPEN_ARRAY) this.#array(depth + 1);
    else if (first === QUOTE) this.#string();
    else if (first === MINUS || (first >= ZERO && first <= NINE)) this.#number();
    else this.#word();
  }

  #object(depth: number): void {
    this.#enter(depth);
    const names = new Set<string>();
    for (let more = this.#next() !== CLOSE_OBJECT; more; more = this.#next() === COMMA && this.#step() > 0) {
      this.#next();
      const name = this.#string();
      this.#path.push(name);
      if (names.has(name)) throw this.#fault('body_duplicate_key');
      names.add(name);
      this.#next();
      this.#step();
      this.value(depth);
      this.#path.pop();
    }
    this.#step();
  }

  #array(depth: number): void {
    this.#enter(depth);
    let index = 0;
    for (let more = this.#next() !== CLOSE_ARRAY; more; more = this.#next() === COMMA && this.#step() > 0) {
      this.#path.push(index);
      this.value(depth);
      this.#path.pop();
      index += 1;
    }
    this.#step();
  }

  #enter(depth: number): void {
    // J2
    if (depth > this.#limits.depth) throw this.#fault('body_too_deep');
    this.#step();
  }

  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (this.#escaped(end)) end = this.#text.indexOf('"', end + 1);
    this.#at = end + 1;
    const raw = this.#text.slice(start + 1, end);
    // J3
    const content = raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw;
    if (content.length > this.#limits.stringLength) throw this.#fault('string_too_long');
    if (!content.isWellFormed()) throw this.#fault('unicode_malformed');
    return content;
  }

  #escaped(quote: number): boolean {
    let before = quote - 1;
    while (this.#text.charCodeAt(before) === BACKSLASH) before -= 1;
    return (quote - before) % 2 === 0;
  }

  #number(): void {
    const start = this.#at;
    this.#word();
    const written = this.#text.slice(start, this.#at);
    const isInteger = !/[.eE]/.test(written);
    if (isInteger && written.length < SHORT_NUMBER) return;
    const held = Number(written);
    if (!Number.isFinite(held) || (isInteger && !isHeld(held, written)))
      throw this.#fault(
        'body_malformed',
        'JSON parsers read a number in the body differently: send it as a string.',
      );
  }

  /** Moves past a number or a literal, which ends at a comma, a bracket or white space. */
  #word(): void {
    let code = this.#text.charCodeAt(this.#at);
    while (code > LAST_SPACE && code !== COMMA && code !== CLOSE_ARRAY && code !== CLOSE_OBJECT) {
      code = this.#text.charCodeAt(this.#step());
    }
  }

  /** Moves to the next token and returns its first character; NaN at the end. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code <= LAST_SPACE) code = this.#text.charCodeAt(this.#step());
    return code;
  }

  #step(): number {
    this.#at += 1;
    return this.#at;
  }

  #fault(code: ConstructorParameters<typeof Fault>[0], detail?: string): Fault {
    // A member name may itself be too long or ill-formed: then there is no pointer.
    const pointer = pointerOf(this.#path);
    const shown = pointer.length <= POINTER_LENGTH && pointer.isWellFormed() ? { pointer } : {};
    return new Fault(code, { ...shown, ...(detail === undefined ? {} : { detail }) });
  }
}

/** True when the text has the very integer that it is read as, or has it as ECMAScript writes that number. */
function isHeld(held: number, written: string): boolean {
  return String(held) === written || BigInt(held) === BigInt(written);
}
