export { BackOff } from './back-off.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  commonConfigSchema,
  type Environment,
  listenAddressSchema,
  processEnvironment,
  readConfig,
  secretTextSchema,
  variableNames,
} from './config.ts';
export { type DescribedError, describeError } from './describe-error.ts';
export { Failure, failureOf } from './failure.ts';
export type { Health, Readiness } from './health.ts';
export { type KeyringSource, loadKeyring, loadKeys } from './identity.ts';
export { createLog, type LogOptions } from './log.ts';
export { counter, gauge, gauges, histogram } from './metrics.ts';
export {
  addAuthor,
  createIdentities,
  createOperator,
  type IdentityFile,
  type Operator,
  operatorFile,
  readOperator,
  writeIdentities,
} from './operator.ts';
export { readIfPresent, writePrivate } from './private-file.ts';
export { PROOF_PATH, type ProofParts, proveAddress } from './prove-address.ts';
export { Queue } from './queue.ts';
export { type Repeating, type RepeatLog, repeat } from './repeat.ts';
export { type ReadyMessage, run } from './run.ts';
export {
  defineService,
  type RunningService,
  type ServiceContext,
  type ServiceDefinition,
} from './service.ts';
export {
  DRAIN_MS,
  type ServiceDefinitions,
  type StartedServices,
  type StartOptions,
  startServices,
} from './start.ts';
export {
  CONNECTIONS_PER_ADDRESS,
  cutUnreadRequests,
  endConnection,
  headMistake,
  limitConnections,
} from './strict-http.ts';
