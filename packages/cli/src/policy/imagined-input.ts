/** The input of policy about a call that nobody made: now, in a session that used the tool before. */
import { agentListSchema, type PolicyInput } from '@interlock/contracts';
import { inputAbout, type Mapping, mappingSchema, merged } from '@interlock/policy';
import { createCallCompleter, type KnownConfiguration, type KnownTool } from '@interlock/policy-analysis';
import type { ApiClient } from '../client.ts';
import { listTools } from '../tools.ts';

/**
 * Returns the inputs about some calls, each with what is known of its tool and agent; `data` is that of the policy, whose
 * time zones they need. Throws `configuration_invalid` for what policy could never see.
 */
export async function imaginedInputs(
  calls: readonly Mapping[],
  { known, data, nowMs }: { known: KnownConfiguration; data: unknown; nowMs: number },
): Promise<PolicyInput[]> {
  await using completer = createCallCompleter(known);
  const ordinary = { context: { time: new Date(nowMs).toISOString() }, session: { openedAt: nowMs } };
  const inputs: PolicyInput[] = [];
  for (const call of calls) {
    const whole = await completer.complete(merged(ordinary, call));
    inputs.push(inputAbout(whole, mappingSchema.catch({}).parse(data), 'the call'));
  }
  return inputs;
}

/** Returns the tools and agents of a running installation, as far as the person sees them. */
export async function knownThere(client: ApiClient): Promise<KnownConfiguration> {
  const [tools, { agents }] = await Promise.all([
    listTools(client),
    client.request({ method: 'GET', path: '/v1/agents', reply: agentListSchema }),
  ]);
  const asKnown = (tool: (typeof tools)[number]): KnownTool => {
    const { target } = tool;
    if (target.kind !== 'mcp') return { ...tool, target };
    const definition = { pinned: target.pinnedDigest, current: target.definitionDigest };
    return { ...tool, target, definition };
  };
  return { tools: tools.map(asKnown), agents };
}
