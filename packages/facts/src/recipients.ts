/**
 * The fence round the parser of mail addresses (RFC 5322, RFC 6532).
 *
 * Mail programs differ about quotes, comments and names. An address counts only where every `@` of its text belongs to
 * an address that was found, and stands there as it is: then no reader finds another one in it. Nor may its local part
 * name another destination: relays and gateways send `a%b.com@c.com` and `b.com!a@c.com` on to b.com.
 */
import { domainToASCII } from 'node:url';
import type { PolicyFacts } from '@interlock/contracts';
import emailAddresses from 'email-addresses';
import { z } from 'zod';
import { isOneDomain } from './domain.ts';

export type Recipient = Omit<
  Extract<PolicyFacts['recipients'][number], { readable: true }>,
  'at' | 'readable'
>;

/** An address and a name; several of them fit. The parser's time grows with the square of the length. */
const PARSED_LENGTH_MAX = 1_024;
/** A list of plain addresses needs no parser. */
const LENGTH_MAX = 16_384;
/** Every program reads `local@domain` of plain characters in the same way. */
const PLAIN = /^[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+$/;
/** The end of a line starts another header; some programs read invisible characters, and others do not. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** Characters that need quotes in a local part: programs differ about quotes. */
const QUOTED_ONLY = /[\s"(),:;<>@[\\\]]/;
/** Characters that relays, gateways and mail programs read as a route, a program or a file. */
const ROUTES = /[%!|/`]/;
/** Another address inside one, as Exchange, forwarders and some programs write it; an option of sendmail. */
const REWRITTEN = /^(imcea|srs[01][-=+]|-)/i;
/** A word that is decoded before or after it is read as an address (RFC 2047). */
const ENCODED_WORD = '=?';
const HOST = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** RFC 5321, section 4.5.3.1. */
const LOCAL_MAX = 64;
const DOMAIN_MAX = 253;

const mailboxSchema = z.object({ type: z.literal('mailbox'), local: z.string(), domain: z.string() });
const groupSchema = z.object({ type: z.literal('group'), addresses: z.array(mailboxSchema) });
const parsedSchema = z.array(z.discriminatedUnion('type', [mailboxSchema, groupSchema]));

/** Returns the addresses that a text names, or undefined when programs could differ about them. */
export function readRecipients(text: string): Recipient[] | undefined {
  if (text.length > LENGTH_MAX || !text.isWellFormed() || INVISIBLE.test(text)) return undefined;
  // Some programs turn full-width and other signs into plain ones before they read an address.
  if (text.includes(ENCODED_WORD) || text.normalize('NFKC') !== text) return undefined;
  const parts = text.split(',').map((part) => part.trim());
  const found = parts.every((part) => PLAIN.test(part)) ? parts.map(splitPlain) : parse(text);
  if (found === undefined || found.length === 0) return undefined;
  const recipients = found.map(recipientOf);
  return recipients.every((one) => one !== undefined) ? recipients : undefined;
}

/** True when a text needs the parser, whose time is limited. */
export function needsParser(text: string): boolean {
  return !text.split(',').every((part) => PLAIN.test(part.trim()));
}

interface Mailbox {
  local: string;
  domain: string;
}

function splitPlain(text: string): Mailbox {
  const at = text.lastIndexOf('@');
  return { local: text.slice(0, at), domain: text.slice(at + 1) };
}

function parse(text: string): Mailbox[] | undefined {
  if (text.length > PARSED_LENGTH_MAX) return undefined;
  const parsed = parsedSchema.safeParse(parseTree(text));
  if (!parsed.success) return undefined;
  const mailboxes = parsed.data.flatMap((one) => (one.type === 'group' ? one.addresses : [one]));
  return text.split('@').length - 1 === mailboxes.length && areIn(text, mailboxes) ? mailboxes : undefined;
}

/** True when each address stands in a text as it is, in order: without a comment, a blank or a quote in it or next to it. */
function areIn(text: string, mailboxes: readonly Mailbox[]): boolean {
  let from = 0;
  return mailboxes.every(({ local, domain }) => {
    const address = `${local}@${domain}`;
    const at = text.indexOf(address, from);
    from = at + address.length;
    const [before, after] = [text.slice(0, Math.max(0, at)).at(-1) ?? ' ', text.at(from) ?? ' '];
    return at >= 0 && ' <,:'.includes(before) && ' >,;'.includes(after);
  });
}

function parseTree(text: string): unknown {
  try {
    return emailAddresses.parseAddressList({ input: text, rfc6532: true, strict: true });
  } catch {
    return undefined;
  }
}

function recipientOf({ local, domain }: Mailbox): Recipient | undefined {
  const isLocal =
    local !== '' && local.length <= LOCAL_MAX && !QUOTED_ONLY.test(local) && isPlainLocal(local);
  if (!isLocal || domain.length > DOMAIN_MAX || domain.includes('%')) return undefined;
  const ascii = domainToASCII(domain);
  if (!HOST.test(ascii) || !isOneDomain(domain, ascii)) return undefined;
  return { address: `${local}@${ascii}`, local, domain: ascii };
}

/** True for a local part that names no other destination, also where a program keeps only the low byte of a letter. */
function isPlainLocal(local: string): boolean {
  if (ROUTES.test(local) || REWRITTEN.test(local)) return false;
  return [...local].every((letter) => {
    const code = letter.codePointAt(0) ?? 0;
    return code < 0x80 || !/[\0- "%!(),:;<>@[\\\]|/`]/.test(String.fromCharCode(code & 0xff));
  });
}
