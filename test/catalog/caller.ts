/** Calls a tool with the executor's own code, with a recorder in the place of the vendor. */
import { type HttpToolFile, httpTargetSchema } from '@interlock/contracts';
import { createEgress } from '@interlock/egress';
import { Secret } from '@interlock/keys';
import { placeholderValues } from '@interlock/request';
import { caller, createTestKeys } from '@interlock/testkit';
import { performHttp } from '../../services/executor/src/http.ts';
import { buildHttpRequest } from '../../services/executor/src/http-request.ts';
import { createSendGuard } from '../../services/executor/src/send-guard.ts';

export interface Answer {
  succeeded: boolean;
  status: number | undefined;
  text: string;
}

const NOW_MS = Date.parse('2026-11-28T07:00:00Z');
const TIMEOUT_MS = 20_000;

const keys = createTestKeys();

/** Carries out a call of a tool at `origin`, which takes the place of its host and of its egress list. */
export async function callTool(
  { http, inputSchema, credential, name }: HttpToolFile,
  args: Readonly<Record<string, unknown>>,
  {
    origin,
    call,
    credentials,
  }: { origin: string; call: string; credentials: Readonly<Record<string, string>> },
): Promise<Answer> {
  const vendor = /^https:\/\/[^/{]+/.exec(http.url)?.[0] ?? '';
  const target = httpTargetSchema.parse({
    ...{ kind: 'http', ...http, url: http.url.replace(vendor, origin) },
    egress: { ...http.egress, allow: [origin], allowPrivate: ['127.0.0.1/32'] },
  });
  const leased = credential.map(({ name: used, inject }) => {
    const value = credentials[used];
    if (value === undefined) throw new TypeError(`${name} needs a credential ${used}.`);
    return { value: new Secret(value), inject };
  });
  await using egress = createEgress();
  const request = buildHttpRequest(
    { target, inputSchema, credential },
    args,
    call,
    placeholderValues(leased),
  );
  const guard = createSendGuard(performance.now() + TIMEOUT_MS, {
    monotonicMs: () => performance.now(),
    blockedBy: () => undefined,
  });
  const effect = await performHttp(
    target,
    request,
    {
      ...{ identity: { ...caller, call }, tool: name, guard, signal: AbortSignal.timeout(TIMEOUT_MS) },
      lease: { credentials: leased, origin },
    },
    { egress, signingKey: keys.signingKeyOf('executor'), nowMs: () => NOW_MS },
  );
  const said = 'body' in effect && effect.body !== undefined ? Buffer.from(effect.body.bytes).toString() : '';
  const status = 'upstreamStatus' in effect ? effect.upstreamStatus : undefined;
  return { succeeded: effect.outcome === 'succeeded', status, text: said };
}
