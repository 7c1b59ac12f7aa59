/**
 * The only importer of OPA's WebAssembly runtime. It evaluates an entrypoint and returns a parsed answer or a Fault.
 *
 * R1. Anything but one well-formed document is `policy_error`: a throw, a trap, undefined, a second result.
 * R2. After a throw the instance is replaced: its heap may be in any state.
 * R3. Memory cannot grow past a limit, and an instance that grew much is replaced, because memory never shrinks.
 * R4. A module that needs a function from outside is not loaded: all that a policy does is within these limits.
 * R5. No code of a module runs without a limit on its steps, which is a limit on its time: see metering.ts.
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

// Only the CommonJS entry of the package has the synchronous loader, which replaces a lost instance within a decision.
const runtime: typeof import('@open-policy-agent/opa-wasm') = createRequire(import.meta.url)(
  '@open-policy-agent/opa-wasm',
);

/** Arguments of 512 KiB, 64 KiB of facts, and room for escapes. */
export const INPUT_MAX_BYTES = 1_048_576;
const PAGE_BYTES = 65_536;
const FIRST_PAGES = 5;
/** 64 MiB: enough for a few megabytes of parsed data and several times the largest input. */
export const MEMORY_MAX_BYTES = 1_024 * PAGE_BYTES;
/** An instance that grew by this much since its data was loaded has had an unusual input: it is replaced. */
const GROWTH_MAX_BYTES = 8 * 1_048_576;
/**
 * About 100 ms on a processor of today, and two thousand times the steps of a decision by a hundred rules; the largest
 * arguments take at most a fifth of it. No other call is decided in that time.
 */
export const DECISION_STEPS_MAX = 64_000_000;
/** About a second: a megabyte of data takes one and a half million steps. */
const LOAD_STEPS_MAX = 500_000_000;

/** The entrypoints that every policy has. */
export const ENTRYPOINTS = {
  decision: 'interlock/main/decision',
  explanation: 'interlock/main/explanation',
} as const;

const answersSchema = z.tuple([z.strictObject({ result: policyAnswerSchema })]);
const explanationsSchema = z.tuple([z.strictObject({ result: policyExplanationSchema })]);

interface Instance {
  loaded: LoadedPolicy;
  /** The steps it may still take. */
  steps: { value: number };
  /** Bytes of memory once the data was loaded. */
  firstBytes: number;
}

/** A policy in memory. Evaluation is synchronous, so there is one at a time. */
export class Policy {
  readonly #module: WebAssembly.Module;
  readonly #data: ArrayBuffer;
  #instance: Instance | undefined;

  /**
   * Compiles a module and loads its data (UTF-8 JSON, an object).
   * Throws `configuration_invalid` when it is not a policy this runtime can run.
   */
  constructor(wasm: Uint8Array<ArrayBuffer>, json: Uint8Array<ArrayBuffer>) {
    this.#data = json.slice().buffer;
    try {
      this.#module = new WebAssembly.Module(metered(wasm, LOAD_STEPS_MAX));
      this.#instance = this.#instantiate();
    } catch (cause) {
      throw notLoadable('The policy module cannot be loaded.', cause);
    }
    const { loaded } = this.#instance;
    const entrypoints = z.record(z.string(), z.int()).parse(loaded.entrypoints);
    for (const entrypoint of Object.values(ENTRYPOINTS)) {
      if (!Object.hasOwn(entrypoints, entrypoint))
        throw notLoadable(`The policy module has no entrypoint ${entrypoint}.`);
    }
    // R4
    const foreign = foreignFunctions(loaded);
    if (foreign.length > 0)
      throw notLoadable(`The policy uses functions that are not available: ${foreign.join(', ')}.`);
  }

  /** Bytes of memory that the policy uses now. */
  get memoryBytes(): number {
    return this.#instance?.loaded.mem.buffer.byteLength ?? 0;
  }

  /** Returns the decision. Throws `policy_error` unless the policy gives exactly one well-formed answer within its limits. */
  evaluate(input: object): PolicyAnswer {
    const parsed = answersSchema.safeParse(this.#evaluate(ENTRYPOINTS.decision, input));
    if (!parsed.success) throw undecided('Policy gave no well-formed answer.', parsed.error);
    return parsed.data[0].result;
  }

  /** Returns every output of every rule, also those that the decision passes over. Throws `policy_error` as `evaluate` does. */
  explain(input: object): PolicyExplanation {
    const parsed = explanationsSchema.safeParse(this.#evaluate(ENTRYPOINTS.explanation, input));
    if (!parsed.success) throw undecided('Policy gave no well-formed explanation.', parsed.error);
    return parsed.data[0].result;
  }

  #evaluate(entrypoint: string, input: object): unknown {
    const bytes = encode(input);
    if (bytes.byteLength > INPUT_MAX_BYTES) throw undecided('The call is too large for policy to decide.');
    try {
      this.#instance ??= this.#instantiate();
      const { loaded, steps, firstBytes } = this.#instance;
      steps.value = DECISION_STEPS_MAX;
      const results: unknown = loaded.evaluate(bytes.buffer, entrypoint);
      // R3
      if (loaded.mem.buffer.byteLength - firstBytes > GROWTH_MAX_BYTES) this.#instance = undefined;
      return results;
    } catch (cause) {
      // R2
      this.#instance = undefined;
      throw undecided('Policy could not decide, so the call was refused.', cause);
    }
  }

  #instantiate(): Instance {
    const loaded = runtime.loadPolicySync(this.#module, {
      initial: FIRST_PAGES,
      maximum: MEMORY_MAX_BYTES / PAGE_BYTES,
    });
    loaded.setData(this.#data);
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

/** Reads the functions that the module needs from outside: a zero-terminated JSON object from names to numbers. */
function foreignFunctions(loaded: LoadedPolicy): string[] {
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
