/** The input of the thread that reads SQL, which loads this file and its parsers, and nothing else of the service. */
import { sqlDialectSchema } from '@interlock/contracts';
import { z } from 'zod';

/** All SQL of one call in UTF-16 units: some ten pages. */
export const SQL_LENGTH_MAX = 16_384;

const sqlTextSchema = z.strictObject({ dialect: sqlDialectSchema, text: z.string().max(SQL_LENGTH_MAX) });
export type SqlText = z.infer<typeof sqlTextSchema>;
export const sqlJobSchema = z.strictObject({ job: z.int(), texts: z.array(sqlTextSchema) });
