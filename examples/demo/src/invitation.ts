import path from 'node:path';
import type { Stage } from './stage.ts';

/** Returns how to go on by hand while the demo is kept running: with curl as the agent, and as a person. */
export function invitation({ installation, agentKey, files, api }: Stage): string {
  const payment = { payee: 'Contoso Chairs', amount: 250, reference: '2026-042' };
  const invoice = { path: path.join(files, 'invoices', '2026-042.txt') };
  return `Agents call ${installation.ingress}, people use ${installation.console}, and the payments API is at ${api.url}.

As the agent:

  export KEY=${agentKey}
  curl -s ${installation.ingress}/v1/tools -H "authorization: Bearer $KEY"
  ${post(installation.ingress, 'files_read_text_file', invoice)}
  ${post(installation.ingress, 'pay', payment)}

The payment is held. As a person, in the repository:

  export INTERLOCK_DATA=${installation.data}
  npm run interlock -- approvals --as bob
  npm run interlock -- approve CALL --as bob
  curl -s ${installation.ingress}/v1/calls/CALL -H "authorization: Bearer $KEY"
  npm run interlock -- audit show CALL
  npm run interlock -- trace CALL
  npm run interlock -- kill --agent acme/clerk

The API takes its token for an hour from the start. Stop with Ctrl-C; then everything is removed.`;
}

function post(ingress: string, tool: string, parameters: object): string {
  const body = JSON.stringify({ tool, arguments: parameters });
  return `curl -s ${ingress}/v1/calls -H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '${body}'`;
}
