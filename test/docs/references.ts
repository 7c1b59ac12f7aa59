/** What a page names: files, headings of other pages, and symbols of the code. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, type Source } from '../tidy/sources.ts';
import { type Page, resolved } from './pages.ts';
import { stepsOf } from './recipes.ts';

/** `name` or `name.member` as the whole text of a link: it must occur in the file the link leads to. */
const SYMBOL = /^`([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)`$/;
const FILE_NAME = /\.(ts|mjs|md|json|ya?ml|rego|sh)`$/;
/** A path of this repository, written as code. Names in angle brackets and stars stand for something else. */
const PATH = /^(packages|services|deploy|examples|policies|test|docs)\/[\w./-]+$/;
/** A decision is cited by its number alone, and the next one has none yet. */
const DECISION = /^docs\/decisions\/(\d{3}$|NNN)/;
/** A configuration's own `policies/` and `docs/` are those of the example. */
const CONFIGURATION = 'examples/quickstart';

/** Returns the links of a page that lead nowhere. */
export function deadLinks(page: Page, pages: readonly Page[]): string[] {
  return page.links.flatMap(({ line, target }) => {
    if (/^(https?|mailto):/.test(target)) return [];
    const at = `${page.path}:${line}: ${target}`;
    const file = resolved(page, target);
    if (!existsSync(join(root, file))) return [`${at}: there is no such file`];
    const [, anchor] = target.split('#');
    if (anchor === undefined) return [];
    const other = pages.find(({ path }) => path === file);
    return other?.anchors.has(anchor) === true ? [] : [`${at}: there is no such heading`];
  });
}

/** Returns the symbols that a page links to and that their file does not hold. */
export function unknownSymbols(page: Page, sources: readonly Source[]): string[] {
  return page.links.flatMap(({ line, text, target }) => {
    const [, symbol] = SYMBOL.exec(text) ?? [];
    if (symbol === undefined || FILE_NAME.test(text)) return [];
    const source = sources.find(({ path, isCode }) => isCode && path === resolved(page, target));
    if (source === undefined) return [];
    const missing = symbol
      .split('.')
      .filter((part) => !new RegExp(`(?<![\\w$])${part}(?![\\w$])`).test(source.text));
    return missing.map((part) => `${page.path}:${line}: ${source.path} does not hold ${part}`);
  });
}

/** Returns the messages of logs that a page quotes and that no source holds: three words or more in double quotes. */
export function unknownMessages(page: Page, sources: readonly Source[]): string[] {
  return [...page.prose.matchAll(/"([^"\n]+ [^"\n]+ [^"\n]+)"/g)]
    .map(([, message = '']) => message)
    .filter((message) => !sources.some(({ path, text }) => path.endsWith('.ts') && text.includes(message)))
    .map((message) => `${page.path}: nobody logs: ${message}`);
}

/** Returns the paths that a page writes as code and that are not there, nor made by the page itself. */
export function unknownPaths(page: Page): string[] {
  const isThere = (path: string) =>
    [root, join(root, CONFIGURATION)].some((from) => existsSync(join(from, path)));
  const made = stepsOf(page).flatMap((step) => (step.kind === 'create' ? [step.file] : []));
  return page.inline
    .filter(({ text }) => !made.includes(text))
    .filter(({ text }) => PATH.test(text) && !DECISION.test(text) && !isThere(text))
    .map(({ line, text }) => `${page.path}:${line}: there is no ${text}`);
}
