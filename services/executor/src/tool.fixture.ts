import type { Tool } from '@interlock/contracts';
import { makeTool } from '@interlock/testkit';

/** Returns an HTTP tool at an origin of this machine; `target` and the rest are laid over. */
export function httpTool(origin: string, { target, ...more }: Parameters<typeof makeTool>[0] = {}): Tool {
  const egress = {
    allow: [origin.replace('https://', '')],
    allowPrivate: ['127.0.0.1/32'],
    timeoutMs: 2_000,
  };
  return makeTool({
    claimMs: 5_000,
    ...more,
    target: { url: `${origin}/blogs/{blog}/posts`, egress, ...target },
  });
}
