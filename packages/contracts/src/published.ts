/** The published JSON Schemas (2020-12): configuration files as people write them, events and statements as they are published. */
import { z } from 'zod';
import { configurationJsonSchemas } from './configuration.ts';
import { controlSchema, eventSchemas } from './events.ts';
import { policyAnswerSchema, policyInputSchema } from './policy.ts';
import { statementSchemas } from './statements.ts';

/** Returns every published schema by its path below `packages/contracts/schemas/`. */
export function publishedSchemas(): Record<string, object> {
  const published = { ...eventSchemas, control: controlSchema };
  return {
    ...named('', configurationJsonSchemas()),
    ...named('events/', mapped(published)),
    ...named('statements/', mapped(statementSchemas)),
    ...named('policy/', mapped({ input: policyInputSchema, answer: policyAnswerSchema })),
  };
}

function mapped(schemas: Record<string, z.ZodType>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, z.toJSONSchema(schema, { io: 'output' })]),
  );
}

function named(folder: string, schemas: Record<string, object>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [`${folder}${name}.schema.json`, schema]),
  );
}
