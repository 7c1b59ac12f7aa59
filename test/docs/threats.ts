/** The threat model: what an actor cannot do is held by tests that exist. */
import type { Source } from '../tidy/sources.ts';
import type { Page } from './pages.ts';

export const actors = [
  'Agent',
  'Tool server',
  'Local user',
  'Insider approver',
  'Operator',
  'Stolen database',
] as const;

const HEAD = /^\| it cannot +\| held by +\|$/;
const RULE = /^\| -+ \| -+ \|$/;
const TEST = /^(\S+\.test\.ts): (.+)$/;

/** Returns what is wrong: an actor without a table, a line that no test holds, a test or promise that is not there. */
export function unheldThreats(
  { text }: Pick<Page, 'text'>,
  promises: Readonly<Record<string, unknown>>,
  sources: readonly Source[],
): string[] {
  return actors.flatMap((actor) => {
    const section = text.split(/^## /m).find((part) => part.startsWith(`${actor}\n`)) ?? '';
    const lines = section.split('\n').filter((line) => line.startsWith('|'));
    const [head = '', rule = '', ...rows] = lines;
    if (!HEAD.test(head) || !RULE.test(rule) || rows.length === 0)
      return [`${actor}: no table of what it cannot do`];
    return rows.flatMap((row) => {
      const [, cannot = '', heldBy = ''] = row.split('|').map((cell) => cell.trim());
      const cited = [...heldBy.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
      if (cited.length === 0) return [`${actor}: nothing is named that holds: ${cannot}`];
      return cited
        .filter((name) => !isThere(name, promises, sources))
        .map((name) => `${actor}: ${cannot}: there is no ${name}`);
    });
  });
}

function isThere(
  name: string,
  promises: Readonly<Record<string, unknown>>,
  sources: readonly Source[],
): boolean {
  const [, file, title] = TEST.exec(name) ?? [];
  if (file === undefined || title === undefined) return Object.hasOwn(promises, name);
  return sources.some(({ path, text }) => path === file && text.includes(title));
}
