import type { Json, PolicyFacts, Session, Tool } from '@interlock/contracts';

/** Reads what a call's arguments mean, for policy. */
export async function readFacts(
  _tool: Tool,
  _parsed: Record<string, Json>,
  _session: Session,
): Promise<PolicyFacts> {
  return { sql: [], shell: [], paths: [], recipients: [], destinations: [] };
}
