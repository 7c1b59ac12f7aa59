/** The decisions: numbered without a gap, dated, listed in the README, and cited where they hold. */
import type { Source } from '../tidy/sources.ts';
import { type Page, resolved } from './pages.ts';

const FILE = /^docs\/decisions\/(\d{3})-[a-z0-9-]+\.md$/;
const HEAD = /^# (\d{3}) · (.+)\n\nDate: \d{4}-\d{2}-\d{2} · Held in: .+\n/;
const SECTIONS = ['Context', 'Decision', 'Consequences'];
const CITATION = /docs\/decisions\/(\d{3})\b/g;

interface Decision {
  page: Page;
  number: string;
  title: string;
}

/** Returns what is wrong with the files of the decisions themselves. */
export function malformedDecisions(pages: readonly Page[]): string[] {
  const files = pages.filter(({ path }) => path.startsWith('docs/decisions/'));
  const decisions = decisionsOf(pages);
  const misnamed = files
    .filter(({ path }) => !FILE.test(path))
    .map(({ path }) => `${path}: name it NNN-title.md`);
  const headless = files
    .filter((page) => !decisions.some((decision) => decision.page === page))
    .map(({ path }) => `${path}: begin with "# NNN · Title" and "Date: … · Held in: …"`);
  const gaps = decisions
    .map(({ number, page }, index) => ({ number, page, due: String(index + 1).padStart(3, '0') }))
    .filter(({ number, due }) => number !== due)
    .map(({ page, due }) => `${page.path}: the number that is due is ${due}`);
  const misnumbered = decisions
    .filter(({ number, page }) => FILE.exec(page.path)?.[1] !== number)
    .map(({ page }) => `${page.path}: its title has another number`);
  const incomplete = decisions.flatMap(({ page }) =>
    SECTIONS.filter((section) => !page.text.includes(`\n## ${section}\n\n`)).map(
      (section) => `${page.path}: has no section ${section}`,
    ),
  );
  return [...misnamed, ...headless, ...misnumbered, ...gaps, ...incomplete];
}

/** Returns how the README's list differs from the decisions there are. */
export function unlistedDecisions(pages: readonly Page[], readme: Page): string[] {
  const due = decisionsOf(pages).map(({ page, number, title }) => `- [${number}](${page.path}) ${title}`);
  const listed = readme.text.split('\n').filter((line) => /^- \[\d{3}\]/.test(line));
  return [
    ...due.filter((line) => !listed.includes(line)).map((line) => `README.md lacks: ${line}`),
    ...listed.filter((line) => !due.includes(line)).map((line) => `README.md lists in vain: ${line}`),
  ];
}

/** Returns the files that a decision says it is held in and that do not cite it, and citations of no decision. */
export function uncitedDecisions(pages: readonly Page[], sources: readonly Source[]): string[] {
  const decisions = decisionsOf(pages);
  const silent = decisions.flatMap(({ page, number }) =>
    page.links
      .filter(({ line }) => page.text.split('\n')[line - 1]?.startsWith('Date: ') === true)
      .map(({ target }) => resolved(page, target))
      .filter((file) => !citationsIn(sources.find(({ path }) => path === file)).includes(number))
      .map((file) => `${file} does not cite docs/decisions/${number}`),
  );
  const unknown = sources
    .filter(({ path }) => !path.startsWith('test/docs'))
    .flatMap((source) =>
      citationsIn(source)
        .filter((number) => !decisions.some((decision) => decision.number === number))
        .map((number) => `${source.path} cites docs/decisions/${number}, which is not there`),
    );
  return [...silent, ...unknown];
}

function decisionsOf(pages: readonly Page[]): Decision[] {
  return pages
    .flatMap((page) => {
      const [, number, title] = (FILE.test(page.path) && HEAD.exec(page.text)) || [];
      return number === undefined || title === undefined ? [] : [{ page, number, title }];
    })
    .sort((one, other) => one.page.path.localeCompare(other.page.path));
}

function citationsIn(source: Source | undefined): string[] {
  return [...(source?.text ?? '').matchAll(CITATION)].map(([, number = '']) => number);
}
