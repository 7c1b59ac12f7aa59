export type { Context } from './context.ts';
export { Failure } from './failure.ts';
export { type LoadedConfiguration, loadConfiguration } from './load-configuration.ts';
export {
  type InterlockOptions,
  type RunningInterlock,
  type RunningService,
  startInterlock,
} from './up.ts';
