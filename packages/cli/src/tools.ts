/** The tools of an installation. */
import { type Tool, toolSchema } from '@interlock/contracts';
import { z } from 'zod';
import type { ApiClient } from './client.ts';

export const toolsSchema = z.strictObject({ tools: z.array(toolSchema) });

/** Lists the tools whole, as a person sees them. */
export async function listTools(client: ApiClient): Promise<Tool[]> {
  return (await client.request({ method: 'GET', path: '/v1/tools', reply: toolsSchema })).tools;
}
