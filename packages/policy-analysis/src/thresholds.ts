/** Where along a number, or along the length of a list, a verdict flips: found by halving. */
import type { Verdict } from '@interlock/contracts';

/** A verdict that a call gets from a bound on. */
export interface Threshold {
  bound: 'at most' | 'less than' | 'at least' | 'more than';
  to: number;
  verdict: Verdict;
}

type Ask = (value: number) => Verdict | undefined;

/** Amounts beyond this are no amounts. */
const POWERS = Array.from({ length: 13 }, (_, power) => 10 ** power);
/** A double is halved to its last digit in fewer. */
const HALVINGS_MAX = 64;
/** Flips told in one direction: asked above this, denied above that. */
const FLIPS_MAX = 3;
/** A flip of a fraction is known to this part of it. */
const PRECISION = 1e-10;

/** Returns the bounds beyond which a number leads to another verdict than the one it had, nearest first. */
export function thresholdsOf(value: number, verdict: Verdict, ask: Ask): Threshold[] {
  const isWhole = Number.isInteger(value);
  const scaled = [
    ...POWERS.map((power) => value * power),
    ...POWERS.map((power) => value / power),
    ...POWERS,
  ];
  const points = [...new Set([0, ...scaled].map((point) => (isWhole ? Math.trunc(point) : point)))].filter(
    (point) => Math.abs(point) <= Number.MAX_SAFE_INTEGER,
  );
  const up = points.filter((point) => point > value).sort((one, other) => one - other);
  // Nobody spends less than nothing.
  const down = points.filter((point) => point < value && point >= 0).sort((one, other) => other - one);
  return [
    ...flips({ value, verdict, points: down, isWhole, ask }),
    ...flips({ value, verdict, points: up, isWhole, ask }),
  ];
}

interface Walk {
  value: number;
  verdict: Verdict;
  points: readonly number[];
  isWhole: boolean;
  ask: Ask;
}

function flips({ value, verdict, points, isWhole, ask }: Walk): Threshold[] {
  const found: Threshold[] = [];
  let here = { value, verdict };
  for (const point of points) {
    const there = ask(point);
    if (there === undefined) return found;
    while (there !== here.verdict && found.length < FLIPS_MAX) {
      const flip = between(here, { value: point, verdict: there }, isWhole, ask);
      found.push(flip.threshold);
      here = flip.beyond;
    }
    here = { value: point, verdict: there };
  }
  return found;
}

interface Standing {
  value: number;
  verdict: Verdict;
}

function between(same: Standing, other: Standing, isWhole: boolean, ask: Ask) {
  let [near, beyond] = [same.value, other];
  for (let halving = 0; halving < HALVINGS_MAX && !isClose(near, beyond.value, isWhole); halving += 1) {
    const middle = isWhole ? Math.trunc((near + beyond.value) / 2) : (near + beyond.value) / 2;
    const verdict = ask(middle);
    if (verdict === undefined) break;
    if (verdict === same.verdict) near = middle;
    else beyond = { value: middle, verdict };
  }
  return { beyond, threshold: thresholdAt(near, beyond, isWhole, ask) };
}

function isClose(one: number, other: number, isWhole: boolean): boolean {
  const gap = Math.abs(one - other);
  return isWhole ? gap <= 1 : gap <= Math.max(Math.abs(other), 1) * PRECISION;
}

function thresholdAt(near: number, { value, verdict }: Standing, isWhole: boolean, ask: Ask): Threshold {
  const isDown = value < near;
  if (isWhole)
    return isDown ? { bound: 'at most', to: value, verdict } : { bound: 'more than', to: near, verdict };
  const to = roundest(Math.min(near, value), Math.max(near, value));
  const isInside = ask(to) === verdict;
  if (isDown) return { bound: isInside ? 'at most' : 'less than', to, verdict };
  return { bound: isInside ? 'at least' : 'more than', to, verdict };
}

/** Returns the number with the fewest decimals between two. */
function roundest(least: number, most: number): number {
  for (const power of POWERS) {
    const rounded = Math.ceil(least * power) / power;
    if (rounded <= most) return rounded;
  }
  return most;
}

/** Returns the longest beginning of a list of so many that leads to another verdict, and which. */
export function lengthOf(
  length: number,
  verdict: Verdict,
  ask: Ask,
): { to: number; verdict: Verdict } | undefined {
  const least = ask(1);
  if (least === undefined || least === verdict) return undefined;
  let [beyond, near] = [{ to: 1, verdict: least }, length];
  while (near - beyond.to > 1) {
    const middle = Math.trunc((near + beyond.to) / 2);
    const there = ask(middle);
    if (there === undefined) return beyond;
    if (there === verdict) near = middle;
    else beyond = { to: middle, verdict: there };
  }
  return beyond;
}
