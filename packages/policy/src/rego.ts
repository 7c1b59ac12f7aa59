/**
 * The fence round OPA's WebAssembly runtime. It asks one entrypoint and gives back a parsed answer or a Fault.
 *
 * 1. Anything but one well-formed document is `policy_error`: a throw, a trap, undefined, a second result.
 * 2. After a throw the instance is replaced: its heap may be in any state.
 * 3. Memory cannot grow past the cap, and an instance that grew much is replaced, because memory never shrinks.
 * 4. A module that needs a function from outside which is not pure and linear is not loaded.
 */
import { createRequire } from 'node:module';
import { Fault, type PolicyAnswer, policyAnswerSchema } from '@interlock/contracts';
import type { LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { z } from 'zod';

// Only the package's CommonJS door has the synchronous loader, without which a lost instance could not be replaced
// within a decision.
const runtime: typeof import('@open-policy-agent/opa-wasm') = createRequire(import.meta.url)(
  '@open-policy-agent/opa-wasm',
);

/** Arguments of 512 KiB, 64 KiB of facts, and room for escapes. */
export const INPUT_MAX_BYTES = 1_048_576;
const PAGE_BYTES = 65_536;
const FIRST_PAGES = 5;
/** 64 MiB: data of a few megabytes parsed, and a largest input many times over. */
export const MEMORY_MAX_BYTES = 1_024 * PAGE_BYTES;
/** An instance that grew by this much since its data was loaded has had an unusual input: it is replaced. */
const GROWTH_MAX_BYTES = 16 * 1_048_576;
const ENTRYPOINT = 'interlock/main/decision';
/**
 * Functions the runtime lends the module. The others it knows run patterns or parsers without a bound on time,
 * and what it does not know would throw in the middle of a decision.
 */
const LENT_FUNCTIONS: ReadonlySet<string> = new Set(['sprintf', 'json.is_valid']);

const resultsSchema = z.tuple([z.strictObject({ result: policyAnswerSchema })]);

/** A policy in memory. It serves one evaluation at a time, which is all that one thread can ask. */
export class Policy {
  readonly #wasm: Uint8Array<ArrayBuffer>;
  readonly #facts: ArrayBuffer;
  #instance: { loaded: LoadedPolicy; firstBytes: number } | undefined;

  /**
   * Compiles a module and loads its data (UTF-8 JSON, an object).
   * Throws `configuration_invalid` when it is not a policy this runtime can run.
   */
  constructor(wasm: Uint8Array<ArrayBuffer>, json: Uint8Array<ArrayBuffer>) {
    this.#wasm = wasm;
    this.#facts = json.slice().buffer;
    try {
      this.#instance = this.#instantiate();
    } catch (cause) {
      throw notLoadable('The policy module does not load.', cause);
    }
    const { loaded } = this.#instance;
    if (!Object.hasOwn(z.record(z.string(), z.int()).parse(loaded.entrypoints), ENTRYPOINT))
      throw notLoadable(`The policy module has no entrypoint ${ENTRYPOINT}.`);
    const foreign = namesOfLentFunctions(loaded).filter((name) => !LENT_FUNCTIONS.has(name));
    if (foreign.length > 0)
      throw notLoadable(`The policy uses functions that are not available: ${foreign.join(', ')}.`);
  }

  /** Bytes of memory the policy holds now. */
  get memoryBytes(): number {
    return this.#instance?.loaded.mem.buffer.byteLength ?? 0;
  }

  /** Asks the policy. Throws `policy_error` where it does not give exactly one well-formed answer. */
  evaluate(input: object): PolicyAnswer {
    const bytes = encode(input);
    if (bytes.byteLength > INPUT_MAX_BYTES) throw undecided('The call is too large for policy to decide.');
    const parsed = resultsSchema.safeParse(this.#ask(bytes));
    if (!parsed.success) throw undecided('Policy gave no well-formed answer.', parsed.error);
    return parsed.data[0].result;
  }

  #ask(bytes: Uint8Array<ArrayBuffer>): unknown {
    try {
      this.#instance ??= this.#instantiate();
      const { loaded, firstBytes } = this.#instance;
      const results: unknown = loaded.evaluate(bytes.buffer, ENTRYPOINT);
      if (loaded.mem.buffer.byteLength - firstBytes > GROWTH_MAX_BYTES) this.#instance = undefined;
      return results;
    } catch (cause) {
      this.#instance = undefined;
      throw undecided('Policy could not decide, so the call was refused.', cause);
    }
  }

  #instantiate(): { loaded: LoadedPolicy; firstBytes: number } {
    const loaded = runtime.loadPolicySync(this.#wasm, {
      initial: FIRST_PAGES,
      maximum: MEMORY_MAX_BYTES / PAGE_BYTES,
    });
    loaded.setData(this.#facts);
    return { loaded, firstBytes: loaded.mem.buffer.byteLength };
  }
}

function encode(input: object): Uint8Array<ArrayBuffer> {
  try {
    return new TextEncoder().encode(JSON.stringify(input));
  } catch (cause) {
    throw undecided('The call is nested too deep for policy to decide.', cause);
  }
}

const exportsSchema = z.object({
  builtins: z.custom<() => number>((value) => typeof value === 'function'),
  opa_json_dump: z.custom<(address: number) => number>((value) => typeof value === 'function'),
});

/** Reads which functions the module expects from outside: a JSON object from names to numbers, zero-terminated. */
function namesOfLentFunctions({ wasmInstance, mem }: LoadedPolicy): string[] {
  const instance = 'instance' in wasmInstance ? wasmInstance.instance : wasmInstance;
  const { builtins, opa_json_dump } = exportsSchema.parse({ ...instance.exports });
  const start = opa_json_dump(builtins());
  const memory = Buffer.from(mem.buffer);
  const text = memory.toString('utf8', start, memory.indexOf(0, start));
  return Object.keys(z.record(z.string(), z.int()).parse(JSON.parse(text)));
}

/** The runtime throws texts and plain objects; a cause chain is made of errors. */
function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

function undecided(detail: string, cause?: unknown): Fault {
  return new Fault('policy_error', cause === undefined ? { detail } : { detail, cause: asError(cause) });
}

function notLoadable(detail: string, cause?: unknown): Fault {
  return new Fault(
    'configuration_invalid',
    cause === undefined ? { detail } : { detail, cause: asError(cause) },
  );
}
