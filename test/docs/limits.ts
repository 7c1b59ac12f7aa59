/**
 * Limits that a page repeats from the code. `<!-- limit: src/server.ts#DRAIN_MS -->10 s` says where the number after it
 * stands; the file is meant from the page's own folder, or from the root. In a README's section about limits every
 * number has such a mark, or `<!-- no constant -->` where no constant holds it.
 */
import { posix } from 'node:path';
import type { Source } from '../tidy/sources.ts';
import { constantIn } from './constants.ts';
import type { Page } from './pages.ts';

const MARK =
  /<!-- limit: (\S+)#([\w.]+) -->([\d.,]+)(?:[  ]?(ms|s|min|minutes?|h|hours?|days?|bytes|KiB|MiB|GiB|%)(?!\w))?/g;
const MARKS = /<!-- limit: /g;
const UNMARKED = /(?<![\w.,#-])\d[\d.,]*/g;
/** How many of the constant's own unit one of these is. */
const BYTES = { bytes: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };
const UNITS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  Ms: { ms: 1, s: 1_000, min: 60_000, minute: 60_000, h: 3_600_000, hour: 3_600_000, day: 86_400_000 },
  Bytes: BYTES,
  Count: { '%': 0.01, ...BYTES },
};

/** Returns the marked numbers of a page that are not what the code says. */
export function wrongLimits(page: Page, sources: readonly Source[]): string[] {
  const marks = [...page.prose.matchAll(MARK)];
  const wrong = marks.flatMap((mark) => {
    const complaint = complaintAbout(page, mark, sources);
    return complaint === undefined ? [] : [`${page.path}: ${mark[0]}: ${complaint}`];
  });
  const unread = [...page.prose.matchAll(MARKS)].length - marks.length;
  return unread === 0 ? wrong : [...wrong, `${page.path}: ${unread} marks are not followed by a number`];
}

function complaintAbout(
  page: Page,
  [, file = '', name = '', number = '', unit]: RegExpExecArray,
  sources: readonly Source[],
): string | undefined {
  const own = posix.normalize(posix.join(posix.dirname(page.path), file));
  const source = sources.find(({ path }) => path === own) ?? sources.find(({ path }) => path === file);
  if (source === undefined) return `there is no ${file}`;
  try {
    const value = constantIn([source.text, ...imported(sources)], name);
    const said = Number(number.replaceAll(',', '').replace(/\.$/, '')) * factorOf(name, unit);
    return Math.abs(said - value) <= Math.abs(value) * 1e-9 ? undefined : `the code says ${value}`;
  } catch (error) {
    return String(error);
  }
}

/** What the constants of other packages are made of. */
function imported(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => /^packages\/contracts\/src\/\w+\.ts$/.test(path))
    .map(({ text }) => text);
}

function factorOf(name: string, unit: string | undefined): number {
  const kind = /(Ms|_MS)$/.test(name) ? 'Ms' : /(Bytes|_BYTES)$/i.test(name) ? 'Bytes' : 'Count';
  if (unit === undefined && kind === 'Count') return 1;
  const factor = UNITS[kind]?.[unit ?? ''] ?? UNITS[kind]?.[unit?.replace(/s$/, '') ?? ''];
  if (factor === undefined) throw new Error(`${name} is in ${kind}, not in ${unit ?? 'no unit'}`);
  return factor;
}

/** Returns the numbers of a README's section about limits that carry no mark. */
export function unmarkedLimits(page: Page): string[] {
  return limitsOf(page).flatMap((part) => {
    const rest = part
      .replaceAll(MARK, '')
      .replaceAll(/<!-- no constant -->[\d.,]+/g, '')
      .replaceAll(/`[^`]*`|\[[^\]]*\]\([^)]*\)|RFC \d+/g, '');
    return [...rest.matchAll(UNMARKED)].map(
      ([number]) => `${page.path}: ${number} under "Limits" has no mark`,
    );
  });
}

/** A section headed "Limits…", or a list's item that begins with it in bold. */
function limitsOf({ prose }: Page): string[] {
  const sections = prose.split(/^(?=## )/m).filter((section) => /^## Limits\b/.test(section));
  const items = prose.split(/^(?=- |## |\n)/m).filter((item) => /^- \*\*Limits\b/.test(item));
  return [...sections, ...items];
}
