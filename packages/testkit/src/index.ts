export { FakeClock } from './clock.ts';
export { eventually } from './eventually.ts';
export { type House, startHouse } from './house.ts';
export { type MongoServer, startMongo } from './mongo.ts';
export { type NatsServer, startNats } from './nats.ts';
export { freePort } from './ports.ts';
export { type ServerProcess, type ServerRecipe, startServer } from './processes.ts';
export { type RedisServer, startRedis } from './redis.ts';
export { startUpstream, type Upstream, type UpstreamBehaviour, type UpstreamRequest } from './upstream.ts';
