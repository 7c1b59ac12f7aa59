import { gunzipSync } from 'node:zlib';
import { Fault } from '@interlock/contracts';

const BLOCK_BYTES = 512;
/** A bundle has a module, its data, the sources and a manifest: no bundle of ours has more entries. */
const ENTRIES_MAX = 10_000;
/** Four times what is accepted packed. */
const UNPACKED_MAX_BYTES = 64 * 1_048_576;

/**
 * Reads the named files of a gzipped tar archive (POSIX.1-1988 ustar). Each must occur exactly once.
 * Throws `configuration_invalid`.
 */
export function readArchive<N extends string>(
  packed: Uint8Array,
  names: readonly N[],
): Record<N, Uint8Array<ArrayBuffer>> {
  const found = readFiles(packed);
  const files = names.map((name) => {
    const content = found.get(name);
    if (content === undefined) throw malformed(`lacks ${name}`);
    return [name, content] as const;
  });
  return Object.fromEntries(files) as Record<N, Uint8Array<ArrayBuffer>>;
}

/** Reads every file of a gzipped tar archive, by its name. Throws `configuration_invalid`. */
export function readFiles(packed: Uint8Array): Map<string, Uint8Array<ArrayBuffer>> {
  const archive = unpack(packed);
  const found = new Map<string, Uint8Array<ArrayBuffer>>();
  let offset = 0;
  for (let entries = 0; offset + BLOCK_BYTES <= archive.length; entries += 1) {
    if (entries > ENTRIES_MAX) throw malformed('has too many files');
    const header = archive.subarray(offset, offset + BLOCK_BYTES);
    // Blocks of zeros end the archive.
    if (header[0] === 0) break;
    const { name, bytes } = readHeader(header);
    const start = offset + BLOCK_BYTES;
    if (start + bytes > archive.length) throw malformed('is cut short');
    if (found.has(name)) throw malformed(`has ${name} twice`);
    found.set(name, Uint8Array.from(archive.subarray(start, start + bytes)));
    offset = start + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return found;
}

function unpack(packed: Uint8Array): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: UNPACKED_MAX_BYTES });
  } catch (cause) {
    throw malformed('cannot be unpacked', cause);
  }
}

function readHeader(header: Buffer): { name: string; bytes: number } {
  const size = text(header, 124, 12).trim();
  if (!/^[0-7]{1,11}$/.test(size)) throw malformed('has a malformed header');
  const [name, prefix] = [text(header, 0, 100), text(header, 345, 155)];
  return { name: prefix === '' ? name : `${prefix}/${name}`, bytes: Number.parseInt(size, 8) };
}

function text(header: Buffer, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

function malformed(what: string, cause?: unknown): Fault {
  return new Fault('configuration_invalid', { detail: `The policy bundle ${what}.`, cause });
}
