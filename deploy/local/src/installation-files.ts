/** What stands where in the data folder of an installation. */
import path from 'node:path';
import { authorKeyFile, commandsFile, contextFile } from '@interlock/cli';

/** Returns the files and folders of a data folder. */
export function dataFiles(data: string) {
  return {
    format: path.join(data, 'format.json'),
    context: contextFile(data),
    keys: path.join(data, 'keys'),
    keyring: path.join(data, 'keys', 'keyring.jws'),
    author: authorKeyFile(data),
    kek: path.join(data, 'keys', 'broker.kek.json'),
    callIdKey: path.join(data, 'keys', 'call-id.key'),
    redisPassword: path.join(data, 'keys', 'redis.password'),
    traceToken: path.join(data, 'keys', 'trace.token'),
    operator: path.join(data, 'operator', 'operator.json'),
    people: path.join(data, 'people.json'),
    ports: path.join(data, 'ports.json'),
    commands: commandsFile(data),
    lock: path.join(data, 'up.json'),
    services: path.join(data, 'services.json'),
    sockets: path.join(data, 'sockets'),
    logs: path.join(data, 'logs'),
  };
}
