import { inspect } from 'node:util';

const PRINTED = '[secret]';

/** Holds a value that must never be printed. Only `reveal` returns it; whatever else reads it gets `[secret]`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** Returns the value itself. Call it where the bytes leave, and nowhere else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return PRINTED;
  }

  toJSON(): string {
    return PRINTED;
  }

  [inspect.custom](): string {
    return PRINTED;
  }
}
