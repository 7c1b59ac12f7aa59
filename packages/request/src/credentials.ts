/**
 * Puts credentials into a request, and says what must be removed from whatever comes back.
 *
 * K1. A credential fills a place that nothing else fills: no argument and no part of the definition is replaced.
 * K2. A signature comes last: it covers what the other credentials put into the request.
 */
import { Fault, type Injection } from '@interlock/contracts';
import { assertHeaderValue, basicSecrets } from '@interlock/egress';
import { Secret } from '@interlock/keys';
import { signAws } from './aws-sigv4.ts';
import { escapePair } from './pairs.ts';
import type { HttpRequest } from './request.ts';
import { addHeader } from './request.ts';

export interface Credential {
  value: Secret;
  inject: Injection;
}

/** A request with its credentials in it, and what must be redacted from every answer. */
export interface InjectedRequest {
  request: HttpRequest;
  secrets: readonly Secret[];
  sensitiveHeaders: readonly string[];
}

/** Returns the values of the credentials that stand in placeholders, by the placeholder. */
export function placeholderValues(credentials: readonly Credential[]): Record<string, string> {
  return Object.fromEntries(
    credentials.flatMap(({ value, inject }) =>
      inject.as === 'placeholder' ? [[inject.placeholder, value.reveal()]] : [],
    ),
  );
}

/**
 * Puts credentials into a request that has those of placeholders already.
 * Throws `credential_unusable` when a place cannot carry the value, and `configuration_invalid` when the tool fills
 * the same place itself.
 */
export async function injectCredentials(
  request: HttpRequest,
  credentials: readonly Credential[],
  now: Date,
): Promise<InjectedRequest> {
  const headers = { ...request.headers };
  const url = new URL(request.url);
  for (const { value, inject } of credentials) {
    switch (inject.as) {
      case 'bearer':
        addSecret(headers, 'authorization', `Bearer ${value.reveal()}`);
        break;
      case 'basic':
        addSecret(headers, 'authorization', basic(inject.username, value.reveal()));
        break;
      case 'basic-username':
        addSecret(headers, 'authorization', basic(value.reveal(), passwordOf(credentials)));
        break;
      case 'header':
        addSecret(headers, inject.header, `${inject.prefix}${value.reveal()}`);
        break;
      case 'query': {
        if (url.searchParams.has(inject.parameter)) throw taken(inject.parameter);
        // As text: `searchParams` would write the whole query again, as a form.
        url.search += `${url.search === '' ? '' : '&'}${escapePair(inject.parameter, [value.reveal()])}`;
        break;
      }
      case 'basic-password':
      case 'placeholder':
      case 'aws-sigv4':
        break;
      default:
        inject satisfies never;
    }
  }
  let injected = { ...request, url: url.href, headers };
  // K2
  for (const { value, inject } of credentials)
    if (inject.as === 'aws-sigv4') injected = await signed(injected, value, { ...inject, now });
  return {
    request: injected,
    secrets: secretsOf(credentials),
    sensitiveHeaders: credentials.flatMap(({ inject }) => (inject.as === 'header' ? [inject.header] : [])),
  };
}

/** Returns what must be removed from everything that comes back or is logged. */
export function secretsOf(credentials: readonly Credential[]): readonly Secret[] {
  return credentials.flatMap(({ value, inject }): readonly Secret[] => {
    switch (inject.as) {
      case 'basic':
        return basicSecrets(inject.username, value);
      case 'basic-username':
        return [value, ...basicSecrets(value.reveal(), new Secret(passwordOf(credentials)))];
      case 'aws-sigv4': {
        // The id of an access key stands in every signed request and is no secret.
        const [, secret = '', token] = partsOfAws(value);
        return [value, new Secret(secret), ...(token === undefined ? [] : [new Secret(token)])];
      }
      default:
        return [value];
    }
  });
}

async function signed(
  request: HttpRequest,
  value: Secret,
  { region, service, now }: { region: string; service: string; now: Date },
): Promise<HttpRequest & { headers: Record<string, string> }> {
  const [accessKeyId = '', secretAccessKey = '', sessionToken] = partsOfAws(value);
  if (accessKeyId === '' || secretAccessKey === '')
    throw new Fault('credential_unusable', {
      detail: 'An AWS credential has the form ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN].',
    });
  const added = await signAws(request, { accessKeyId, secretAccessKey, sessionToken, region, service, now });
  const headers = { ...request.headers };
  for (const [name, text] of Object.entries(added)) addSecret(headers, name, text);
  return { ...request, headers };
}

function partsOfAws(value: Secret): string[] {
  return value.reveal().split(':');
}

function passwordOf(credentials: readonly Credential[]): string {
  return credentials.find(({ inject }) => inject.as === 'basic-password')?.value.reveal() ?? '';
}

/** RFC 7617: a user has no colon. */
function basic(username: string, password: string): string {
  if (username.includes(':'))
    throw new Fault('credential_unusable', { detail: 'A user of basic authentication has no colon.' });
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function addSecret(headers: Record<string, string>, name: string, value: string): void {
  try {
    assertHeaderValue(value, '/credential');
  } catch {
    throw new Fault('credential_unusable', { detail: 'The credential does not fit into a header.' });
  }
  addHeader(headers, name, value);
}

function taken(name: string): Fault {
  return new Fault('configuration_invalid', { detail: `The tool sets ${name} twice.` });
}
