export {
  type InterlockOptions,
  type RunningInterlock,
  type RunningService,
  startInterlock,
} from './installation.ts';
