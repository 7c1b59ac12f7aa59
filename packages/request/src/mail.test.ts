import { Fault, httpTargetSchema } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { buildRequest } from './request.ts';

const TEMPLATE = {
  ...{ to: '{to}', cc: '{cc}', bcc: '{bcc}', from: '{from}', replyTo: '{reply}' },
  ...{ subject: '{subject}', text: '{text}' },
};

function mailOf(args: Record<string, unknown>, mail: object = TEMPLATE) {
  const target = httpTargetSchema.parse({
    ...{ kind: 'http', method: 'POST', url: 'https://mail.example.com/send', body: { mail } },
    egress: { allow: ['mail.example.com'] },
  });
  const { headers, body } = buildRequest({ target, inputSchema: {}, credential: [] }, args, 'call_1');
  return { mediaType: headers['content-type'], text: Buffer.from(body ?? []).toString() };
}

function faultOf(act: () => unknown): Fault | undefined {
  try {
    act();
  } catch (cause) {
    if (cause instanceof Fault) return cause;
    throw cause;
  }
  return undefined;
}

describe('[P-http-escaping] no argument of a mail', () => {
  test.each([
    ['a line end in a recipient', { to: 'a@b.example\r\nBcc: c@d.example' }, '/to'],
    ['a line end in one of several', { to: ['a@b.example', 'x\nBcc: c@d.example'] }, '/to'],
    ['a name outside of ASCII', { to: 'Zoë <a@b.example>' }, '/to'],
    ['nothing', { to: ' ' }, '/to'],
    ['a line end in a sender', { from: 'a@b.example\nX: y' }, '/from'],
    ['an object', { to: { address: 'a@b.example' } }, '/to'],
  ])('puts %s into its head', (_name, args, pointer) => {
    const fault = faultOf(() => mailOf({ to: 'a@b.example', subject: 's', text: 't', ...args }));
    expect(fault).toMatchObject({ code: 'template_argument_refused', pointer });
  });

  test('ends the line of its subject', () => {
    const { text } = mailOf({ to: 'a@b.example', subject: 'x\r\nBcc: c@d.example', text: '' });
    expect(text.split('\r\n')[1]).toBe('Subject: =?UTF-8?B?eA0KQmNjOiBjQGQuZXhhbXBsZQ==?=');
  });
});

test('a mail is what RFC 5322 says, the same in every run', () => {
  const args = { to: ['a@b.example', 'c@d.example'], cc: 'Ed <e@f.example>', subject: 'Hi', text: 'Grüße\n' };
  const mail = mailOf(args);
  expect(mail).toEqual(mailOf(args));
  expect(mail).toEqual({
    mediaType: 'message/rfc822',
    text: [
      'To: a@b.example,',
      ' c@d.example',
      'Cc: Ed <e@f.example>',
      'Subject: Hi',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: base64',
      '',
      'R3LDvMOfZQo=',
      '',
    ].join('\r\n'),
  });
});

test('a long or foreign subject is words that every mail program decodes', () => {
  const subject = `${'ä'.repeat(40)} =?x?= €`;
  const { text } = mailOf({ to: 'a@b.example', subject, text: 'x'.repeat(200) });
  const lines = text.split('\r\n');
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(77);
  const head = lines.slice(0, lines.indexOf('')).join('\r\n').replaceAll('\r\n ', ' ');
  const words = [...(/^Subject: (.*)$/m.exec(head)?.[1] ?? '').matchAll(/=\?UTF-8\?B\?([^?]*)\?=/g)];
  expect(words.map(([, word = '']) => Buffer.from(word, 'base64').toString()).join('')).toBe(subject);
});
