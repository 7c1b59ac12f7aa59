/**
 * The four native programs Interlock runs on, the sandbox of local MCP servers, and the linter of its policies: which versions can be used, where each may
 * come from, and how a person can supply one.
 *
 * @typedef {{ major: number, minor: number, below?: number }} VersionRange `below` is the first major refused.
 * @typedef {{
 *   name: string, version: string, purpose: string, executable: string, range: VersionRange,
 *   versionArguments: string[], binaryVariable: string, addressVariable?: string,
 *   image?: string, imagePath?: string, goFolder?: string, goPackage?: string, goModule?: string, versionFile?: string,
 *   versionSymbol?: string, goesOnWithout?: string, debianPackage?: string, debianPath?: string, ways: string[],
 * }} Tool `goFolder` holds the go.mod of a build, from here; `versionSymbol` is set to the version when it is linked;
 *   `goesOnWithout` says what follows when the program is missing, which then stops nothing.
 */

const ENGINE_WAY =
  'start a container engine (docker or podman): set-up takes the program from its official image';
const GO_WAY = 'install Go 1.26 or newer (https://go.dev/dl): set-up builds the pinned version itself';

/** @type {readonly Tool[]} */
export const TOOLS = [
  {
    name: 'nats-server',
    version: '2.15.2',
    purpose: 'the event bus',
    executable: 'nats-server',
    range: { major: 2, minor: 15, below: 3 },
    versionArguments: ['--version'],
    binaryVariable: 'INTERLOCK_NATS_SERVER_BIN',
    addressVariable: 'NATS_URL',
    image: 'docker.io/library/nats:2.15.2',
    imagePath: '/nats-server',
    goPackage: 'github.com/nats-io/nats-server/v2',
    ways: [
      'put nats-server 2.15 or newer on the PATH, or name it: INTERLOCK_NATS_SERVER_BIN=/path/to/nats-server',
      ENGINE_WAY,
      GO_WAY,
    ],
  },
  {
    name: 'opa',
    version: '1.22.0',
    purpose: 'compiles policies',
    executable: 'opa',
    range: { major: 1, minor: 0, below: 2 },
    versionArguments: ['version'],
    binaryVariable: 'INTERLOCK_OPA_BIN',
    image: 'docker.io/openpolicyagent/opa:1.22.0-static',
    imagePath: '/opa',
    goPackage: 'github.com/open-policy-agent/opa',
    ways: ['put opa 1.x on the PATH, or name it: INTERLOCK_OPA_BIN=/path/to/opa', ENGINE_WAY, GO_WAY],
  },
  {
    name: 'ferretdb',
    version: '1.24.0',
    purpose: 'the audit store, speaking the MongoDB protocol',
    executable: 'ferretdb',
    // FerretDB 2 has no SQLite backend, the one that needs no further server.
    range: { major: 1, minor: 24, below: 2 },
    versionArguments: ['--version'],
    binaryVariable: 'INTERLOCK_FERRETDB_BIN',
    addressVariable: 'MONGODB_URL',
    image: 'ghcr.io/ferretdb/ferretdb:1.24.0',
    imagePath: '/ferretdb',
    goPackage: 'github.com/FerretDB/FerretDB/cmd/ferretdb',
    goModule: 'github.com/FerretDB/FerretDB',
    // The program panics at start without this file, and its published module does not contain it.
    versionFile: 'build/version/version.txt',
    ways: [
      'put ferretdb 1.24 on the PATH, or name it: INTERLOCK_FERRETDB_BIN=/path/to/ferretdb',
      ENGINE_WAY,
      GO_WAY,
    ],
  },
  {
    name: 'redis',
    version: '7',
    purpose: 'counters and limits',
    executable: 'redis-server',
    range: { major: 7, minor: 0 },
    versionArguments: ['--version'],
    binaryVariable: 'INTERLOCK_REDIS_BIN',
    addressVariable: 'REDIS_URL',
    image: 'docker.io/library/redis:7.2.5-bookworm',
    imagePath: '/usr/local/bin/redis-server',
    // redis-tools holds the server's program under another name and, unlike redis-server, starts no service.
    debianPackage: 'redis-tools',
    debianPath: '/usr/bin/redis-check-rdb',
    ways: [
      'install Redis 7 or newer (apt-get install redis-server, brew install redis), or name it: INTERLOCK_REDIS_BIN=/path/to/redis-server',
      ENGINE_WAY,
      'on Debian or Ubuntu, run this once as root: set-up then installs it with apt-get',
    ],
  },
];

/** @type {Tool} works on Linux only. */
export const BUBBLEWRAP = {
  name: 'bubblewrap',
  version: '0',
  purpose: 'the sandbox of local MCP servers',
  executable: 'bwrap',
  // The first with --clearenv and --size.
  range: { major: 0, minor: 8, below: 1 },
  versionArguments: ['--version'],
  binaryVariable: 'INTERLOCK_BWRAP_BIN',
  debianPackage: 'bubblewrap',
  debianPath: '/usr/bin/bwrap',
  goesOnWithout: 'local MCP servers run without a sandbox, with your rights',
  ways: [
    'install bubblewrap (apt-get install bubblewrap, dnf install bubblewrap), or name it: INTERLOCK_BWRAP_BIN=/path/to/bwrap',
    'on Debian or Ubuntu, run this once as root: set-up then installs it with apt-get',
  ],
};

/** @type {Tool} what `lint:rego` runs; nothing else needs it. */
export const REGAL = {
  name: 'regal',
  version: '0.39.0',
  purpose: 'lints the policies',
  executable: 'regal',
  range: { major: 0, minor: 39, below: 1 },
  versionArguments: ['version'],
  binaryVariable: 'INTERLOCK_REGAL_BIN',
  // It carries another OPA than the one that compiles the policies, so it is pinned by a module of its own.
  goFolder: 'regal',
  goPackage: 'github.com/open-policy-agent/regal',
  // A Go build knows no version by itself, and its first number would be that of Go.
  versionSymbol: 'github.com/open-policy-agent/regal/pkg/version.Version',
  ways: ['put regal 0.39 or newer on the PATH, or name it: INTERLOCK_REGAL_BIN=/path/to/regal', GO_WAY],
};

/**
 * Finds the first `major.minor` in what a program prints about itself.
 * @param {string} output
 * @returns {{ major: number, minor: number, text: string } | undefined} undefined when it names no version
 */
export function parseVersion(output) {
  const match = /(\d+)\.(\d+)(?:\.\d+)?/.exec(output);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), text: match[0] };
}

/**
 * @param {{ major: number, minor: number }} version
 * @param {VersionRange} range
 */
export function isInRange(version, range) {
  if (range.below !== undefined && version.major >= range.below) return false;
  return version.major > range.major || (version.major === range.major && version.minor >= range.minor);
}

/**
 * Returns a range in words: "2.15 or newer, below 3".
 * @param {VersionRange} range
 */
export function describeRange(range) {
  const floor = `${range.major}.${range.minor} or newer`;
  return range.below === undefined ? floor : `${floor}, below ${range.below}`;
}
