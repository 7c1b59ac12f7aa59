/** Opening what was sealed for the auditor (docs/decisions/024). */
import {
  canonicalJson,
  heldCallSchema,
  type Sealed,
  type Step,
  sealContext,
  sealedSchema,
} from '@interlock/contracts';
import { type ServiceKeys, unseal } from '@interlock/keys';
import { z } from 'zod';

/** Opens a sealed box under a context; undefined when it does not open. */
export type Open = (sealed: Sealed, context: string) => string | undefined;

/** The members of an event's body that are sealed. */
export const sealedMember: readonly string[] = ['evidence', 'sealed'];

/** Returns an opener with the auditor's key. */
export function openerOf({ seal }: ServiceKeys): Open {
  return (sealed, context) => {
    try {
      return unseal(sealed, seal, context).toString('utf8');
    } catch {
      // It was sealed to an earlier key, or altered: the record then keeps the box as it is.
      return undefined;
    }
  };
}

const evidenceBodySchema = z.object({ call: z.string(), evidence: sealedSchema });
const askedBodySchema = z.object({ question: z.object({ call: z.string() }), sealed: sealedSchema });
const resolvedBodySchema = z.object({ call: z.string(), sealed: sealedSchema });

/** Returns what an event's sealed part holds, as canonical JSON; undefined when there is none or it does not open. */
export function openEvidence(step: Step | undefined, body: unknown, open: Open): string | undefined {
  switch (step) {
    case 'started':
    case 'restarted':
    case 'refused':
    case 'evaluated': {
      const { data } = evidenceBodySchema.safeParse(body);
      return data && canonical(open(data.evidence, sealContext('evidence', data.call)));
    }
    case 'asked': {
      const { data } = askedBodySchema.safeParse(body);
      return data && heldEvidence(open(data.sealed, sealContext('held', data.question.call)));
    }
    case 'resolved': {
      const { data } = resolvedBodySchema.safeParse(body);
      return data && heldEvidence(open(data.sealed, sealContext('held', data.call)));
    }
    case 'requested':
    case 'decided':
    case 'held':
    case 'admitted':
    case 'settled':
    case 'answered':
    case undefined:
      return undefined;
    default:
      return step satisfies never;
  }
}

function canonical(text: string | undefined): string | undefined {
  const value = parsed(text);
  if (value === undefined) return undefined;
  try {
    return canonicalJson(value);
  } catch {
    return undefined;
  }
}

/** A held call is evidence too: the call, its decision, and the signed statement of it. */
function heldEvidence(text: string | undefined): string | undefined {
  const { data } = heldCallSchema.safeParse(parsed(text));
  return data && canonicalJson({ call: data.call, decision: data.decision, statement: data.statement });
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
