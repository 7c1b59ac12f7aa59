/** What is published, as text. */
import type { PolicyEntry, PolicyState, PolicyStatus } from '@interlock/contracts';
import { instant, table } from '../output.ts';

const DIGEST_SHOWN = 12;
const VERSIONS_SHOWN = 10;

/** Returns the policy's state as text. */
export function stateText({ current, candidate, versions, deciders }: PolicyState): string {
  return [
    [
      `current    ${current === undefined ? 'none: every call is refused' : entryText(current)}`,
      `candidate  ${candidate === undefined ? 'none' : entryText(candidate)}`,
    ].join('\n'),
    decidersText(deciders),
    versionsText(versions),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** Returns an entry on one line. */
export function entryText({ version, digest, publishedAt, by, reason, rollbackOf }: PolicyEntry): string {
  const again = rollbackOf === undefined ? '' : `, content of version ${rollbackOf}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `version ${version} (${digest.slice(0, DIGEST_SHOWN)}${again}), ${instant(publishedAt)} by ${by}${why}`;
}

/** Returns a table of the versions that each decider uses. */
export function decidersText(deciders: readonly PolicyStatus[]): string {
  if (deciders.length === 0) return 'No decider has sent its status.';
  const rows = deciders.map(({ replica, current, candidate, rejected, at }) => [
    replica,
    current === undefined
      ? 'refuses every call'
      : `v${current.version} ${current.digest.slice(0, DIGEST_SHOWN)}`,
    candidate === undefined ? '' : `v${candidate.version}`,
    rejected.map(({ as, version, detail }) => `${as} v${version}: ${detail}`).join(' '),
    instant(at),
  ]);
  return table(['decider', 'decides by', 'candidate', 'rejected', 'reported at'], rows);
}

function versionsText(versions: readonly PolicyEntry[]): string {
  if (versions.length === 0) return '';
  const rows = versions
    .slice(0, VERSIONS_SHOWN)
    .map(({ version, digest, publishedAt, by, reason, rollbackOf }) => [
      version,
      digest.slice(0, DIGEST_SHOWN),
      instant(publishedAt),
      by,
      rollbackOf === undefined ? '' : `version ${rollbackOf}`,
      reason ?? '',
    ]);
  const more = versions.length > VERSIONS_SHOWN ? `\n… and ${versions.length - VERSIONS_SHOWN} older.` : '';
  return `${table(['version', 'digest', 'published', 'by', 'content of', 'reason'], rows)}${more}`;
}
