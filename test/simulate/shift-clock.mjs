/**
 * Loaded before a service: its wall clock is off by the milliseconds that stand in a file, as on a host that nobody keeps
 * in time. The file is named by the query of this module's address, since a service is given no variable it does not know.
 */
import { readFileSync } from 'node:fs';

const EVERY_MS = 20;
const file = new URL(import.meta.url).searchParams.get('file');
let offsetMs = 0;
const RealDate = Date;
const realNow = Date.now.bind(Date);

function read() {
  try {
    offsetMs = Number(readFileSync(file, 'utf8'));
  } catch {
    offsetMs = 0;
  }
}
read();
setInterval(read, EVERY_MS).unref();

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(realNow() + offsetMs);
    else super(...parts);
  }

  static now() {
    return realNow() + offsetMs;
  }
};
