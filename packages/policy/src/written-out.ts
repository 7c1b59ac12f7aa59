/** A rule in Rego ends at the next empty line. */
const BETWEEN_RULES = '\n\n';
const WALK = '\tsome rule\n';
const OUTPUT = /data\.interlock\.rules\[rule\]\.(\w+)/;

/**
 * Writes each rule of a module that walks all rules for one output (`some rule`, then `data.interlock.rules[rule].deny`)
 * once for each of them: a module with the same meaning for these rules that compiles to less work. A rule whose text
 * does not name the output cannot have it and is left out, unless all are: `main` reads the output, so one must stay.
 * Everything that does not have this very form is left unchanged. docs/decisions/015
 *
 * @param rules the text of each rule's modules, by the rule's name
 */
export function writtenOut(text: string, rules: ReadonlyMap<string, string>): string {
  const names = [...rules.keys()];
  if (names.length === 0) return text;
  return text
    .split(BETWEEN_RULES)
    .flatMap((part) => {
      const [, output] = OUTPUT.exec(part) ?? [];
      if (output === undefined || !part.includes(WALK)) return [part];
      const having = names.filter((name) => rules.get(name)?.includes(output));
      return (having.length > 0 ? having : names.slice(0, 1)).map((name) => writtenFor(part, name));
    })
    .join(BETWEEN_RULES);
}

function writtenFor(part: string, name: string): string {
  return part
    .replace(WALK, `\trule := "${name}"\n`)
    .replaceAll('data.interlock.rules[rule]', `data.interlock.rules["${name}"]`);
}
