/** The upstream that is measured directly and that the line's tool calls. */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startChild } from './child.ts';
import type { Aim } from './load.ts';

export const CREDENTIAL = 'bench-credential-0123456789abcdef';
/** What it answers: as much as a small JSON API answers. */
export const THING = JSON.stringify({ id: 1, title: 'A thing', body: 'It is here.', tags: ['one', 'two'] });

const readySchema = z.object({ url: z.url() });

export interface BenchUpstream extends AsyncDisposable {
  url: string;
  /** A direct call, as an agent with the credential would make it. */
  aim: Aim;
}

/** Starts the upstream in a process of its own. */
export async function startBenchUpstream(): Promise<BenchUpstream> {
  const child = startChild(fileURLToPath(new URL('./upstream-process.ts', import.meta.url)), [], process.env);
  const { url } = await child.firstMessage(readySchema);
  return {
    url,
    aim: {
      url: `${url}/things/1`,
      method: 'GET',
      headers: { authorization: `Bearer ${CREDENTIAL}` },
      body: '',
      fits: (status, body) => status === 200 && body === THING,
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
