/** Names that look alike: whoever mistypes one is told which one was meant. */

/** One mistake in a short name, one in three letters of a longer one. */
const LETTERS_PER_MISTAKE = 3;
/** More than an identifier has. A longer name, such as one of an argument, is compared with nothing: the work grows with both lengths. */
const NAME_LENGTH_MAX = 128;

/** Returns the known name that a name is most like, if it is like one at all. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined;
  const limit = Math.max(1, Math.floor(name.length / LETTERS_PER_MISTAKE));
  const near = [...known]
    .map((other) => ({ other, mistakes: mistakesBetween(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ mistakes }) => mistakes <= limit)
    .sort((one, two) => one.mistakes - two.mistakes || (one.other < two.other ? -1 : 1));
  return near[0]?.other;
}

/** Counts insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function mistakesBetween(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1] ? 0 : 1;
      const swapped =
        row > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
          ? (before[column - 2] ?? 0) + 1
          : Number.POSITIVE_INFINITY;
      next.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (next[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + same,
          swapped,
        ),
      );
    }
    [before, last] = [last, next];
  }
  return last[other.length] ?? 0;
}
