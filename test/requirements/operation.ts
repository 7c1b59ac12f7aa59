import type { Requirement } from './requirement.ts';

/** Stopping, tracing, recovering, setting up and running an installation. */
export const operationRequirements = {
  'P-log-never-fails': {
    text: 'A log that cannot be written fails no call and ends no process: its lines wait, and how many were lost is said once writing works again.',
    source: 'packages/shell/README.md',
    layer: 'unit',
  },
  'P-kill-within-a-second': {
    text: 'The kill switch takes effect everywhere within a second, and stops calls in flight before they start: no effect begins after the switch was acknowledged and its readers have it.',
    source: 'README.md',
    layer: 'line',
  },
  'P-kill-store-ill': {
    text: 'While the store takes no writes, the kill switch can be set and lifted: it reaches every service that acts on it, and is stored when that is possible.',
    source: 'services/console/README.md',
    layer: 'unit',
  },
  'P-ready-writes': {
    text: 'A service is not ready while NATS cannot write a stream that it needs, and is ready again by itself.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-clock-agrees': {
    text: 'A service whose clock differs from that of the NATS server does nothing until they agree.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-streams-bounded': {
    text: 'No stream only grows: what is recorded, under a checkpoint and no longer needed is purged, how a call ended is kept for as long as an Idempotency-Key is valid, and an alarm tells of a stream that is filling up.',
    source: 'services/provisioner/README.md',
    layer: 'unit',
  },
  'P-stream-budgets': {
    text: 'Every stream and bucket has a budget in calls a day at its default size, and at fifty calls a second none that holds calls fills up to its alarm.',
    source: 'docs/streams.md',
    layer: 'line',
  },
  'P-rolling-ingress': {
    text: 'Starting ingress again under interlock up refuses and cuts off no call: its successor listens on the same socket, the one that ends answers what it has and what comes over its connections, and calls made while none runs wait.',
    source: 'deploy/local/README.md',
    layer: 'fault',
  },
  'P-holds-under-faults': {
    text: 'Whatever fails while calls are made (a process, a network, a disk, a clock, the power, a store that is set back), nothing that was told as done is lost, nothing is done twice or without approval, every outcome is in the audit, no answer denies what was done, and every call ends.',
    source: 'test/simulate/README.md',
    layer: 'line',
  },
  'P-console-bounded': {
    text: 'What the console keeps of recent calls has a limit in calls and in bytes, however many calls there are.',
    source: 'services/console/README.md',
    layer: 'unit',
  },
  'P-verify-progress': {
    text: 'A check of the audit trail says how far it is while it runs, and ends for whoever asks again, however long it takes.',
    source: 'services/auditor/README.md',
    layer: 'unit',
  },
  'P-retry-rules': {
    text: 'A client that sends again, under the same Idempotency-Key, what the rules for clients name gets an outcome of each of its calls over a restart of NATS, and none is carried out twice.',
    source: 'docs/clients.md',
    layer: 'fault',
  },
  'P-kill-survives': {
    text: 'The kill switch survives restarts.',
    source: 'services/console/README.md',
    layer: 'fault',
  },
  'P-trace-one': {
    text: 'A call is one trace, with a span for each step and hop, on every event and the outgoing request.',
    source: 'W3C Trace Context',
    layer: 'line',
  },
  'P-trace-own': {
    text: 'A call always has a trace of its own. The trace of its agent is linked and not continued, and nothing of it reaches a tool server.',
    source: 'services/ingress/README.md',
    layer: 'line',
  },
  'P-trace-no-content': {
    text: 'Spans carry no arguments, results or secrets.',
    source: 'architecture: secrets',
    layer: 'line',
  },
  'P-recovers': {
    text: 'A service recovers by itself within 10 s of the return of a dependency: NATS, Redis, MongoDB, the upstream.',
    source: 'architecture: faults',
    layer: 'fault',
  },
  'P-survives-sigkill': {
    text: 'SIGKILL of any service between any two steps of a call leaves one effect or none, and an outcome.',
    source: 'architecture: faults',
    layer: 'fault',
  },
  'P-paused-executor': {
    text: 'An executor paused past its claim does nothing after a twin took over.',
    source: 'services/executor/README.md',
    layer: 'fault',
  },
  'P-auditor-catches-up': {
    text: 'An auditor that was stopped for longer than the line remembers misses nothing.',
    source: 'services/auditor/README.md',
    layer: 'fault',
  },
  'P-setup-bare-machine': {
    text: 'Set-up provisions what is missing, names what it cannot with three ways to supply it, and is quick the second time.',
    source: 'README.md',
    layer: 'unit',
  },
  'P-config-mistake': {
    text: 'A configuration mistake stops the start with the file, the pointer and what was expected.',
    source: 'packages/cli/README.md',
    layer: 'unit',
  },
  'P-apply-whole': {
    text: 'A configuration is applied whole or not at all, and the second time changes nothing.',
    source: 'services/console/README.md',
    layer: 'unit',
  },
  'P-apply-plan': {
    text: 'apply --dry-run says what applying would change, and changes nothing.',
    source: 'packages/cli/README.md',
    layer: 'line',
  },
  'P-removal-asked': {
    text: 'Before all tools, limits, rules about approvals, own rules or grants are removed, apply and up name them and ask; without a terminal they need --yes.',
    source: 'packages/cli/README.md',
    layer: 'line',
  },
  'P-credential-unset': {
    text: 'apply, up and doctor name each tool whose credential nobody has set, with file and line.',
    source: 'packages/cli/README.md',
    layer: 'line',
  },
  'P-doctor': {
    text: 'doctor asks every readiness probe and what was applied, says for each thing that is wrong what it is and what to do, and ends with 1.',
    source: 'packages/cli/README.md',
    layer: 'line',
  },
  'P-discover-command': {
    text: 'What an MCP server offers is looked at by the command itself, in the sandbox where there is one, and by no running service.',
    source: 'packages/cli/README.md',
    layer: 'line',
  },
  'P-up-supervises': {
    text: 'interlock up starts everything, restarts what dies with back-off, and stops cleanly.',
    source: 'README.md',
    layer: 'fault',
  },
  'P-apply-decided': {
    text: 'apply and up end well only when every decider uses the policy that they published.',
    source: 'packages/cli/README.md',
    layer: 'line',
  },
  'P-kill-names': {
    text: 'A kill switch for a name that nothing has is set, says so with the name that was meant, and ends with 1.',
    source: 'packages/cli/README.md',
    layer: 'unit',
  },
  'P-config-names': {
    text: 'A name, pointer or time zone that nothing in the configuration folder has is refused with file, line and what was meant, or warned about where it can only refuse calls.',
    source: 'packages/cli/README.md',
    layer: 'unit',
  },
  'P-installation-commands': {
    text: 'keys lists no private part, doctor finds a key that others can read, logs prints what each process wrote, and down stops everything and says what it stopped.',
    source: 'deploy/local/README.md',
    layer: 'unit',
  },
  'P-one-process': {
    text: 'A process runs the services it is given as arguments, and needs the variables of no other.',
    source: 'deploy/local/README.md',
    layer: 'unit',
  },
  'P-data-format': {
    text: 'A data folder with content of another format is refused with what to do, and stays as it is.',
    source: 'deploy/local/README.md',
    layer: 'unit',
  },
  'P-init-copies': {
    text: 'interlock init copies an example into a new folder, where it is a valid configuration.',
    source: 'deploy/local/README.md',
    layer: 'unit',
  },
  'P-demo': {
    text: 'The demo plays real calls with no account and no key, checks every step, says who decided, and leaves nothing behind.',
    source: 'README.md',
    layer: 'line',
  },
  'P-quickstart': {
    text: 'What the README asks a newcomer to type works, word for word.',
    source: 'README.md',
    layer: 'line',
  },
  'P-up-progress': {
    text: 'interlock up says what it does while it does it: what it compiles, starts, applies and waits for.',
    source: 'deploy/local/README.md',
    layer: 'unit',
  },
  'P-agent-grant': {
    text: 'Whoever creates an agent is told which tools it may ask for and, where there is none, the grant that is missing.',
    source: 'packages/cli/README.md',
    layer: 'line',
  },
  'P-up-heals-servers': {
    text: 'A server that interlock up started, and that lives and does not work, is started again by it: one that does not answer, and a NATS whose disk was full. Calls go on without a hand.',
    source: 'deploy/local/README.md',
    layer: 'fault',
  },
  'P-dev-restarts': {
    text: 'npm run dev restarts the services that run a changed source file and no other, says which, and ends cleanly.',
    source: 'deploy/local/README.md',
    layer: 'line',
  },
  'P-docs-leave-no-trace': {
    text: 'README and tutorial work on copies, in either order in one clone, and leave its working tree clean.',
    source: 'README.md',
    layer: 'line',
  },
  'P-readme-true': {
    text: 'Every command of the README is run by a test.',
    source: 'README.md',
    layer: 'line',
  },
  'P-docs-true': {
    text: 'Every file, heading, symbol, limit and decision that the documentation names exists and is as it says.',
    source: 'README.md',
    layer: 'line',
  },
  'P-bench-whole': {
    text: 'One run of the bench measures the upstream alone, the floor and the whole line.',
    source: 'README.md',
    layer: 'line',
  },
  'P-repository-rules': {
    text: 'Import rules, vendor fences, file lengths and the list of words hold, and every promise has a test in its layer.',
    source: 'architecture: the floors',
    layer: 'line',
  },
} as const satisfies Record<`P-${string}`, Requirement>;
