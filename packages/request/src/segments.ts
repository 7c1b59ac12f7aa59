/**
 * What a text would become on a server that decodes before it splits a path: percent-encoding in layers, overlong UTF-8,
 * `%u` escapes, backslashes and wide forms of separators and dots. What could leave its folder at any of them is refused.
 */

/** More layers than anybody stacks for an honest reason. */
const LAYERS_MAX = 8;
const SEPARATORS = /[/\\]/;
/** Of a segment, servers take path parameters and a query off before they look at dots, and some take blanks off. */
const AFTER_SEGMENT = /[;?#].*$/s;
const BLANKS = /[\s\p{Cf}]/gu;
const OVERLONG: readonly (readonly [RegExp, string])[] = [
  [/%c0%ae|%e0%80%ae|%f0%80%80%ae/gi, '.'],
  [/%c0%af|%e0%80%af|%f0%80%80%af/gi, '/'],
  [/%c1%9c|%e0%81%9c|%f0%80%81%9c/gi, '\\'],
];
const ESCAPE = /%u([0-9a-f]{4})|%([0-9a-f]{2})/gi;

/** Returns the parts of a text between separators in any spelling, or `undefined` when it has more layers than is honest. */
export function partsOf(text: string): readonly string[] | undefined {
  let plain = text.normalize('NFKC');
  for (let layer = 0; layer < LAYERS_MAX; layer += 1) {
    const decoded = decodeOnce(plain).normalize('NFKC');
    if (decoded === plain) return plain.split(SEPARATORS);
    plain = decoded;
  }
  return undefined;
}

/** Whether a part is nothing but dots, which some server takes for the folder itself or the one above. */
export function isDots(part: string): boolean {
  return /^\.+$/.test(part.replace(AFTER_SEGMENT, '').replaceAll(BLANKS, ''));
}

function decodeOnce(text: string): string {
  let shorter = text;
  for (const [spelling, meaning] of OVERLONG) shorter = shorter.replaceAll(spelling, meaning);
  return shorter.replaceAll(ESCAPE, (_whole, wide?: string, byte?: string) =>
    String.fromCharCode(Number.parseInt(wide ?? byte ?? '', 16)),
  );
}
