import type { Json } from '@interlock/contracts';

/** RFC 6901: an index is digits without a leading zero. */
const INDEX = /^(0|[1-9][0-9]{0,9})$/;

/** Returns the value a JSON Pointer (RFC 6901) points to, or undefined. */
export function valueAt(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value)) value = INDEX.test(name) ? value[Number(name)] : undefined;
    else value = Object.hasOwn(value, name) ? value[name] : undefined;
    if (value === undefined) return undefined;
  }
  return value;
}
