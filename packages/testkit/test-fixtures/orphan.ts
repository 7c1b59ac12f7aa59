import { startRedis } from '../src/redis.ts';

/** Starts a server, prints its process id, and is then killed by the test: the server must end, too. */
const redis = await startRedis();
process.send?.({ pid: redis.server.pid, folder: redis.server.folder });
