/** What a table about one vendor says: the calls of its tools, and the requests that they must become. */

/** A text, or JSON with texts, in which `<name>` stands for what an earlier answer said. */
type Filled = string | number | boolean | readonly Filled[] | { readonly [name: string]: Filled };

export interface Operation {
  tool: string;
  args?: { readonly [name: string]: Filled };
  /** Method, path and query, as they must arrive. */
  request: string;
  /** Headers besides those of every request of the vendor. */
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** JSON Pointers into the answer, by the names that later operations use. */
  learn?: Readonly<Record<string, string>>;
  /** The emulator has no such operation and answers with an error: the recorder alone checks the request. */
  lacked?: true;
}

export interface Vendor {
  /** Its folder in the catalogue. */
  folder: string;
  /** Where its API is, by its documentation. */
  origins: readonly string[];
  service: 'aws' | 'github' | 'google' | 'linear' | 'resend' | 'slack' | 'stripe' | 'twilio';
  seed?: Readonly<Record<string, unknown>>;
  /** Values of its credentials, by their names. */
  credentials: Readonly<Record<string, string>>;
  /** What every request has, with the credential in it. */
  headers: Readonly<Record<string, string>>;
  /** Hosts that the emulator has below a path. */
  paths?: Readonly<Record<string, string>>;
  /** Whether an answer with a status of success is one. */
  succeeded?: (answer: unknown) => boolean;
  operations: readonly Operation[];
}

/** Returns a value with what earlier answers said in it. */
export function fill<T>(value: T, known: Readonly<Record<string, string>>): T {
  const text = JSON.stringify(value).replaceAll(/<([a-z_]+)>/g, (whole, name: string) =>
    Object.hasOwn(known, name) ? JSON.stringify(known[name]).slice(1, -1) : whole,
  );
  return JSON.parse(text, (_name, one: unknown) =>
    typeof one === 'string' && /^#\d+$/.test(one) ? Number(one.slice(1)) : one,
  );
}
