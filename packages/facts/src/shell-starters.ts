/**
 * Programs that start a command which is given to them as arguments: `env`, `sudo`, `xargs`, `find -exec` and others.
 *
 * S1. What they start is read like every other command, so that a rule sees it.
 * S2. Where the command begins must be certain: an option that is not listed here, or an argument that is known only at
 *     run time, makes the line unreadable. So do programs of this kind that are listed here without their options.
 */
import { Unreadable } from './shell-word.ts';

type Value = string | null;

/** What a program starts: a command of words, or a text for a shell. */
export type Started = { is: 'command'; words: readonly Value[] } | { is: 'script'; text: string };

/** How a program reads the arguments before its command. */
interface Usage {
  /** Short options without a value, and those with one. */
  flags?: string;
  valued?: string;
  /** Long options without a value; those with one end in `=`. */
  long?: readonly string[];
  /** Operands before the command. */
  operands?: number;
  /** A lone `-` ends the options. */
  dash?: true;
  /** `NAME=value` before the command. */
  assigns?: true;
  /** The words are joined and given to a shell. */
  joins?: true;
}

/** Programs whose `-c` is a command line of its own. */
const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh', 'rbash']);

const USAGES: Readonly<Record<string, Usage>> = {
  builtin: {},
  doas: { flags: 'nL', valued: 'uC' },
  env: {
    flags: 'i0v',
    valued: 'uC',
    long: ['ignore-environment', 'null', 'debug', 'unset=', 'chdir='],
    dash: true,
    assigns: true,
  },
  exec: { flags: 'cl', valued: 'a' },
  flock: {
    flags: 'sxunoeF',
    valued: 'wE',
    long: ['shared', 'exclusive', 'nonblock', 'close', 'timeout='],
    operands: 1,
  },
  ionice: { flags: 't', valued: 'cn', long: ['class=', 'classdata=', 'ignore'] },
  nice: { valued: 'n', long: ['adjustment='] },
  nohup: {},
  setsid: { flags: 'cfw', long: ['ctty', 'fork', 'wait'] },
  stdbuf: { valued: 'ioe', long: ['input=', 'output=', 'error='] },
  sudo: {
    flags: 'AbEHnPSk',
    valued: 'ugpCDTRrth',
    long: [
      'askpass',
      'background',
      'preserve-env',
      'set-home',
      'non-interactive',
      'stdin',
      'user=',
      'group=',
      'host=',
    ],
    assigns: true,
  },
  taskset: { flags: 'ac', long: ['all-tasks', 'cpu-list'], operands: 1 },
  time: {
    flags: 'apqv',
    valued: 'fo',
    long: ['append', 'portability', 'quiet', 'verbose', 'format=', 'output='],
  },
  timeout: {
    flags: 'v',
    valued: 'ks',
    long: ['foreground', 'preserve-status', 'verbose', 'kill-after=', 'signal='],
    operands: 1,
  },
  watch: { flags: 'bcdegtwC', valued: 'nq', long: ['beep', 'color', 'no-title', 'interval='], joins: true },
};

/** Programs that start a command in a way that is not read here. */
const OTHERS = new Set(
  `at batch bwrap caffeinate capsh catchsegv choom chpst chronic chroot chrt coproc cpulimit csh dbus-run-session dumb-init
  eatmydata entr expect fakeroot faketime firejail fish gosu ksh93 linux32 linux64 ltrace nsenter numactl parallel perf pkexec
  prlimit proot proxychains proxychains4 pwsh rlwrap run-parts runcon runuser setarch setlock setpriv sg softlimit ssh-agent
  start-stop-daemon strace su-exec systemd-inhibit systemd-run tcsh tini torsocks unbuffer unshare valgrind xvfb-run yash`.split(
    /\s+/,
  ),
);

/** Returns what a program starts by its arguments, in order. Throws `Unreadable` where that is not certain (S2). */
export function startedBy(name: Value, values: readonly Value[]): Started[] {
  const program = name?.split('/').at(-1) ?? '';
  if (SHELLS.has(program)) return shellScript(values);
  if (OTHERS.has(program)) throw new Unreadable();
  const usage = Object.hasOwn(USAGES, program) ? USAGES[program] : undefined;
  if (usage !== undefined) return commandAfter(values, usage);
  switch (program) {
    case 'eval':
      return [{ is: 'script', text: values.map(known).join(' ') }];
    case 'command':
      // `-v` and `-V` only say what would start.
      return /^-[pvV]*[vV]/.test(values[0] ?? '') ? [] : commandAfter(values, { flags: 'p' });
    case 'busybox':
    case 'toybox':
      return values.length === 0 || known(values[0]).startsWith('-')
        ? []
        : [{ is: 'command', words: values }];
    case 'find':
      return commandsOfFind(values);
    case 'xargs':
      return commandOfXargs(values);
    case 'su':
      return scriptOfSu(values);
    case 'ssh':
      return scriptOfSsh(values);
    case 'script':
      return scriptOfScript(values);
    case 'trap':
      return scriptOfTrap(values);
    case 'alias':
      // What it defines may stand for any later name.
      if (values.some((value) => value === null || value.includes('='))) throw new Unreadable();
      return [];
    case 'hash':
    case 'enable':
      // They put a program of a file in the place of a name.
      if (values.some((value) => value === null || value.startsWith('-'))) throw new Unreadable();
      return [];
    default:
      return [];
  }
}

function known(value: Value | undefined): string {
  if (value === null || value === undefined) throw new Unreadable();
  return value;
}

function commandAfter(values: readonly Value[], usage: Usage): Started[] {
  const { words } = splitAt(values, usage);
  if (words.length === 0) return [];
  if (usage.joins === undefined) return [{ is: 'command', words }];
  return [{ is: 'script', text: words.map(known).join(' ') }];
}

/** Returns the command behind a program's own arguments, and the values of its short options. */
function splitAt(
  values: readonly Value[],
  { flags = '', valued = '', long = [], operands = 0, dash, assigns }: Usage,
): { words: readonly Value[]; options: [letter: string, value: string][] } {
  const options: [string, string][] = [];
  let index = 0;
  for (; index < values.length; index += 1) {
    const value = known(values[index]);
    if (value === '--' || (value === '-' && dash === true)) {
      index += 1;
      break;
    }
    if (value === '-') throw new Unreadable();
    if (!value.startsWith('-')) break;
    if (value.startsWith('--')) {
      const [option = '', ...given] = value.slice(2).split('=');
      if (given.length === 0 && long.includes(option)) continue;
      if (given.length === 0 && long.includes(`${option}=`)) index += 1;
      else if (!long.includes(`${option}=`)) throw new Unreadable();
      continue;
    }
    const cluster = value.slice(1);
    const end = [...cluster].findIndex((letter) => !flags.includes(letter));
    if (end < 0) continue;
    const letter = cluster[end] ?? '';
    if (!valued.includes(letter)) throw new Unreadable();
    const attached = cluster.slice(end + 1);
    if (attached === '') index += 1;
    options.push([letter, attached === '' ? known(values[index]) : attached]);
  }
  for (; assigns === true && index < values.length; index += 1)
    if (!/^[A-Za-z_][A-Za-z0-9_]*=/.test(known(values[index]))) break;
  for (let operand = 0; operand < operands && index < values.length; operand += 1, index += 1)
    known(values[index]);
  // Some programs take options behind their operands, too.
  if (values[index]?.startsWith('-') === true) throw new Unreadable();
  return { words: values.slice(index), options };
}

function shellScript(values: readonly Value[]): Started[] {
  const at = values.findIndex((value) => value === null || /^[-+](?!-).*c/s.test(value));
  if (at < 0) return [];
  // The next argument belongs to an `o` or `O` beside the `c`, or to `-rcfile`; what `+c` means differs.
  if (/^\+|[oO]|rcfile/.test(known(values[at]))) throw new Unreadable();
  const script = known(values[at + 1]);
  // More options may come between `-c` and its script.
  if (/^[-+]/.test(script)) throw new Unreadable();
  return [{ is: 'script', text: script }];
}

/** `find` starts a command for each `-exec`. An argument that is not known could be one. */
function commandsOfFind(values: readonly Value[]): Started[] {
  const words = values.map(known);
  const started: Started[] = [];
  for (let index = 0; index < words.length; index += 1) {
    if (!/^-(exec|execdir|ok|okdir)$/.test(words[index] ?? '')) continue;
    const end = words.findIndex(
      (word, at) => at > index && (word === ';' || (word === '+' && words[at - 1] === '{}')),
    );
    if (end < 0) throw new Unreadable();
    const command = words.slice(index + 1, end).map((word) => (word.includes('{}') ? null : word));
    started.push({ is: 'command', words: command });
    index = end;
  }
  return started;
}

/** `xargs` adds arguments that are known only at run time. Without a command it starts `echo`. */
function commandOfXargs(values: readonly Value[]): Started[] {
  const { words, options } = splitAt(values, {
    flags: '0rtxop',
    valued: 'IJadELnPsR',
    long: [
      'null',
      'no-run-if-empty',
      'verbose',
      'exit',
      'max-args=',
      'max-procs=',
      'delimiter=',
      'arg-file=',
    ],
  });
  if (words.length === 0) return [];
  const replaced = options.findLast(([letter]) => letter === 'I' || letter === 'J')?.[1];
  const command = words.map((word) => (replaced !== undefined && word?.includes(replaced) ? null : word));
  return [{ is: 'command', words: replaced === undefined ? [...command, null] : command }];
}

function scriptOfSu(values: readonly Value[]): Started[] {
  const words = values.map(known);
  const at = words.flatMap((word, index) =>
    /^(-[a-zA-Z]*c|--(session-)?command)$/.test(word) ? [index] : [],
  );
  const [first, ...more] = at;
  if (more.length > 0) throw new Unreadable();
  if (first !== undefined) return [{ is: 'script', text: known(words[first + 1]) }];
  // An attached script, or an option that starts another shell.
  if (words.some((word) => /^-./.test(word) && !/^(-l|-m|-p|--login|--preserve-environment)$/.test(word)))
    throw new Unreadable();
  return [];
}

/** What another machine's shell runs counts like what this one's does; some options run a command here. */
function scriptOfSsh(values: readonly Value[]): Started[] {
  const usage = { flags: '46AaCfgKkMNnqTtVvXxYy', valued: 'BbcDeIiJLlmopRSWw', operands: 1 };
  const { words, options } = splitAt(values, usage);
  if (options.some(([letter, value]) => letter === 'o' && /command|include/i.test(value)))
    throw new Unreadable();
  return words.length === 0 ? [] : [{ is: 'script', text: words.map(known).join(' ') }];
}

function scriptOfScript(values: readonly Value[]): Started[] {
  const { words, options } = splitAt(values, { flags: 'aefq', valued: 'cEIoOBTt', operands: 1 });
  if (words.length > 0) throw new Unreadable();
  return options.flatMap(([letter, text]) => (letter === 'c' ? [{ is: 'script', text } as const] : []));
}

function scriptOfTrap(values: readonly Value[]): Started[] {
  const [first, ...rest] = values[0] === '--' ? values.slice(1) : values;
  if (first === undefined || first === '-' || first?.startsWith('-') === true || rest.length === 0) return [];
  return [{ is: 'script', text: known(first) }];
}
