import type { Source } from './sources.ts';

/** A word that a reader from outside does not know, and the plain one. */
interface Word {
  /** What is looked for, in a line of any file. */
  pattern: RegExp;
  /** What to write. */
  write: string;
  /** Paths where it may stand, because it means there what the dictionary says. */
  except?: RegExp;
}

/** What no file says: names, comments, messages, titles of tests and documents. */
const words: readonly Word[] = [
  {
    pattern: /\b[Hh]ouses?\b|[a-z]House|\bhouse[A-Z]/,
    write: 'installation, test bus, fixture, rules or limits',
  },
  { pattern: /posture/i, write: 'policy status' },
  { pattern: /heralds?\b/i, write: 'reporter' },
  { pattern: /\bbirths?\b|\breborn\b/i, write: 'limiter epoch' },
  { pattern: /judge?ments?\b/i, write: 'label of a call, verdict' },
  { pattern: /\bdesks?\b|deskOf/i, write: 'context' },
  { pattern: /errands?\b/i, write: 'request' },
  { pattern: /\b(a|the|each|every|this|that|its) taking\b(?! of)|\btakings\b/i, write: 'charge' },
  { pattern: /words\.rego/, write: 'outputs.rego' },
  { pattern: /\bstopOf\b/, write: 'blockedBy' },
  { pattern: /\bRounds\b|startRounds/, write: 'sweep' },
  { pattern: /\bmanagement acts?\b/i, write: 'management operation' },
  {
    pattern: /\b(management|agents?['’]?|console['’]s|front|own) door\b|\bdoor to\b/i,
    write: 'management API, ingress, API',
  },
  { pattern: /\b(is|are|was|were|be) away\b/, write: 'disconnected from, does not answer' },
  { pattern: /\b(go|goes|went|gone) away\b/, write: 'ends, is deleted' },
  { pattern: /unsure means no\b/i, write: 'fail closed' },
  { pattern: /\btaken? for current\b|\bfor current\b/, write: 'considered current' },
  { pattern: /\b(hand|hands|handed|handing) out\b/i, write: 'return, give, lease' },
  { pattern: /\bfound out\b/i, write: 'determined, read' },
  { pattern: /\bhangs? up\b|\bhung up\b/i, write: 'closes the connection' },
  { pattern: /\bless than nothing\b/, write: 'a negative amount' },
  { pattern: /\b(keeps|kept) losing\b|\blost its memory\b/, write: 'was replaced, lost its data' },
  { pattern: /\b(nobody|anybody|somebody) (is )?(here|there)\b/i, write: 'who or what does not answer' },
  { pattern: /\btold again\b/, write: 'published again' },
  { pattern: /\bit(\.each)?\(['`[]/, write: 'test' },
  { pattern: /\blog\.\w+\(\s*\{ error\b/, write: 'err, which is the key of an error in every log' },
];

/** Returns `path:line: …` for every word that has a plainer one. */
export function privateWords(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, lines }) => {
    const own = words.filter(({ except }) => except?.test(path) !== true);
    return lines.flatMap((line, index) =>
      own
        .filter(({ pattern }) => pattern.test(line))
        .map(({ pattern, write }) => `${path}:${index + 1}: ${pattern.source}: ${write}`),
    );
  });
}
