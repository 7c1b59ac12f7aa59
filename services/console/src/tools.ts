import { Fault, idSchema, type Tool, toolPinSchema, toolSchema } from '@interlock/contracts';
import { z } from 'zod';
import type { Management } from './management.ts';
import { requireEveryTenant } from './people.ts';
import { parseInput } from './problem.ts';
import type { Route } from './server.ts';
import { writeEntry } from './write-entry.ts';

const nameSchema = z.strictObject({ name: idSchema });

/** Routes of single tools. A tool's version is the digest of its definition, so each change makes a new version. */
export function toolRoutes(management: Management): Route[] {
  const url = '/v1/tools/:name';
  return [
    {
      method: 'GET',
      url: '/v1/tools',
      roles: ['operator', 'reader', 'approver'],
      answer: async () => {
        const tools = await management.bus.entries('tools').list();
        return { tools: tools.map(({ value }) => value) };
      },
    },
    {
      method: 'PUT',
      url,
      roles: [],
      answer: async ({ person, params, body }) => {
        requireEveryTenant(person);
        const { name } = parseInput(nameSchema, params, 'id_invalid');
        const tool = parseInput(toolSchema, body);
        if (tool.name !== name)
          throw new Fault('body_invalid', {
            detail: 'The name of the tool is not the one in the address.',
            pointer: '/name',
          });
        return await putTool(management, tool, person.person);
      },
    },
    {
      method: 'POST',
      url: `${url}/pin`,
      roles: [],
      answer: async ({ person, params, body }) => {
        requireEveryTenant(person);
        const { name } = parseInput(nameSchema, params, 'id_invalid');
        const { definitionDigest } = parseInput(toolPinSchema, body);
        return await management.inTurn(() => pinTool(management, name, definitionDigest, person.person));
      },
    },
    {
      method: 'DELETE',
      url,
      roles: [],
      answer: async ({ person, params }) => {
        requireEveryTenant(person);
        const { name } = parseInput(nameSchema, params, 'id_invalid');
        const operation = { kind: 'tool', verb: 'removed', tenant: 'all', name, by: person.person };
        await management.inTurn(async () => {
          if ((await management.bus.entries('tools').get(name)) === undefined)
            throw new Fault('name_unknown');
          await writeEntry(management, { bucket: 'tools', key: name, value: undefined }, operation);
        });
        return { name };
      },
    },
  ];
}

async function putTool(management: Management, tool: Tool, by: string): Promise<Tool> {
  return await management.inTurn(async () => {
    const before = await management.bus.entries('tools').get(tool.name);
    const operation = {
      kind: 'tool',
      verb: before === undefined ? 'created' : 'changed',
      tenant: 'all',
      name: tool.name,
      by,
    };
    await writeEntry(management, { bucket: 'tools', key: tool.name, value: tool }, operation);
    return tool;
  });
}

/** Pins the definition that a person names, if it is the present one. */
async function pinTool(
  management: Management,
  name: string,
  definitionDigest: string,
  by: string,
): Promise<Tool> {
  const tool = (await management.bus.entries('tools').get(name))?.value;
  if (tool === undefined) throw new Fault('name_unknown');
  const { target } = tool;
  if (target.kind !== 'mcp')
    throw new Fault('configuration_invalid', {
      detail: 'Only tools of MCP servers have a definition to pin.',
    });
  if (target.definitionDigest !== definitionDigest)
    throw new Fault('upstream_changed', {
      detail: 'The present definition is not the one that the request names.',
      next: 'Read the tool again, compare its definition, and name the digest of the present one.',
      pointer: '/definitionDigest',
    });
  const pinned: Tool = { ...tool, target: { ...target, pinnedDigest: definitionDigest } };
  const operation = { kind: 'tool', verb: 'pinned', tenant: 'all', name, by };
  await writeEntry(management, { bucket: 'tools', key: name, value: pinned }, operation);
  return pinned;
}
