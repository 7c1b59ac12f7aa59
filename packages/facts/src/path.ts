/** Reads a path by the rules of POSIX, and as a program might that decodes escapes or splits at backslashes. */
import { posix } from 'node:path';
import type { PolicyFacts } from '@interlock/contracts';

type PathFact = Omit<Extract<PolicyFacts['paths'][number], { readable: true }>, 'at' | 'readable'>;

/** As long as the schema of a fact and file systems take. */
const LENGTH_MAX = 4_096;
const SEGMENTS_MAX = 256;
/** Layers of percent-encoding that are decoded. */
const LAYERS_MAX = 5;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
const CONTROL = /[\u0000-\u001f\u007f]/;
/** Encodings that are not UTF-8 and that some decoders take for a dot or a separator. */
const OVERLONG: readonly [RegExp, string][] = [
  [/%(c0%ae|e0%80%ae|u002e|uff0e)/gi, '.'],
  [/%(c0%af|e0%80%af|u002f|u2215|uff0f|u005c|c1%9c)/gi, '/'],
];

/** Returns what a path means, or undefined when it has no single meaning. */
export function readPath(text: string): PathFact | undefined {
  if (text === '' || text.length > LENGTH_MAX || !text.isWellFormed() || CONTROL.test(text)) return undefined;
  const whole = posix.normalize(text);
  const normalized = whole.length > 1 ? whole.replace(/\/$/, '') : whole;
  const segments = normalized.split('/').filter((segment) => segment !== '');
  if (segments.length > SEGMENTS_MAX) return undefined;
  const views = viewsOf(text);
  return {
    path: text,
    normalized,
    absolute: views.some(isAbsolute),
    traverses: views.some((view) => view.split('/').some(isParent)),
    segments,
  };
}

/** Returns the path as it is after decoding it zero, one, two and more times, each with `/` as the separator. */
function viewsOf(text: string): string[] {
  const views = new Set<string>();
  let view = text;
  for (let layer = 0; layer <= LAYERS_MAX; layer += 1) {
    views.add(view.replaceAll('\\', '/'));
    // NFKC turns full-width dots and slashes into plain ones.
    views.add(view.normalize('NFKC').replaceAll('\\', '/'));
    view = decoded(view);
  }
  return [...views];
}

function decoded(text: string): string {
  const plain = OVERLONG.reduce((view, [from, to]) => view.replaceAll(from, to), text);
  return plain.replaceAll(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** A drive, a home folder and a scheme make a path absolute, as a leading separator does. */
function isAbsolute(view: string): boolean {
  return /^(\/|~|[A-Za-z][A-Za-z0-9+.-]*:)/.test(view.trimStart());
}

/** `..`, also with the spaces, dots, parameters and NULs that some systems drop. */
function isParent(segment: string): boolean {
  return /^\s*\.\.[\s.]*(;.*|\0.*)?$/.test(segment);
}
