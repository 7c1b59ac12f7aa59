import { Fault } from '@interlock/contracts';
import { type Mapping, mappingSchema, merged } from '@interlock/policy';
import {
  explainablePolicy,
  type ImaginedCall,
  imaginedCall,
  type KnownConfiguration,
  meantText,
  NOTHING_KNOWN,
  toolsOf,
} from '@interlock/policy-analysis';
import { Failure, systemClock } from '@interlock/shell';
import type { Command } from 'commander';
import { z } from 'zod';
import { managementClientOf } from '../../client.ts';
import { folderAround } from '../../configuration-around.ts';
import { usage } from '../../exit-codes.ts';
import { foldersOf } from '../../folders.ts';
import { loadConfiguration } from '../../load-configuration.ts';
import { print } from '../../output.ts';
import { entryOf, openCandidate, openPublished, readPolicyState } from '../../policy/bundles.ts';
import { imaginedInputs, knownThere } from '../../policy/imagined-input.ts';
import { type AskedPolicy, imaginedText } from '../../policy/imagined-text.ts';
import { agentName, type ManagementOptions, managementCommand } from '../options.ts';

interface EvalOptions extends ManagementOptions {
  agent?: ReturnType<typeof agentName>;
  published?: boolean;
}

/** A policy that can be asked, with the tools and agents it decides about. */
interface Asked {
  named: AskedPolicy;
  policy: Parameters<typeof explainablePolicy>[0];
  bytes: Uint8Array;
  known: KnownConfiguration;
}

const NOTES = `
The call is JSON as the "given" of a case: a tool by its name, "arguments", and what else matters ("context",
"session", "approval" …); the rest is an ordinary call of now, in a session that used the tool before. A tool and an agent
have what the configuration says of them; with --published, what the running installation has.
Nothing is called, recorded or charged. The exit code is 0 whatever the verdict is.`;

/** `interlock policy eval`: what a policy says about a call that nobody made. */
export function evalCommand(): Command {
  return managementCommand(
    'eval',
    'answer like explain about a call that nobody made',
    `interlock policy eval '{"tool": "add-note", "arguments": {"title": "Milk"}}' --agent helper`,
  )
    .argument('<call>', 'the call, a JSON object')
    .argument('[dir]', 'folder of policies, a configuration, or a bundle (default: the configuration)')
    .option('--agent <tenant/agent>', 'the agent who calls (default: the only one there is)', agentName)
    .option('--published', 'ask the policy in force instead')
    .addHelpText('after', NOTES)
    .action(async (call: string, dir: string | undefined, options: EvalOptions) => {
      if (dir !== undefined && options.published === true)
        throw usage('Name a folder or --published, not both.');
      const given = givenOf(call);
      const asked = options.published === true ? await published(options) : await fromFolder(dir, options);
      const imagined = await evaluate(withAgent(given, asked.known, options), asked);
      print(options, { policy: asked.named, ...imagined }, imaginedText(imagined, asked.named));
    });
}

async function evaluate(given: Mapping, { policy, bytes, named, known }: Asked): Promise<ImaginedCall> {
  assertKnownTool(given, known);
  const explainable = explainablePolicy(policy, bytes);
  const nowMs = systemClock.nowMs();
  const [input] = await inputsOf([given], { known, data: explainable.data, nowMs });
  if (input === undefined) throw new TypeError('Each call has an input.');
  const version = named.from === 'published' ? named.version : 1;
  return imaginedCall(input, explainable, { version, digest: named.digest });
}

async function inputsOf(...asked: Parameters<typeof imaginedInputs>): ReturnType<typeof imaginedInputs> {
  try {
    return await imaginedInputs(...asked);
  } catch (error) {
    if (error instanceof Fault && error.code === 'configuration_invalid')
      throw usage(`Policy could see no such call. ${error.detail}`, error);
    throw error;
  }
}

async function fromFolder(dir: string | undefined, options: EvalOptions): Promise<Asked> {
  const { config, data } = foldersOf(options);
  const { signal } = new AbortController();
  const around = await folderAround(dir, config);
  const loaded = around === undefined ? undefined : await loadConfiguration(around, data);
  const { held, bytes, source } = await openCandidate(dir, options, signal);
  return {
    named: { from: 'folder', source, digest: held.digest },
    policy: held.policy,
    bytes,
    known:
      loaded === undefined ? NOTHING_KNOWN : { tools: loaded.tools.flatMap(toolsOf), agents: loaded.agents },
  };
}

async function published(options: EvalOptions): Promise<Asked> {
  const client = await managementClientOf(options);
  const entry = entryOf(await readPolicyState(client), 'current');
  const { held, bytes, signature } = await openPublished(client, entry, options);
  const { version, digest } = held;
  return {
    named: { from: 'published', version, digest, signature },
    policy: held.policy,
    bytes,
    known: await knownThere(client),
  };
}

const callSchema = mappingSchema.refine(({ tool }) => tool !== undefined, 'name a tool');

function givenOf(text: string): Mapping {
  try {
    return callSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw usage('The call must be a JSON object that names a tool, such as {"tool": "add-note"}.', cause);
  }
}

/** Returns the call with the agent who makes it. One that the call describes itself need not be known. */
function withAgent(given: Mapping, { agents }: KnownConfiguration, { agent: wanted }: EvalOptions): Mapping {
  if (wanted === undefined && (agents.length === 0 || given['subject'] !== undefined)) return given;
  const names = agents.map(({ tenant, agent }) => `${tenant}/${agent}`);
  const [only, ...others] = agents;
  const found = wanted ?? (others.length === 0 ? only : undefined);
  if (found === undefined) throw usage(`Name the agent who calls with --agent: ${names.join(', ')}.`);
  const { tenant, agent } = found;
  const name = `${tenant}/${agent}`;
  if (names.length > 0 && !names.includes(name))
    throw new Failure('agent_unknown', `There is no agent ${name}${meantText(name, names) || '.'}`, {
      next: `Agents that are known here: ${names.join(', ')}.`,
    });
  return merged(given, { subject: { tenant, agent } });
}

const namedToolSchema = z.object({
  tool: z.union([z.string(), z.object({ name: z.string(), labels: z.undefined() })]),
});

/** A tool that the call describes itself need not be known. Throws `tool_unknown`. */
function assertKnownTool(given: Mapping, { tools }: KnownConfiguration): void {
  const { data } = namedToolSchema.safeParse(given);
  if (data === undefined || tools.length === 0) return;
  const name = typeof data.tool === 'string' ? data.tool : data.tool.name;
  const names = tools.map((tool) => tool.name);
  if (names.includes(name)) return;
  throw new Failure('tool_unknown', `There is no tool ${name}${meantText(name, names) || '.'}`, {
    next: 'Name a tool of the configuration, or give its labels: {"tool": {"name": "…", "labels": []}}.',
  });
}
