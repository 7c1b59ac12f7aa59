import { Command, InvalidArgumentError } from 'commander';

/** Options of every command. */
export interface CommonOptions {
  json?: boolean;
  data?: string;
  config?: string;
}

/** Makes a command with the options that all have, and an example. */
export function command(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'print one JSON document')
    .option('--config <dir>', 'configuration folder (INTERLOCK_CONFIG; default: .)')
    .option('--data <dir>', 'data folder (INTERLOCK_DATA; default: .interlock in the configuration folder)')
    .addHelpText('after', `\nExample:\n  $ ${example}`);
}

/** Parses a whole number that is not negative. */
export function wholeNumber(text: string): number {
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

/** Parses a port. */
export function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a port.');
}

/** Parses `TENANT/AGENT`, or an agent of the tenant `default`. */
export function agentName(text: string): { tenant: string; agent: string } {
  const [first = '', second, ...rest] = text.split('/');
  const name = second === undefined ? { tenant: 'default', agent: first } : { tenant: first, agent: second };
  const isName = (part: string) => /^[A-Za-z0-9_-]{1,64}$/.test(part);
  if (rest.length === 0 && isName(name.tenant) && isName(name.agent)) return name;
  throw new InvalidArgumentError('It must be TENANT/AGENT.');
}
