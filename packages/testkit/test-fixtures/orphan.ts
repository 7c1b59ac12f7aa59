import { startRedis } from '../src/redis.ts';

/** Starts a server, says its process id, and is then killed by the test: the server must not stay behind. */
const redis = await startRedis();
process.send?.({ pid: redis.server.pid, folder: redis.server.folder });
