/** What a policy says about a call that nobody made, as text. */
import type { ImaginedCall } from '@interlock/policy-analysis';
import { instant } from '../output.ts';
import { saidText, wholeText } from './explanation-text.ts';

/** The policy that was asked. */
export type AskedPolicy =
  | { from: 'folder'; source: string; digest: string }
  | { from: 'published'; version: number; digest: string; signature: 'verified' | 'no keyring here' };

const DIGEST_SHOWN = 12;

/** Returns the evaluation of a call as text. */
export function imaginedText(imagined: ImaginedCall, policy: AskedPolicy): string {
  const { tenant, agent, tool, at, decision, explanation } = imagined;
  const parts = [
    `${decision.verdict.toUpperCase()}  ${tool}, ${tenant}/${agent}, ${instant(at)}, by ${policyText(policy)}`,
    saidText({ decision, recorded: true }),
    ...(explanation.kind === 'whole' ? wholeText(explanation) : [explanation.why]),
    'Nobody made this call: it is in no record, and neither its schema nor any limit was asked.',
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function policyText(policy: AskedPolicy): string {
  const digest = policy.digest.slice(0, DIGEST_SHOWN);
  if (policy.from === 'folder') return `${policy.source} (${digest})`;
  const verified = policy.signature === 'verified' ? ", author's signature verified" : '';
  return `policy version ${policy.version} (${digest}${verified})`;
}
