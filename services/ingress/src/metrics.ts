import { counter, histogram } from '@interlock/shell';

const answers = counter('interlock_ingress_answers_total', 'Answers sent, by route and status.', [
  'route',
  'status',
]);
const seconds = histogram('interlock_ingress_answer_seconds', 'From a request to its answer.', ['route']);

/** Counts one answer and the time it took. */
export function countAnswer(route: string, status: number, elapsedMs: number): void {
  answers.inc({ route, status: String(status) });
  seconds.observe({ route }, elapsedMs / 1_000);
}
