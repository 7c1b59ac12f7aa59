export { type InterlockOptions, startInterlock } from './installation.ts';
export type { RunningInterlock, RunningService } from './running.ts';
