import {
  digestOf,
  Fault,
  heldCallSchema,
  type OpenApproval,
  type QuestionEntry,
  sealContext,
} from '@interlock/contracts';
import { assertDigests } from '@interlock/gate';
import { type ServiceKeys, unseal } from '@interlock/keys';
import { z } from 'zod';

const argumentsSchema = z.record(z.string(), z.json());

/**
 * Opens a question for a person: with the very arguments whose digest the question has, or not at all.
 * Throws `answer_mismatch` or `statement_invalid` when the box does not open or is about another call.
 */
export function openQuestion(entry: QuestionEntry, sealKey: ServiceKeys['seal']): OpenApproval {
  const { question, questionDigest, sealed } = entry;
  if (sealed === undefined || digestOf(question) !== questionDigest) throw new Fault('answer_mismatch');
  const opened = unseal(sealed, sealKey, sealContext('held', question.call)).toString('utf8');
  const held = heldCallSchema.parse(JSON.parse(opened));
  const isSame =
    held.call.callDigest === question.callDigest && held.call.argumentsDigest === question.argumentsDigest;
  if (!isSame) throw new Fault('answer_mismatch');
  assertDigests(held.call, 'answer_mismatch');
  return { ...question, questionDigest, arguments: argumentsSchema.parse(JSON.parse(held.call.arguments)) };
}
