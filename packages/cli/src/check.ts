import { failureOf } from '@interlock/shell';

/** One thing that was checked: whether it is as it should be, what was found, and what to do where that is something. */
export interface Check {
  check: string;
  /** False where something does not work, or is not private. */
  ok: boolean;
  found: string;
  next?: string;
}

/** Runs one check; what it throws is what was found. */
export async function checked(check: string, run: () => Promise<string>): Promise<Check> {
  try {
    return { check, ok: true, found: await run() };
  } catch (error) {
    const { detail, next } = failureOf(error);
    return { check, ok: false, found: detail, ...(next === undefined ? {} : { next }) };
  }
}
