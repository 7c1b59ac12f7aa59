import { Command, InvalidArgumentError } from 'commander';

/** Options of every command. */
export interface CommonOptions {
  json?: boolean;
  data?: string;
  config?: string;
}

/** Options of a command that a person gives to the management API. */
export interface ManagementOptions extends CommonOptions {
  as?: string;
}

/** Returns a command with the options that all have, and an example. */
export function command(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'print one JSON document')
    .option('--config <dir>', 'configuration folder (INTERLOCK_CONFIG; default: .)')
    .option('--data <dir>', 'data folder (INTERLOCK_DATA; default: .interlock in the configuration folder)')
    .addHelpText('after', `\nExample:\n  $ ${example}`);
}

/** Returns a command that a person gives to the management API. */
export function managementCommand(name: string, description: string, example: string): Command {
  return command(name, description, example).option('--as <person>', 'act as this person');
}

/** Parses a whole number that is not negative. */
export function wholeNumber(text: string): number {
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write a whole number.');
}

/** Parses a port. */
export function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port <= 65_535) return port;
  throw new InvalidArgumentError('Write a port number, at most 65535.');
}

/** Parses `TENANT/AGENT`, or an agent of the tenant `default`. */
export function agentName(text: string): { tenant: string; agent: string } {
  const [first = '', second, ...rest] = text.split('/');
  const name = second === undefined ? { tenant: 'default', agent: first } : { tenant: first, agent: second };
  const isName = (part: string) => /^[A-Za-z0-9_-]{1,64}$/.test(part);
  if (rest.length === 0 && isName(name.tenant) && isName(name.agent)) return name;
  throw new InvalidArgumentError('Write TENANT/AGENT.');
}
