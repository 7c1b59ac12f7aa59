import { counter } from '@interlock/shell';

export const recordsStored = counter('interlock_auditor_records_total', 'Records stored, by stream.', [
  'stream',
]);
export const anchorsSigned = counter('interlock_auditor_anchors_total', 'Checkpoints signed, by stream.', [
  'stream',
]);
