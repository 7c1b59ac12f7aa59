import type { Source } from './sources.ts';

/** How a second implementation of a check of `packages/gate` would look, and what to call instead. */
const shapes: readonly { shape: RegExp; instead: string; alsoIn?: RegExp }[] = [
  { shape: /\bverifyStatement\(\s*[^;]*?'decision'/, instead: 'verifyDecision' },
  {
    shape: /\bcallDigestOf\([^()]*\)\s*[!=]==|[!=]==\s*callDigestOf\(/,
    instead: 'assertDigests, or verifyDecision beside a decision',
  },
  {
    shape: /\bsha256\([^()]*[aA]rguments[^()]*\)\s*[!=]==|[!=]==\s*sha256\([^()]*[aA]rguments/,
    instead: 'assertDigests, or verifyDecision beside a decision',
  },
  { shape: /\bunknownObligation\(/, instead: 'assertObligations', alsoIn: /^packages\/contracts\// },
  { shape: /\btoolVersionOf\(/, instead: 'versionOf', alsoIn: /^packages\/contracts\// },
  { shape: /\.toolVersion\b\s*[!=]==|[!=]==\s*[\w.]*\btoolVersion\b/, instead: 'readTool and assertVersion' },
  // The copy first and then the leader; a copy alone, as for an emergency, is another question.
  { shape: /\.current\s*\?\s*[\w.]+\.get\([\s\S]{0,400}?\.get\([^()]*\)\)\?\.value/, instead: 'readEntry' },
  { shape: /\bswitchKeysOf\(/, instead: 'blockedBy', alsoIn: /^packages\/contracts\// },
];

/** Returns where running code makes a check of `packages/gate` by itself. */
export function secondChecks(sources: readonly Source[]): string[] {
  const files = sources.filter(
    ({ path, isTest }) => path.endsWith('.ts') && !isTest && !path.startsWith('packages/gate/'),
  );
  return files.flatMap(({ path, text }) =>
    shapes.flatMap(({ shape, instead, alsoIn }) => {
      const match = alsoIn?.test(path) === true ? null : shape.exec(text);
      if (match === null) return [];
      const line = text.slice(0, match.index).split('\n').length;
      return [`${path}:${line}: packages/gate makes this check: call ${instead}`];
    }),
  );
}
