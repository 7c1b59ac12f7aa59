/** The bounds at which a verdict changes with a number, or with the length of a list: found by bisection. */
import type { Verdict } from '@interlock/contracts';

/** The verdict beyond a bound. */
export interface Threshold {
  bound: 'at most' | 'less than' | 'at least' | 'more than';
  to: number;
  verdict: Verdict;
}

type VerdictAt = (value: number) => Verdict | undefined;

/** Larger numbers are not tried: no amount is that large. */
const POWERS = Array.from({ length: 13 }, (_, power) => 10 ** power);
/** Fewer bisections reach the last digit of a double. */
const BISECTIONS_MAX = 64;
/** Bounds reported in one direction: asked about above one, denied above another. */
const BOUNDS_MAX = 3;
/** The relative precision of a bound that is not a whole number. */
const PRECISION = 1e-10;

/** Returns the bounds beyond which a number has another verdict, nearest first. */
export function thresholdsOf(value: number, verdict: Verdict, verdictAt: VerdictAt): Threshold[] {
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
  // Amounts are not negative.
  const down = points.filter((point) => point < value && point >= 0).sort((one, other) => other - one);
  return [
    ...boundsAlong({ value, verdict, points: down, isWhole, verdictAt }),
    ...boundsAlong({ value, verdict, points: up, isWhole, verdictAt }),
  ];
}

interface Search {
  value: number;
  verdict: Verdict;
  points: readonly number[];
  isWhole: boolean;
  verdictAt: VerdictAt;
}

function boundsAlong({ value, verdict, points, isWhole, verdictAt }: Search): Threshold[] {
  const found: Threshold[] = [];
  let here = { value, verdict };
  for (const point of points) {
    const there = verdictAt(point);
    if (there === undefined) return found;
    while (there !== here.verdict && found.length < BOUNDS_MAX) {
      const bound = between(here, { value: point, verdict: there }, isWhole, verdictAt);
      found.push(bound.threshold);
      here = bound.beyond;
    }
    here = { value: point, verdict: there };
  }
  return found;
}

interface Point {
  value: number;
  verdict: Verdict;
}

function between(same: Point, other: Point, isWhole: boolean, verdictAt: VerdictAt) {
  let [near, beyond] = [same.value, other];
  for (
    let bisection = 0;
    bisection < BISECTIONS_MAX && !isClose(near, beyond.value, isWhole);
    bisection += 1
  ) {
    const middle = isWhole ? Math.trunc((near + beyond.value) / 2) : (near + beyond.value) / 2;
    const verdict = verdictAt(middle);
    if (verdict === undefined) break;
    if (verdict === same.verdict) near = middle;
    else beyond = { value: middle, verdict };
  }
  return { beyond, threshold: thresholdAt(near, beyond, isWhole, verdictAt) };
}

function isClose(one: number, other: number, isWhole: boolean): boolean {
  const gap = Math.abs(one - other);
  return isWhole ? gap <= 1 : gap <= Math.max(Math.abs(other), 1) * PRECISION;
}

function thresholdAt(
  near: number,
  { value, verdict }: Point,
  isWhole: boolean,
  verdictAt: VerdictAt,
): Threshold {
  const isDown = value < near;
  if (isWhole)
    return isDown ? { bound: 'at most', to: value, verdict } : { bound: 'more than', to: near, verdict };
  const to = roundest(Math.min(near, value), Math.max(near, value));
  const isInside = verdictAt(to) === verdict;
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

/** Returns the length of the longest beginning of a list that has another verdict, and that verdict. */
export function lengthOf(
  length: number,
  verdict: Verdict,
  verdictAt: VerdictAt,
): { to: number; verdict: Verdict } | undefined {
  const least = verdictAt(1);
  if (least === undefined || least === verdict) return undefined;
  let [beyond, near] = [{ to: 1, verdict: least }, length];
  while (near - beyond.to > 1) {
    const middle = Math.trunc((near + beyond.to) / 2);
    const there = verdictAt(middle);
    if (there === undefined) return beyond;
    if (there === verdict) near = middle;
    else beyond = { to: middle, verdict: there };
  }
  return beyond;
}
