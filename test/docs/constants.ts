/** The value of a constant as its source spells it: numbers, arithmetic, and other constants. */

const NUMBER = /^\d[\d_]*(\.\d+)?$/;
const TOKEN = /\s*(\d[\d_]*(?:\.\d+)?|[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*|[()*/+-])/y;

/**
 * Returns the number that a file gives to a name: a `const`, a member of one (`limits.depth`), or a variable of the
 * environment with a default (`INTERLOCK_…`). What it does not declare is looked for in the texts of what it imports.
 * Throws an Error where none of them says.
 */
export function constantIn(texts: readonly string[], name: string): number {
  const [first = ''] = name.split('.');
  for (const source of texts) {
    const expression = expressionOf(source, first, name);
    if (expression !== undefined) return computed(expression, [source, ...texts], name);
  }
  throw new Error(`no constant ${name}`);
}

function expressionOf(source: string, first: string, name: string): string | undefined {
  const start = new RegExp(`\\bconst ${first}\\b[^\\n]* =\\s+`).exec(source);
  if (start === null) return presetOf(source, first);
  const text = source.slice(start.index + start[0].length);
  if (name === first) return /^[^;]+/.exec(text)?.[0];
  return memberOf(text, name);
}

/** Returns the default of a variable of the environment. */
function presetOf(source: string, name: string): string | undefined {
  if (!/^[A-Z_]+$/.test(name)) return undefined;
  return new RegExp(`^\\s+${name}: z\\b[^;]*?\\.default\\(([^)]*)\\)`, 'm').exec(source)?.[1];
}

function memberOf(text: string, name: string): string {
  const [, ...members] = name.split('.');
  let rest = text;
  for (const member of members) {
    const found = new RegExp(`[\\s{]${member}: `).exec(rest);
    if (found === null) throw new Error(`no member ${name}`);
    rest = rest.slice(found.index + found[0].length);
  }
  return /^[^,}\n]+/.exec(rest)?.[0] ?? '';
}

/** Works out `+ - * /` and parentheses from left to right, products first. */
function computed(expression: string, texts: readonly string[], name: string): number {
  const tokens = tokensOf(expression, name);
  const primary = (): number => {
    const token = tokens.shift() ?? '';
    if (token === '(') {
      const value = sum();
      tokens.shift();
      return value;
    }
    return NUMBER.test(token) ? Number(token.replaceAll('_', '')) : constantIn(texts, token);
  };
  const chain = (operators: string, part: () => number): number => {
    let value = part();
    for (
      let operator = tokens[0];
      operator !== undefined && operators.includes(operator);
      operator = tokens[0]
    ) {
      tokens.shift();
      value = applied(operator, value, part());
    }
    return value;
  };
  const product = () => chain('*/', primary);
  const sum = (): number => chain('+-', product);
  return sum();
}

function applied(operator: string, one: number, other: number): number {
  if (operator === '*') return one * other;
  if (operator === '/') return one / other;
  return operator === '+' ? one + other : one - other;
}

function tokensOf(expression: string, name: string): string[] {
  const text = expression.replace(/\s+as const$/, '').trim();
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const [, token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw new Error(`${name} is not arithmetic: ${text}`);
    tokens.push(token);
  }
  return tokens;
}
