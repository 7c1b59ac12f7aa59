/** The request of a call, made by the code of ingress and executor, with stand-ins for what only they have. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { TriedRequest, TryTool } from '@interlock/cli';
import { buildHttpRequest, headersWith } from '@interlock/executor';
import { compileCheck } from '@interlock/ingress';
import { Secret } from '@interlock/keys';
import { injectCredentials, placeholderValues } from '@interlock/request';

/** Nobody writes this by chance, and no encoding changes it. */
const STAND_IN_BYTES = 12;
const IDENTITY_MARK = '[who calls, and for whom]';
const SIGNATURE_MARKS: Readonly<Record<string, string>> = {
  authorization: '[signature]',
  'x-amz-date': '[when it is sent]',
  'x-amz-security-token': '[secret]',
};

/** Returns the request of a call. Throws what ingress and executor refuse the call with. */
export const tryTool: TryTool = async ({ http, inputSchema, credential }, args) => {
  compileCheck(inputSchema)(args);
  const call = standIn();
  const leased = credential.map(({ name, inject }) => ({ name, inject, text: standIn() }));
  const credentials = leased.map(({ inject, text }) => ({
    value: new Secret(inject.as === 'aws-sigv4' ? `${text}:${text}` : text),
    inject,
  }));
  const marks: [string, string][] = [
    [call, '[id of the call]'],
    ...leased.map(({ name, text }): [string, string] => [text, `[secret ${name}]`]),
  ];
  const target = { kind: 'http' as const, ...http };
  const plain = buildHttpRequest(
    { target, inputSchema, credential },
    args,
    call,
    placeholderValues(credentials),
  );
  const now = new Date();
  const { request } = await injectCredentials(plain, credentials, now);
  const identity = { tenant: call, agent: call, user: call, session: call, call };
  const { privateKey } = generateKeyPairSync('ed25519');
  const headers = headersWith(request, target.identity ? identity : undefined, {
    signingKey: { keyId: call, privateKey },
    nowMs: () => now.getTime(),
  });
  const isSigned = credential.some(({ inject }) => inject.as === 'aws-sigv4');
  const shown = Object.entries(headers).map(([name, value]): [string, string] => {
    if (Object.hasOwn(plain.headers, name)) return [name, masked(value, marks)];
    if (Object.hasOwn(request.headers, name)) return [name, credentialText(name, value, { marks, isSigned })];
    return [name, name === 'user-agent' ? value : IDENTITY_MARK];
  });
  return {
    method: request.method,
    url: masked(request.url, marks),
    headers: Object.fromEntries(shown),
    body: bodyOf(request.body, marks),
  };
};

function standIn(): string {
  return `x${randomBytes(STAND_IN_BYTES).toString('hex')}`;
}

function masked(text: string, marks: readonly (readonly [string, string])[]): string {
  return marks.reduce((left, [value, mark]) => left.replaceAll(value, mark), text);
}

function credentialText(
  name: string,
  value: string,
  { marks, isSigned }: { marks: readonly (readonly [string, string])[]; isSigned: boolean },
): string {
  if (isSigned) return SIGNATURE_MARKS[name.toLowerCase()] ?? masked(value, marks);
  // Both halves of basic authentication are secret where they are credentials, and are encoded together.
  return value.startsWith('Basic ') ? 'Basic [secret]' : masked(value, marks);
}

function bodyOf(
  bytes: Uint8Array | undefined,
  marks: readonly (readonly [string, string])[],
): TriedRequest['body'] {
  if (bytes === undefined) return undefined;
  try {
    return { text: masked(new TextDecoder('utf-8', { fatal: true }).decode(bytes), marks) };
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') };
  }
}
