import path from 'node:path';
import type { Setup } from './setup.ts';

/** Returns how to continue by hand while Interlock is left running: as the agent with curl, and as a person. */
export function invitation({ installation, agentKey, files, api }: Setup): string {
  const payment = { payee: 'Contoso Chairs', amount: 250, reference: '2026-042' };
  const invoice = { path: path.join(files, 'invoices', '2026-042.txt') };
  return `Agents call ${installation.ingress}, people use ${installation.console}, and the payments API is at ${api.url}.

As the agent:

  export KEY=${agentKey}
  curl -s ${installation.ingress}/v1/tools -H "authorization: Bearer $KEY"
  ${post(installation.ingress, 'files_read_text_file', invoice)}
  ${post(installation.ingress, 'pay', payment)}

The payment is held until a person approves it. As a person, in the repository:

  export INTERLOCK_DATA=${installation.data}
  npm run interlock -- approvals --as bob
  npm run interlock -- approve CALL --as bob
  curl -s ${installation.ingress}/v1/calls/CALL -H "authorization: Bearer $KEY"
  npm run interlock -- audit show CALL
  npm run interlock -- trace CALL
  npm run interlock -- kill --agent acme/clerk

The API accepts its token for an hour after the start. Stop with Ctrl-C; everything is removed then.`;
}

function post(ingress: string, tool: string, parameters: object): string {
  const body = JSON.stringify({ tool, arguments: parameters });
  return `curl -s ${ingress}/v1/calls -H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '${body}'`;
}
