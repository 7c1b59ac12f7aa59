import { counter, histogram } from '@interlock/shell';

const answers = counter('interlock_ingress_answers_total', 'Answers sent, by route and status.', [
  'route',
  'status',
]);
const seconds = histogram(
  'interlock_ingress_answer_seconds',
  'From the arrival of a request, when its headers are read, to its answer.',
  ['route'],
);

const overVolume = counter(
  'interlock_ingress_over_volume_total',
  'Calls and evaluations that were refused and not stored, because an agent or a tenant sent too many bytes.',
  ['limit'],
);

/** Counts one call that was refused for its bytes, by the limit that refused it. */
export function countOverVolume(limit: string): void {
  overVolume.inc({ limit });
}

/** Counts one answer, and the time it took where the arrival of its request is known. */
export function countAnswer(route: string, status: number, elapsedMs: number | undefined): void {
  answers.inc({ route, status: String(status) });
  if (elapsedMs !== undefined) seconds.observe({ route }, elapsedMs / 1_000);
}
