/** Evaluating a policy with variants of one input, a limited number of times. */
import {
  Fault,
  type Json,
  type PolicyAnswer,
  type PolicyExplanation,
  type PolicyInput,
  parsedJsonSchema,
  policyInputSchema,
  type Verdict,
} from '@interlock/contracts';
import { type InputNode, nodesOf, withValueAt } from './input-nodes.ts';

/** About a second at some hundred microseconds each; a call with a hundred leaves needs fewer. */
export const VARIANTS_MAX = 2_000;
/** Large inputs take longer: the variants of one input have at most so many bytes in all, which is some seconds. */
const VARIANT_BYTES_MAX = 128 * 1_048_576;

/** A policy that returns its verdict, and every output of every rule. */
export interface Explainer {
  evaluate(input: object): PolicyAnswer;
  explain(input: object): PolicyExplanation;
}

/** Evaluates variants of an input. The result is undefined without an answer, and once the limit is reached. */
export interface Probe {
  readonly input: Json;
  /** The nodes of the input. `spends` is an alias of the one argument with the same number. */
  readonly nodes: readonly InputNode[];
  verdict(variant: Json): Verdict | undefined;
  outputs(variant: Json): PolicyExplanation | undefined;
  /** Yields nodes until the limit is reached; the rest is counted as unasked. */
  each(nodes: readonly InputNode[]): Generator<InputNode, void>;
  /** Returns the input with another value at a node and its alias; undefined removes both. */
  with(node: Pick<InputNode, 'path' | 'alias'>, value: Json | undefined): Json;
  /** Returns the input without a node and its alias; undefined where an input without it is not valid. */
  without(node: Pick<InputNode, 'path' | 'alias'>): Json | undefined;
  /** Variants that were evaluated, and those that were not because of the limit. */
  readonly asked: number;
  readonly unasked: number;
}

export function createProbe(policy: Explainer, policyInput: PolicyInput, variantsMax = VARIANTS_MAX): Probe {
  const input = parsedJsonSchema.parse(policyInput);
  const bytes = Buffer.byteLength(JSON.stringify(input));
  const limit = Math.min(variantsMax, Math.ceil(VARIANT_BYTES_MAX / bytes));
  let asked = 0;
  let unasked = 0;
  function isWithinLimit(): boolean {
    if (asked < limit) asked += 1;
    else unasked += 1;
    return unasked === 0;
  }
  function evaluated<T>(variant: Json, evaluate: (input: object) => T): T | undefined {
    if (typeof variant !== 'object' || variant === null || !isWithinLimit()) return undefined;
    try {
      return evaluate(variant);
    } catch (error) {
      if (error instanceof Fault && error.code === 'policy_error') return undefined;
      throw error;
    }
  }
  const changed = ({ path, alias }: Pick<InputNode, 'path' | 'alias'>, value: Json | undefined) => {
    const once = withValueAt(input, path, value);
    return alias === undefined ? once : withValueAt(once, alias, value);
  };
  return {
    input,
    nodes: withSpendsAsAlias(nodesOf(input)),
    verdict: (variant) => evaluated(variant, (one) => policy.evaluate(one).verdict),
    outputs: (variant) => evaluated(variant, (one) => policy.explain(one)),
    *each(nodes) {
      for (const [index, node] of nodes.entries()) {
        if (asked >= limit) {
          unasked += nodes.length - index;
          return;
        }
        yield node;
      }
    },
    with: changed,
    without(node) {
      // Checking whether a variant is a valid input takes about as long as evaluating it.
      const variant = isWithinLimit() ? changed(node, undefined) : undefined;
      return policyInputSchema.safeParse(variant).success ? variant : undefined;
    },
    get asked() {
      return asked;
    },
    get unasked() {
      return unasked;
    },
  };
}

const SPENDS = ['spends'];

/** The amount that a call spends is one of its arguments: where only one has that number, it is that one. */
function withSpendsAsAlias(nodes: readonly InputNode[]): InputNode[] {
  const spends = nodes.find(({ path }) => path.length === 1 && path[0] === 'spends');
  const same = nodes.filter(({ path, value }) => path[0] === 'arguments' && value === spends?.value);
  const [argument, ...others] = same;
  if (spends === undefined || argument === undefined || others.length > 0) return [...nodes];
  return nodes
    .filter((node) => node !== spends)
    .map((node) => (node === argument ? { ...node, alias: SPENDS } : node));
}
