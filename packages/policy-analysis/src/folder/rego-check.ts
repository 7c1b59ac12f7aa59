/** Names that the user's own Rego compares with: a rule about a tool or a label that nothing has never holds. */
import type { Finding } from './finding.ts';
import type { FolderNames, NameKind } from './folder-names.ts';
import { unknownName } from './settings-check.ts';

/** One file of the user's own rules. */
export interface RegoFile {
  file: string;
  text: string;
}

const TEXT = '"([^"\\\\\\n]{1,128})"';
const COMPARED: readonly { pattern: RegExp; kind: NameKind }[] = [
  { pattern: new RegExp(`input\\.tool\\.name\\s*[!=]=\\s*${TEXT}`, 'g'), kind: 'tool' },
  { pattern: new RegExp(`${TEXT}\\s*[!=]=\\s*input\\.tool\\.name`, 'g'), kind: 'tool' },
  { pattern: new RegExp(`${TEXT}\\s+in\\s+input\\.tool\\.labels`, 'g'), kind: 'label' },
];
/** A set or a list that is written out. */
const LISTED = /input\.tool\.name\s+in\s+[{[]([^{}[\]]*)[}\]]/g;
const COMMENT = /^[ \t]*#.*$/gm;

export function checkRego(files: readonly RegoFile[], names: FolderNames): Finding[] {
  return files.flatMap(({ file, text }) => {
    // Of the same length, so that every place stays where it is.
    const code = text.replaceAll(COMMENT, (comment) => ' '.repeat(comment.length));
    return namesIn(code).flatMap(({ name, kind, offset }) =>
      unknownName(name, kind, names).map((mistake) => ({
        ...{ file, path: [], isKey: false, refused: true, text: mistake.text },
        at: placeOf(code, offset),
      })),
    );
  });
}

function namesIn(code: string): { name: string; kind: NameKind; offset: number }[] {
  const compared = COMPARED.flatMap(({ pattern, kind }) =>
    [...code.matchAll(pattern)].map((match) => ({ name: match[1] ?? '', kind, offset: match.index })),
  );
  const listed = [...code.matchAll(LISTED)].flatMap((match) =>
    [...(match[1] ?? '').matchAll(new RegExp(TEXT, 'g'))].map(([, name = '']) => ({
      ...{ name, kind: 'tool' as const, offset: match.index },
    })),
  );
  return [...compared, ...listed].sort((left, right) => left.offset - right.offset);
}

function placeOf(code: string, offset: number): { line: number; column: number } {
  const lines = code.slice(0, offset).split('\n');
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
