import fc from 'fast-check';

/** One of some texts. */
export const of = (...texts: string[]) => fc.constantFrom(...texts);

/** Fills each `<name>` of a template with what is drawn for that name. */
export function filled(
  templates: string[],
  parts: Record<string, fc.Arbitrary<string>>,
): fc.Arbitrary<string> {
  return of(...templates).chain((template) => {
    const names = [...template.matchAll(/<(\w+)>/g)].map(([, name = '']) => name);
    const drawn = fc.tuple(...names.map((name) => parts[name] ?? fc.constant('')));
    return drawn.map((texts) => {
      const left = [...texts];
      return template.replace(/<\w+>/g, () => left.shift() ?? '');
    });
  });
}
