import { Fault } from '@interlock/contracts';
import { readFiles } from './archive.ts';

/** The sources of a bundle. */
export interface BundleSources {
  /** Rego by its path inside its folder, such as `rules/amount_cap/amount_cap.rego`. */
  rego: Map<string, string>;
  /** The document that rules read as `data`. */
  data: unknown;
}

const SOURCE = /^\/?\d+\/(.+\.rego)$/;
const DATA = '/data.json';

/** Reads the sources in a bundle. Throws `configuration_invalid`. */
export function bundleSources(bytes: Uint8Array): BundleSources {
  const files = readFiles(bytes);
  const text = (content: Uint8Array) => Buffer.from(content).toString('utf8');
  const rego = new Map<string, string>();
  for (const [name, content] of files) {
    const [, inside] = SOURCE.exec(name) ?? [];
    if (inside !== undefined) rego.set(inside, text(content));
  }
  const data = files.get(DATA);
  try {
    return { rego, data: JSON.parse(data === undefined ? '{}' : text(data)) };
  } catch (cause) {
    throw new Fault('configuration_invalid', {
      detail: 'The policy bundle has data that is not JSON.',
      cause,
    });
  }
}
