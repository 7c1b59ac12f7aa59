/**
 * The fence round OPA's WebAssembly runtime. It asks an entrypoint and gives back a parsed answer or a Fault.
 *
 * 1. Anything but one well-formed document is `policy_error`: a throw, a trap, undefined, a second result.
 * 2. After a throw the instance is replaced: its heap may be in any state.
 * 3. Memory cannot grow past the cap, and an instance that grew much is replaced, because memory never shrinks.
 * 4. A module that needs a function from outside is not loaded: whatever a policy does, it does under these limits.
 * 5. Nothing of a module runs without a limit on its work, which is a limit on its time: see metering.ts.
 */
import { createRequire } from 'node:module';
import {
  Fault,
  type PolicyAnswer,
  type PolicyExplanation,
  policyAnswerSchema,
  policyExplanationSchema,
} from '@interlock/contracts';
import type { LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { z } from 'zod';
import { metered, STEPS_EXPORT } from './metering.ts';

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
const GROWTH_MAX_BYTES = 8 * 1_048_576;
/**
 * About 100 ms of a processor of today, and two thousand times what a decision of a hundred rules takes; the largest
 * arguments take at most a fifth of it. No other call is decided meanwhile.
 */
export const DECISION_STEPS_MAX = 64_000_000;
/** About a second: a megabyte of data takes one and a half million steps. */
const LOAD_STEPS_MAX = 500_000_000;

/** What can be asked of a policy. */
export const ENTRYPOINTS = {
  decision: 'interlock/main/decision',
  explanation: 'interlock/main/explanation',
} as const;

const answersSchema = z.tuple([z.strictObject({ result: policyAnswerSchema })]);
const explanationsSchema = z.tuple([z.strictObject({ result: policyExplanationSchema })]);

interface Instance {
  loaded: LoadedPolicy;
  /** How many steps it may still take. */
  steps: { value: number };
  /** Memory it took to load the data. */
  firstBytes: number;
}

/** A policy in memory. It serves one evaluation at a time, which is all that one thread can ask. */
export class Policy {
  readonly #module: WebAssembly.Module;
  readonly #facts: ArrayBuffer;
  #instance: Instance | undefined;

  /**
   * Compiles a module and loads its data (UTF-8 JSON, an object).
   * Throws `configuration_invalid` when it is not a policy this runtime can run.
   */
  constructor(wasm: Uint8Array<ArrayBuffer>, json: Uint8Array<ArrayBuffer>) {
    this.#facts = json.slice().buffer;
    try {
      this.#module = new WebAssembly.Module(metered(wasm, LOAD_STEPS_MAX));
      this.#instance = this.#instantiate();
    } catch (cause) {
      throw notLoadable('The policy module does not load.', cause);
    }
    const { loaded } = this.#instance;
    const entrypoints = z.record(z.string(), z.int()).parse(loaded.entrypoints);
    for (const entrypoint of Object.values(ENTRYPOINTS)) {
      if (!Object.hasOwn(entrypoints, entrypoint))
        throw notLoadable(`The policy module has no entrypoint ${entrypoint}.`);
    }
    const foreign = namesOfForeignFunctions(loaded);
    if (foreign.length > 0)
      throw notLoadable(`The policy uses functions that are not available: ${foreign.join(', ')}.`);
  }

  /** Bytes of memory the policy holds now. */
  get memoryBytes(): number {
    return this.#instance?.loaded.mem.buffer.byteLength ?? 0;
  }

  /** Asks for the decision. Throws `policy_error` where the policy does not give exactly one well-formed answer in time. */
  evaluate(input: object): PolicyAnswer {
    const parsed = answersSchema.safeParse(this.#ask(ENTRYPOINTS.decision, input));
    if (!parsed.success) throw undecided('Policy gave no well-formed answer.', parsed.error);
    return parsed.data[0].result;
  }

  /** Asks for everything every rule says, also what the decision passes over. Throws `policy_error` as `evaluate` does. */
  explain(input: object): PolicyExplanation {
    const parsed = explanationsSchema.safeParse(this.#ask(ENTRYPOINTS.explanation, input));
    if (!parsed.success) throw undecided('Policy gave no well-formed explanation.', parsed.error);
    return parsed.data[0].result;
  }

  #ask(entrypoint: string, input: object): unknown {
    const bytes = encode(input);
    if (bytes.byteLength > INPUT_MAX_BYTES) throw undecided('The call is too large for policy to decide.');
    try {
      this.#instance ??= this.#instantiate();
      const { loaded, steps, firstBytes } = this.#instance;
      steps.value = DECISION_STEPS_MAX;
      const results: unknown = loaded.evaluate(bytes.buffer, entrypoint);
      if (loaded.mem.buffer.byteLength - firstBytes > GROWTH_MAX_BYTES) this.#instance = undefined;
      return results;
    } catch (cause) {
      this.#instance = undefined;
      throw undecided('Policy could not decide, so the call was refused.', cause);
    }
  }

  #instantiate(): Instance {
    const loaded = runtime.loadPolicySync(this.#module, {
      initial: FIRST_PAGES,
      maximum: MEMORY_MAX_BYTES / PAGE_BYTES,
    });
    loaded.setData(this.#facts);
    const { [STEPS_EXPORT]: steps } = exportsSchema.parse({ ...exportsOf(loaded) });
    return { loaded, steps, firstBytes: loaded.mem.buffer.byteLength };
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
  [STEPS_EXPORT]: z.instanceof(WebAssembly.Global),
  builtins: z.custom<() => number>((value) => typeof value === 'function'),
  opa_json_dump: z.custom<(address: number) => number>((value) => typeof value === 'function'),
});

function exportsOf({ wasmInstance }: LoadedPolicy): Record<string, unknown> {
  return 'instance' in wasmInstance ? wasmInstance.instance.exports : wasmInstance.exports;
}

/** Reads which functions the module expects from outside: a JSON object from names to numbers, zero-terminated. */
function namesOfForeignFunctions(loaded: LoadedPolicy): string[] {
  const { builtins, opa_json_dump } = exportsSchema.parse({ ...exportsOf(loaded) });
  const start = opa_json_dump(builtins());
  const memory = Buffer.from(loaded.mem.buffer);
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
