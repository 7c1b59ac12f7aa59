/** The text at which the thread of `hanging-sql-thread.fixture.ts` never ends. */
export const HANGING_TEXT = 'select hang';
