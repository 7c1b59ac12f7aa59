/** The body of a request, as its definition says and the arguments fill it. */
import { createHash } from 'node:crypto';
import type { HttpTarget, Json, RequestBody } from '@interlock/contracts';
import { writeMail } from './mail.ts';
import { pairsOf, writeForm } from './pairs.ts';
import {
  type Arguments,
  argumentOf,
  fillJson,
  fillText,
  isScalar,
  refused,
  textOf,
  wholeArgument,
} from './template.ts';

export interface Body {
  bytes: Uint8Array;
  mediaType: string;
}

type BodyTarget = Pick<HttpTarget, 'body' | 'method'>;
type MultipartBody = Extract<RequestBody, { multipart: unknown }>['multipart'];
type RelatedBody = Extract<RequestBody, { related: unknown }>['related'];
type PartTemplate = Exclude<MultipartBody, 'all'>[string];
type FilePart = { file: string; filename: string; mediaType: string };

/** Methods whose content has a meaning (RFC 9110 §9.3). */
const TAKES_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const BASE64URL = /^[A-Za-z0-9_-]*={0,2}$/;
/** Enough that no content has the boundary by chance; it is made of the content, so a content cannot be made to have it. */
const BOUNDARY_DIGITS = 32;
/** RFC 9110 §8.3.1, of what an argument may say of a file. */
const MEDIA_TYPE = /^[!#$&^_.+a-zA-Z0-9-]+\/[!#$&^_.+a-zA-Z0-9-]+(?:;[\x20-\x7e]*)?$/;

/**
 * Returns the body of a request, undefined for none. `named` are the arguments that the rest of the request has.
 * Throws `template_argument_refused`.
 */
export function buildBody(target: BodyTarget, args: Arguments, named: ReadonlySet<string>): Body | undefined {
  if (!hasBody(target)) return undefined;
  const { body } = target;
  if (body === 'all') return jsonBody(others(args, named));
  if (Array.isArray(body)) return jsonBody(picked(args, body));
  if ('json' in body) {
    const value =
      body.json === 'all' ? others(args, named) : (fillJson(body.json, args) ?? emptyOf(body.json));
    return value === undefined ? undefined : jsonBody(value, body.mediaType);
  }
  if ('form' in body) {
    const members = membersOf(body.form, args, named);
    const pairs = members.flatMap(([name, value]) => pairsOf(name, value, body.lists));
    return { bytes: Buffer.from(writeForm(pairs)), mediaType: 'application/x-www-form-urlencoded' };
  }
  if ('multipart' in body) return multipartBody(body.multipart, args, named);
  if ('related' in body) return relatedBody(body.related, args);
  if ('mail' in body) return { bytes: writeMail(body.mail, args), mediaType: 'message/rfc822' };
  if ('text' in body) {
    const text = fillText(body.text, args);
    return text === undefined ? undefined : { bytes: Buffer.from(text), mediaType: body.mediaType };
  }
  const bytes = decode(body.base64, args);
  return bytes === undefined ? undefined : { bytes, mediaType: body.mediaType };
}

/** Whether a request may have a body at all. */
export function hasBody(
  target: BodyTarget,
): target is BodyTarget & { body: Exclude<HttpTarget['body'], 'none'> } {
  const { body, method } = target;
  return body !== 'none' && (body !== 'all' || TAKES_BODY.has(method));
}

/** Whether a body takes every argument that the rest of the request does not name. */
export function takesOthers({ body, method }: BodyTarget): boolean {
  if (body === 'all') return TAKES_BODY.has(method);
  if (typeof body === 'string' || Array.isArray(body)) return false;
  return (
    ('json' in body && body.json === 'all') ||
    ('form' in body && body.form === 'all') ||
    ('multipart' in body && body.multipart === 'all')
  );
}

function jsonBody(value: unknown, mediaType = 'application/json'): Body {
  return { bytes: Buffer.from(JSON.stringify(value)), mediaType };
}

/** Returns what a whole body is that has lost everything: without an argument that it is, there is none. */
function emptyOf(template: Json): Json | undefined {
  if (Array.isArray(template)) return [];
  return typeof template === 'object' ? {} : undefined;
}

function others(args: Arguments, named: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !named.has(name)));
}

function picked(args: Arguments, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(args, name)).map((name) => [name, args[name]]),
  );
}

function membersOf(
  template: 'all' | Readonly<Record<string, Json>>,
  args: Arguments,
  named: ReadonlySet<string>,
): [string, unknown][] {
  if (template === 'all') return Object.entries(others(args, named));
  return Object.entries(template).map(([name, value]) => [name, fillJson(value, args)]);
}

/** RFC 7578 */
function multipartBody(template: MultipartBody, args: Arguments, named: ReadonlySet<string>): Body {
  const parts =
    template === 'all'
      ? Object.entries(others(args, named)).flatMap(([name, value]) => fieldParts(name, value))
      : Object.entries(template).flatMap(([name, part]) =>
          isFile(part) ? filePart(name, part, args) : fieldParts(name, fillJson(part, args)),
        );
  return joined(parts, 'form-data');
}

/** RFC 2387 */
function relatedBody(template: RelatedBody, args: Arguments): Body {
  const parts = template.flatMap((part, index): Part[] => {
    if ('json' in part) {
      const bytes = Buffer.from(JSON.stringify(fillJson(part.json, args) ?? null));
      return [{ head: 'Content-Type: application/json; charset=UTF-8', bytes }];
    }
    const bytes = decode(part.file, args);
    if (bytes === undefined) return [];
    return [{ head: `Content-Type: ${mediaTypeOf(part.mediaType, args, String(index))}`, bytes }];
  });
  return joined(parts, 'related');
}

function joined(parts: readonly Part[], subtype: 'form-data' | 'related'): Body {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part.head).update(part.bytes);
  const boundary = `interlock-${hash.digest('hex').slice(0, BOUNDARY_DIGITS)}`;
  const chunks = parts.flatMap(({ head, bytes }) => [
    Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
  return {
    bytes: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    mediaType: `multipart/${subtype}; boundary=${boundary}`,
  };
}

interface Part {
  head: string;
  bytes: Uint8Array;
}

/** Objects and lists of them are JSON; of a list of texts each is a part. */
function fieldParts(name: string, value: unknown): Part[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every(isScalar)) return value.flatMap((one) => fieldParts(name, one));
  const head = `Content-Disposition: form-data; name="${quoted(name)}"`;
  if (isScalar(value)) return [{ head, bytes: Buffer.from(textOf(value, name)) }];
  return [{ head: `${head}\r\nContent-Type: application/json`, bytes: Buffer.from(JSON.stringify(value)) }];
}

function filePart(name: string, { file, filename, mediaType }: FilePart, args: Arguments): Part[] {
  const bytes = decode(file, args);
  if (bytes === undefined) return [];
  const type = mediaTypeOf(mediaType, args, name);
  const shown = fillText(filename, args) ?? 'file';
  const head = `Content-Disposition: form-data; name="${quoted(name)}"; filename="${quoted(shown)}"`;
  return [{ head: `${head}\r\nContent-Type: ${type}`, bytes }];
}

function mediaTypeOf(template: string, args: Arguments, name: string): string {
  const type = fillText(template, args) ?? 'application/octet-stream';
  if (!MEDIA_TYPE.test(type)) throw refused(wholeArgument(template) ?? name, 'This is no media type.');
  return type;
}

/** Escapes what would end a quoted name or its line, as browsers do (WHATWG HTML, multipart/form-data). */
function quoted(text: string): string {
  return text.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** Returns the bytes of a base64 argument, in either alphabet. */
function decode(template: string, args: Arguments): Uint8Array | undefined {
  const name = wholeArgument(template);
  if (name !== undefined && argumentOf(args, name) === undefined) return undefined;
  const text = fillText(template, args);
  if (text === undefined) return undefined;
  if (BASE64.test(text)) return Buffer.from(text, 'base64');
  if (BASE64URL.test(text)) return Buffer.from(text, 'base64url');
  throw refused(name ?? '', 'The content of a file is given as base64.');
}

function isFile(part: PartTemplate): part is FilePart {
  return (
    typeof part === 'object' && part !== null && !Array.isArray(part) && typeof part['file'] === 'string'
  );
}
