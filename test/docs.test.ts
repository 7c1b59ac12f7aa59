/** What the documentation says about the repository is so: links, files, symbols, limits, decisions, commands. */
import { describe, expect, test } from 'vitest';
import { malformedDecisions, uncitedDecisions, unlistedDecisions } from './docs/decisions.ts';
import { unmarkedLimits, wrongLimits } from './docs/limits.ts';
import { readPages } from './docs/pages.ts';
import { deadLinks, unknownPaths, unknownSymbols } from './docs/references.ts';
import { readSources } from './tidy/sources.ts';

const sources = readSources();
const pages = readPages(sources);
const readme = pages.find(({ path }) => path === 'README.md');

describe('[P-docs-true] the documentation', () => {
  test('links only to files and headings that are there', () => {
    expect(pages.length).toBeGreaterThan(20);
    expect(pages.flatMap((page) => deadLinks(page, pages))).toEqual([]);
  });

  test('names only files that are there', () => {
    expect(pages.flatMap(unknownPaths)).toEqual([]);
  });

  test('links a name of the code only to a file that holds it', () => {
    expect(pages.flatMap((page) => unknownSymbols(page, sources))).toEqual([]);
  });

  test('repeats a limit only as the code has it', () => {
    expect(pages.flatMap((page) => wrongLimits(page, sources))).toEqual([]);
  });

  test('says of every number in a section about limits which constant holds it', () => {
    const readmes = pages.filter(({ path }) => /^(packages|services)\/[^/]+\/README\.md$/.test(path));
    expect(readmes.flatMap(unmarkedLimits)).toEqual([]);
  });
});

describe('[P-docs-true] a decision', () => {
  test('has its number, its date, its context and its consequences', () => {
    expect(malformedDecisions(pages)).toEqual([]);
  });

  test('stands in the README’s list under its own title', () => {
    expect(readme === undefined ? ['no README'] : unlistedDecisions(pages, readme)).toEqual([]);
  });

  test('is cited where it holds, and nothing cites one that is not there', () => {
    expect(uncitedDecisions(pages, sources)).toEqual([]);
  });
});
