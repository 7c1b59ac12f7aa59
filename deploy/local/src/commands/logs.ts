import { type CommonOptions, command, foldersOf, plain, print, usage } from '@interlock/cli';
import { type Command, InvalidArgumentError } from 'commander';
import { endOf, followLogs, type Log, logsOf } from '../logs.ts';

const LINES = 20;
const LINES_MAX = 10_000;

interface LogsOptions extends CommonOptions {
  follow?: boolean;
  lines: number;
}

/** `interlock logs`: prints the logs of services and servers. */
export function logsCommand(): Command {
  return command(
    'logs',
    'print the end of the logs of services and servers',
    'interlock logs executor --follow',
  )
    .argument('[service]', 'a service or server (default: all of them)')
    .option('--follow', 'print what is added, until interrupted')
    .option('--lines <n>', 'how many lines of each log are printed', lineCount, LINES)
    .action(runLogs);
}

async function runLogs(service: string | undefined, options: LogsOptions): Promise<void> {
  const { follow, json, lines } = options;
  if (follow === true && json === true) throw usage('Use either --follow or --json.');
  const { data } = foldersOf(options);
  const logs = await logsOf(data, service);
  const ends = await Promise.all(logs.map(async (log) => ({ log, ...(await endOf(log, lines)) })));
  const width = Math.max(...logs.map(({ name }) => name.length));
  const shown = ({ name }: Log, line: string) => plain(`${name.padEnd(width)}  ${line}`);
  const result = { logs: ends.map(({ log, lines: own }) => ({ process: log.name, lines: own })) };
  const text = ends.flatMap(({ log, lines: own }) => own.map((line) => shown(log, line))).join('\n');
  if (json === true || text !== '') print(options, result, text);
  if (follow !== true) return;
  const stop = new AbortController();
  const end = () => stop.abort();
  process.on('SIGTERM', end).on('SIGINT', end);
  // Whoever read the lines has ended, such as head(1).
  process.stdout.on('error', end);
  try {
    for await (const { log, line } of followLogs(data, { service, ends, signal: stop.signal }))
      print({}, undefined, shown(log, line));
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end);
    process.stdout.off('error', end);
  }
}

function lineCount(text: string): number {
  const count = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= LINES_MAX) return count;
  throw new InvalidArgumentError(`Write a number of lines, at most ${LINES_MAX}.`);
}
