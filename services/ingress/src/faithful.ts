/** Deeper answers end the stack of who reads or writes them; real APIs stay below thirty. */
const DEPTH_MAX = 128;
/** A string, a number, or a bracket; all else between them does not matter here. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[[{]|[\]}]/gs;
const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Whether well-formed JSON says the same after it was read and written again: every digit counts, and it is not too deep. */
export function isFaithful(text: string): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    else if (!token.startsWith('"') && !isExact(token)) return false;
    if (depth > DEPTH_MAX) return false;
  }
  return true;
}

function isExact(token: string): boolean {
  const written = String(Number(token));
  return written === token || digitsOf(written) === digitsOf(token);
}

/** The significant digits of a number and their place: equal for two spellings of one value. */
function digitsOf(token: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(token) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return NUMBER.test(token) ? '0' : token;
  const place = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${token.startsWith('-') ? '-' : ''}${significant}e${place}`;
}
