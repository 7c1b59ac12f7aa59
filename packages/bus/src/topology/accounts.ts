/**
 * NATS accounts: no service can publish another's events (docs/decisions/022).
 *
 * A1 Streams are in the account CORE, which no service joins; the provisioner alone logs in there.
 * A2 A service's account imports its own subjects, consumers, reads and inbox, and nothing else: a reply subject,
 *    an acknowledgement or a direct get then ends in the service's own account.
 * A3 All of it is derived from the lifecycle table; nothing is granted by hand.
 */
import {
  announcedBuckets,
  announceSubject,
  approvalHandlers,
  type BucketName,
  buckets,
  type ConsumerName,
  channel,
  channelSubject,
  consumers,
  controlPatterns,
  lifecycle,
  pulseBucket,
  purgedStreams,
  type RpcName,
  rpcSubject,
  rpcs,
  type ServiceName,
  type Step,
  type StoredStep,
  type StreamName,
  services,
  stepPattern,
  storedPattern,
  storedReaders,
  storesSubject,
  streamPattern,
  streams,
} from '@interlock/contracts';

/** The server's own account. Nobody joins it; the provisioner may ask the server how it is, and nothing else. */
const SYSTEM = 'SYS';
export const HEALTH_SUBJECT = '$SYS.REQ.SERVER.PING.HEALTHZ';
/** JetStream's API as a service's account sees it. */
export const API_PREFIX = 'CORE.API';
/** Larger than the largest event: 512 KiB of arguments, sealed and in base64, with what each step adds. */
const MAX_PAYLOAD_BYTES = 2 * 1_024 * 1_024;
/**
 * Each stream has its own limit. Without this one the server takes three quarters of what is free on the disk when it starts,
 * and then makes, or finds again, no streams that together may grow beyond that.
 */
const MAX_FILE_STORE_BYTES = 1_024 ** 4;
/** How many bytes may wait for a slow reader before the server disconnects it. */
const MAX_PENDING_BYTES = 256 * 1_024 * 1_024;

export interface ServerConfigOptions {
  host: string;
  /** 0 takes a free port. */
  port: number;
  storeDir: string;
  /** Public NKeys, by service. */
  publicKeys: Record<ServiceName, string>;
  /** The folder in which the server writes the ports that it listens on. */
  portsFileDir?: string;
}

type Grant = {
  kind: 'service' | 'stream';
  from: 'CORE' | ServiceName;
  subject: string;
  to?: string;
  many?: boolean;
};

/** Returns the configuration of a NATS server: JetStream that syncs always, and one account for each service. */
export function natsServerConfig(options: ServerConfigOptions): string {
  const { host, port, storeDir, publicKeys, portsFileDir } = options;
  const members = services.filter((service) => service !== 'provisioner');
  const accounts = [
    coreAccount(members, publicKeys.provisioner),
    ...members.map((service) => serviceAccount(service, members, publicKeys[service])),
  ];
  return [
    `listen: ${JSON.stringify(`${host}:${port === 0 ? -1 : port}`)}`,
    ...(portsFileDir === undefined ? [] : [`ports_file_dir: ${JSON.stringify(portsFileDir)}`]),
    `max_payload: ${MAX_PAYLOAD_BYTES}`,
    `max_pending: ${MAX_PENDING_BYTES}`,
    'ping_interval: "10s"',
    `jetstream { store_dir: ${JSON.stringify(storeDir)}, max_file_store: ${MAX_FILE_STORE_BYTES}, sync_interval: always }`,
    `system_account: ${SYSTEM}`,
    'accounts {',
    `  ${SYSTEM}: { exports: [ { service: ${JSON.stringify(HEALTH_SUBJECT)}, accounts: [CORE] } ] }`,
    ...accounts,
    '}',
    '',
  ].join('\n');
}

/** Returns the name of a service's account. */
export function accountName(service: ServiceName): string {
  return service.toUpperCase();
}

/** Returns everything that a service's account imports (A2). */
export function grantsOf(service: ServiceName): Grant[] {
  const pulse = api(`STREAM.INFO.KV_${pulseBucket}`);
  const others = [...streamGrants(service), ...bucketGrants(service)].filter(({ to }) => to !== pulse.to);
  return [...stepGrants(service), ...others, pulse, core('stream', storesSubject), ...peerGrants(service)];
}

/** Returns the streams in which a service must be able to store something, or whose events it must be able to acknowledge. */
export function streamsOf(service: ServiceName): string[] {
  const steps = (Object.keys(lifecycle) as Step[]).filter((step) => owns(lifecycle[step].owners, service));
  const consumed = (Object.keys(consumers) as ConsumerName[]).filter(
    (name) => consumers[name].service === service,
  );
  const written = (Object.keys(buckets) as BucketName[]).filter((name) => buckets[name].writer === service);
  const others: StreamName[] = [
    ...(service === 'auditor' ? (['ANCHORS'] as const) : []),
    ...(controlPatterns(service).length === 0 ? [] : (['CONTROL'] as const)),
  ];
  return [
    ...new Set([
      ...steps.map((step) => lifecycle[step].stream),
      ...consumed.map((name) => consumers[name].stream),
      ...others,
      ...written.map((name) => `KV_${name}`),
      // A disk that takes nothing more takes nothing more of any stream.
      'KV_probes',
    ]),
  ];
}

function stepGrants(service: ServiceName): Grant[] {
  const owned = (Object.keys(lifecycle) as Step[]).filter((step) => owns(lifecycle[step].owners, service));
  const received = (Object.keys(storedReaders) as StoredStep[]).filter((step) =>
    owns(storedReaders[step], service),
  );
  return [
    ...owned.map((step) => core('service', stepPattern(step))),
    ...received.map((step) => core('stream', storedPattern(step))),
  ];
}

function streamGrants(service: ServiceName): Grant[] {
  const grants: Grant[] = [];
  for (const name of Object.keys(consumers) as ConsumerName[]) {
    const { stream, service: owner } = consumers[name];
    if (owner !== service) continue;
    grants.push(
      { ...api(`CONSUMER.MSG.NEXT.${stream}.${name}`), many: true },
      api(`CONSUMER.INFO.${stream}.${name}`),
    );
    grants.push(core('service', `$JS.ACK.${stream}.${name}.>`));
  }
  for (const stream of Object.keys(streams) as StreamName[]) {
    if (owns(streams[stream].readers, service))
      grants.push(api(`STREAM.MSG.GET.${stream}`), api(`STREAM.INFO.${stream}`));
  }
  if (service === 'auditor')
    grants.push(
      ...purgedStreams.map((stream) => api(`STREAM.PURGE.${stream}`)),
      ...approvalHandlers.map((name) => api(`CONSUMER.INFO.APPROVALS.${name}`)),
      core('service', streamPattern('ANCHORS')),
    );
  for (const pattern of controlPatterns(service)) grants.push(core('service', pattern));
  return grants;
}

function bucketGrants(service: ServiceName): Grant[] {
  const grants: Grant[] = [];
  for (const name of Object.keys(buckets) as BucketName[]) {
    const { writer, readers: reading } = buckets[name];
    const stream = `KV_${name}`;
    if (writer === service) grants.push(core('service', `$KV.${name}.>`));
    if (writer !== service && !owns(reading, service)) continue;
    grants.push(
      api(`STREAM.INFO.${stream}`),
      api(`STREAM.MSG.GET.${stream}`),
      api(`CONSUMER.CREATE.${stream}.>`),
    );
    grants.push(
      api(`CONSUMER.INFO.${stream}.>`),
      api(`CONSUMER.DELETE.${stream}.>`),
      core('service', `$JS.FC.${stream}.>`),
    );
  }
  if (grants.length > 0) grants.push(core('stream', `${inboxPrefix(service)}.>`));
  return grants;
}

function peerGrants(service: ServiceName): Grant[] {
  const asked = (Object.keys(rpcs) as RpcName[]).filter((name) => owns(rpcs[name].clients, service));
  const grants: Grant[] = asked.map((name) => ({
    kind: 'service',
    from: rpcs[name].server,
    subject: rpcSubject(name),
  }));
  if (service === channel.door)
    grants.push({ kind: 'stream', from: channel.executor, subject: channelSubject('*', '*', 'out') });
  if (service === channel.executor)
    grants.push({ kind: 'stream', from: channel.door, subject: channelSubject('*', '*', 'in') });
  for (const name of announcedBuckets) {
    const { writer, readers } = buckets[name];
    if (owns(readers, service))
      grants.push({ kind: 'stream', from: writer, subject: announceSubject(name, '>') });
  }
  return grants;
}

/** Returns the prefix of a service's inboxes. */
export function inboxPrefix(service: ServiceName): string {
  return `_INBOX.${service}`;
}

/** A1: CORE has one user, the provisioner. */
function coreAccount(members: ServiceName[], provisionerKey: string): string {
  const exports = members.flatMap((service) =>
    grantsOf(service)
      .filter(({ from }) => from === 'CORE')
      .map((grant) => exported(grant, service)),
  );
  const health = `{ service: { account: ${SYSTEM}, subject: ${JSON.stringify(HEALTH_SUBJECT)} } }`;
  return account('CORE', 'jetstream: enabled', provisionerKey, exports, [health]);
}

function serviceAccount(service: ServiceName, members: ServiceName[], publicKey: string): string {
  const exports = members.flatMap((peer) =>
    grantsOf(peer)
      .filter(({ from }) => from === service)
      .map((grant) => exported(grant, peer)),
  );
  const imports = grantsOf(service).map(({ kind, from, subject, to }) => {
    const source = `{ ${kind}: { account: ${from === 'CORE' ? from : accountName(from)}, subject: ${JSON.stringify(subject)} }`;
    return to === undefined ? `${source} }` : `${source}, to: ${JSON.stringify(to)} }`;
  });
  return account(accountName(service), '', publicKey, exports, imports);
}

function account(
  name: string,
  head: string,
  publicKey: string,
  exports: string[],
  imports: string[],
): string {
  const lists = [
    ...(head === '' ? [] : [`    ${head}`]),
    `    users: [ { nkey: ${publicKey} } ]`,
    ...(exports.length === 0 ? [] : ['    exports: [', ...merged(exports), '    ]']),
    ...(imports.length === 0 ? [] : ['    imports: [', ...imports.map((line) => `      ${line}`), '    ]']),
  ];
  return [`  ${name}: {`, ...lists, '  }'].join('\n');
}

/** One export line for each subject: the server takes the same subject twice only with all its accounts in one list. */
function merged(exports: string[]): string[] {
  const accountsOf = new Map<string, Set<string>>();
  for (const line of exports) {
    const [head, name] = line.split(' accounts: ');
    if (head === undefined || name === undefined) continue;
    accountsOf.set(head, (accountsOf.get(head) ?? new Set()).add(name));
  }
  return [...accountsOf].map(([head, names]) => `      ${head} accounts: [${[...names].join(', ')}] }`);
}

function exported({ kind, subject, many }: Grant, to: ServiceName): string {
  return `{ ${kind}: ${JSON.stringify(subject)},${many ? ' response_type: stream,' : ''} accounts: ${accountName(to)}`;
}

function core(kind: 'service' | 'stream', subject: string): Grant {
  return { kind, from: 'CORE', subject };
}

function api(call: string): Grant {
  return { kind: 'service', from: 'CORE', subject: `$JS.API.${call}`, to: `${API_PREFIX}.${call}` };
}

function owns(list: readonly ServiceName[], service: ServiceName): boolean {
  return list.includes(service);
}
