/** Asking a policy about variants of one input, so many times and no more. */
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
import { changedAt, type Place, placesOf } from './places-of-input.ts';

/** A second's worth at some hundred microseconds each, and more than a call of a hundred leaves needs. */
export const QUESTIONS_MAX = 2_000;
/** A large input takes its time: so many bytes are asked about in all, which is some seconds. */
const QUESTIONED_MAX_BYTES = 128 * 1_048_576;

/** A policy that says its verdict and every word of every rule. */
export interface Explainer {
  evaluate(input: object): PolicyAnswer;
  explain(input: object): PolicyExplanation;
}

/** Asks about variants of an input; undefined where nothing is said: too many questions, or no answer. */
export interface Probe {
  readonly input: Json;
  /** Places of the input. The argument that says what the call spends is one place with `spends`. */
  readonly places: readonly Place[];
  verdict(variant: Json): Verdict | undefined;
  words(variant: Json): PolicyExplanation | undefined;
  /** Goes through places for as long as there are questions left. */
  each(places: readonly Place[]): Generator<Place, void>;
  /** The input with another value at a place and its twin; undefined takes it away. */
  with(place: Pick<Place, 'path' | 'twin'>, value: Json | undefined): Json;
  /** The input without a place and its twin; undefined where policy always sees something there. */
  without(place: Pick<Place, 'path' | 'twin'>): Json | undefined;
  /** Variants that were made, and those that were not because there were too many. */
  readonly asked: number;
  readonly unasked: number;
}

/** Makes a probe. */
export function createProbe(
  policy: Explainer,
  policyInput: PolicyInput,
  questionsMax = QUESTIONS_MAX,
): Probe {
  const input = parsedJsonSchema.parse(policyInput);
  const bytes = Buffer.byteLength(JSON.stringify(input));
  const most = Math.min(questionsMax, Math.ceil(QUESTIONED_MAX_BYTES / bytes));
  let asked = 0;
  let unasked = 0;
  function hasRoom(): boolean {
    if (asked < most) asked += 1;
    else unasked += 1;
    return unasked === 0;
  }
  function asking<T>(variant: Json, ask: (input: object) => T): T | undefined {
    if (typeof variant !== 'object' || variant === null || !hasRoom()) return undefined;
    try {
      return ask(variant);
    } catch (error) {
      if (error instanceof Fault && error.code === 'policy_error') return undefined;
      throw error;
    }
  }
  const changed = ({ path, twin }: Pick<Place, 'path' | 'twin'>, value: Json | undefined) => {
    const once = changedAt(input, path, value);
    return twin === undefined ? once : changedAt(once, twin, value);
  };
  return {
    input,
    places: twinned(placesOf(input)),
    verdict: (variant) => asking(variant, (one) => policy.evaluate(one).verdict),
    words: (variant) => asking(variant, (one) => policy.explain(one)),
    *each(places) {
      for (const [index, place] of places.entries()) {
        if (asked >= most) {
          unasked += places.length - index;
          return;
        }
        yield place;
      }
    },
    with: changed,
    without(place) {
      // To look whether it is an input takes about as long as to ask.
      const variant = hasRoom() ? changed(place, undefined) : undefined;
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

/** What a call spends stands in one of its arguments: where only one holds that number, it is that one. */
function twinned(places: readonly Place[]): Place[] {
  const spends = places.find(({ path }) => path.length === 1 && path[0] === 'spends');
  const same = places.filter(({ path, value }) => path[0] === 'arguments' && value === spends?.value);
  const [argument, ...others] = same;
  if (spends === undefined || argument === undefined || others.length > 0) return [...places];
  return places
    .filter((place) => place !== spends)
    .map((place) => (place === argument ? { ...place, twin: SPENDS } : place));
}
