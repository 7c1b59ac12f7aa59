import type { Layer, Requirement } from '../requirements/requirement.ts';
import type { Source } from './sources.ts';

/** A test's title that cites a promise: where it stands, and the layers its file belongs to. */
interface Citation {
  at: string;
  id: string;
  layers: readonly Layer[];
}

type Requirements = Readonly<Record<string, Requirement>>;

/** What a test does to real processes when it is about faults. */
const HARMS = /\bSIG(KILL|STOP|TERM)\b|\.(kill|pause)\(/;

/** Returns every citation in the titles of tests. */
export function citationsIn(tests: readonly Source[]): Citation[] {
  return tests.flatMap(({ path, text, lines }) => {
    const layers = layersOf(path, text);
    return lines.flatMap((line, index) =>
      /^\s*(\/\/|\*|\/\*)/.test(line)
        ? []
        : [...line.matchAll(/\[(P-[a-z0-9-]+)\]/g)].map(([, id = '']) => ({
            at: `${path}:${index + 1}`,
            id,
            layers,
          })),
    );
  });
}

/** Returns the layers whose promises a test file can hold. */
function layersOf(path: string, text: string): readonly Layer[] {
  if (path.startsWith('test/faults/')) return ['fault'];
  const place: Layer = path.startsWith('test/') ? 'line' : 'unit';
  return HARMS.test(text) ? [place, 'fault'] : [place];
}

/** Returns citations of what is not promised. */
export function unpromised(citations: readonly Citation[], requirements: Requirements): string[] {
  return citations
    .filter(({ id }) => !Object.hasOwn(requirements, id))
    .map(({ at, id }) => `${at}: ${id} is not in test/requirements.ts`);
}

/** Returns promises that no test of their layer cites. */
export function unheld(citations: readonly Citation[], requirements: Requirements): string[] {
  return Object.entries(requirements).flatMap(([id, { layer }]) => {
    const citing = citations.filter((citation) => citation.id === id);
    if (citing.some(({ layers }) => layers.includes(layer))) return [];
    const others = citing.length === 0 ? 'no test cites it' : `only ${citing[0]?.at} and its like cite it`;
    return [`${id} is to be held by a test of the layer ${layer}: ${others}`];
  });
}

/** Returns promises whose source names a file that does not exist. */
export function lostSources(requirements: Requirements, paths: ReadonlySet<string>): string[] {
  return Object.entries(requirements).flatMap(([id, { source }]) =>
    source.endsWith('.md') && !paths.has(source) ? [`${id}: ${source} does not exist`] : [],
  );
}
