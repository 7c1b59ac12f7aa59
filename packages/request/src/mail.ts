/**
 * A mail (RFC 5322, with RFC 2047 and base64 for text outside of ASCII), for APIs that take one as it is.
 *
 * M1. No argument ends a line of the head, so none adds a recipient or a header.
 * M2. The same arguments make the same bytes: no date, no id. The API that sends it adds both.
 */
import type { MailTemplate } from '@interlock/contracts';
import { type Arguments, argumentOf, fillText, refused, textOf, wholeArgument } from './template.ts';

const LINE = '\r\n';
/** RFC 2045 §6.8. */
const BASE64_LINE = 76;
/** A line with an encoded word has at most 76 characters (RFC 2047 §2): this many bytes, and what is around them. */
const WORD_BYTES = 39;
/** A subject up to here stands on one line as it is. */
const PLAIN_LENGTH = 66;
const PRINTABLE = /^[\x20-\x7e]*$/;
/** What a mail program might decode is encoded instead. */
const ENCODED_WORD = '=?';

/** Returns the bytes of a mail. Throws `template_argument_refused` for addresses that are not plain ASCII. */
export function writeMail(template: MailTemplate, args: Arguments): Uint8Array {
  const subject = fillText(template.subject, args) ?? '';
  const head = [
    ...addressLine('From', template.from, args),
    ...addressLine('To', template.to, args),
    ...addressLine('Cc', template.cc, args),
    ...addressLine('Bcc', template.bcc, args),
    ...addressLine('Reply-To', template.replyTo, args),
    `Subject: ${encodeSubject(subject)}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
  ];
  const text = Buffer.from(fillText(template.text, args) ?? '').toString('base64');
  const lines = text.match(new RegExp(`.{1,${BASE64_LINE}}`, 'g')) ?? [];
  return Buffer.from([...head, '', ...lines, ''].join(LINE));
}

/** M1. Each address has a line of its own, so that no line is too long. */
function addressLine(name: string, template: string | undefined, args: Arguments): string[] {
  if (template === undefined) return [];
  const whole = wholeArgument(template);
  const value = whole === undefined ? fillText(template, args) : argumentOf(args, whole);
  if (value === undefined) return [];
  const texts = (Array.isArray(value) ? value : [value]).map((one) => textOf(one, whole ?? name));
  if (texts.length === 0) return [];
  if (!texts.every((text) => PRINTABLE.test(text) && text.trim() !== ''))
    throw refused(whole ?? name, 'An address of a mail is one line of ASCII: write it without a name.');
  return [`${name}: ${texts.join(`,${LINE} `)}`];
}

function encodeSubject(text: string): string {
  if (PRINTABLE.test(text) && text.length <= PLAIN_LENGTH && !text.includes(ENCODED_WORD)) return text;
  const words: string[] = [];
  let bytes = '';
  for (const character of text) {
    if (Buffer.byteLength(bytes + character) > WORD_BYTES) {
      words.push(bytes);
      bytes = '';
    }
    bytes += character;
  }
  return [...words, bytes]
    .map((word) => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`)
    .join(`${LINE} `);
}
