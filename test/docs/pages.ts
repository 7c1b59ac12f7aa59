/** The Markdown of the repository: what it links to, which anchors it has, and what it shows as code. */
import { posix } from 'node:path';
import { readSources, type Source } from '../tidy/sources.ts';

export interface Page {
  path: string;
  text: string;
  /** The text with every code block blanked out, so that lines keep their numbers. */
  prose: string;
  anchors: ReadonlySet<string>;
  links: Link[];
  /** Texts between backticks, outside of links' targets and code blocks. */
  inline: Located[];
  blocks: Block[];
}

interface Located {
  line: number;
  text: string;
}

export interface Link extends Located {
  target: string;
}

export interface Block extends Located {
  language: string;
}

/** Also inside a list, where it is indented. */
const FENCE = /^( *)```(\w*)[^\n]*\n(.*?)^\1```$/gms;
const LINK = /\[((?:`[^`]*`|[^\][])*)\]\(([^)\s]+)\)/g;

/** Reads every Markdown file of the repository. */
export function readPages(sources: Source[] = readSources()): Page[] {
  return sources.filter(({ path }) => path.endsWith('.md')).map(pageOf);
}

function pageOf({ path, text }: Source): Page {
  const prose = text.replaceAll(FENCE, (block) => block.replaceAll(/[^\n]/g, ''));
  const lineOf = (within: string, index: number) => within.slice(0, index).split('\n').length;
  return {
    path,
    text,
    prose,
    anchors: anchorsOf(prose),
    links: [...prose.matchAll(LINK)].map(({ index, 1: words = '', 2: target = '' }) => ({
      line: lineOf(prose, index),
      text: words,
      target,
    })),
    inline: [...prose.matchAll(/`([^`\n]+)`/g)].map(({ index, 1: code = '' }) => ({
      line: lineOf(prose, index),
      text: code,
    })),
    blocks: [...text.matchAll(FENCE)].map(({ index, 2: language = '', 3: code = '' }) => ({
      line: lineOf(text, index),
      language,
      text: code,
    })),
  };
}

/** Returns the anchors that GitHub gives a page's headings. */
function anchorsOf(prose: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose.matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again += 1) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Returns the path from the root that a page's relative link leads to, without the anchor. */
export function resolved(page: Pick<Page, 'path'>, target: string): string {
  const [file = ''] = target.split('#');
  if (file === '') return page.path;
  return posix.normalize(posix.join(posix.dirname(page.path), file)).replace(/\/$/, '');
}
