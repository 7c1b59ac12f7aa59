export {
  type CallParts,
  caller,
  makeCall,
  makeClaim,
  makeDecided,
  makeDecision,
  makeRefused,
  makeTool,
  sealedFor,
} from './call.ts';
export { selfSigned } from './certificate.ts';
export { FakeClock } from './clock.ts';
export { limitWrites } from './disk.ts';
export { eventually } from './eventually.ts';
export {
  type HttpCase,
  type HttpExpectation,
  type HttpReply,
  type HttpSender,
  misfitOf,
  sendHttpCase,
  servedHttpCases,
  strictHttpCases,
  testbedCases,
} from './http-cases.ts';
export { createTestKeys, type TestKeys } from './keys.ts';
export { type MongoServer, startMongo } from './mongo.ts';
export { type NatsServer, startNats } from './nats.ts';
export { connectObserver, type Observer, type Sighting } from './observer.ts';
export { type OpaServer, startOpa } from './opa.ts';
export { buildPolicy, type PolicyOverlay } from './policy.ts';
export { freePort } from './ports.ts';
export { type ServerProcess, type ServerRecipe, startServer, untilStopped } from './processes.ts';
export { processorMs } from './processor.ts';
export { type RedisServer, startRedis } from './redis.ts';
export { type StreamSizes, startTestBus, type TestBus } from './test-bus.ts';
export { startUpstream, type Upstream, type UpstreamBehaviour, type UpstreamRequest } from './upstream.ts';
