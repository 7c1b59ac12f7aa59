import type { Requirement } from './requirement.ts';

/** What agents meet at ingress, and tool servers at the executor. */
export const serviceRequirements = {
  'P-ingress-keys': {
    text: 'API keys are stored hashed, expire, rotate with overlap and can be revoked.',
    source: 'services/ingress/README.md',
    layer: 'line',
  },
  'P-ingress-caps': {
    text: 'An agent’s rate and calls in flight are capped before anything is published.',
    source: 'services/ingress/README.md',
    layer: 'line',
  },
  'P-ingress-arguments': {
    text: 'Arguments are checked against the tool’s closed schema, within limits on depth, size and strings.',
    source: 'services/ingress/README.md',
    layer: 'unit',
  },
  'P-ingress-bad-input': {
    text: 'Bad input of any kind gets a problem document with a stable code, the pointer of the fault, and no stack.',
    source: 'RFC 9457',
    layer: 'line',
  },
  'P-ingress-capacity': {
    text: 'Above the requests and bytes that a replica handles at once it sheds before it reads a body, and says when to send the request again.',
    source: 'services/ingress/README.md',
    layer: 'unit',
  },
  'P-ingress-volume': {
    text: 'An agent, and a tenant, can put only so many bytes an hour on the ledger; above that a call is counted and not stored.',
    source: 'services/ingress/README.md',
    layer: 'unit',
  },
  'P-refusals-small': {
    text: 'Of a call that was not carried out, large arguments are kept as their digest and size.',
    source: 'packages/gate/README.md',
    layer: 'unit',
  },
  'P-tools-own': {
    text: 'An agent is shown the tools that it may ask for with some arguments, and no others.',
    source: 'services/ingress/README.md',
    layer: 'unit',
  },
  'P-http-strict': {
    text: 'Ingress and console refuse a request that could be read in two ways, cut what is sent slowly and read by nobody, and limit the connections of one address.',
    source: 'RFC 9112',
    layer: 'unit',
  },
  'P-ingress-openapi': {
    text: 'Ingress describes itself: no request drawn from its description gets a 500 or an undocumented answer.',
    source: 'OpenAPI 3.1',
    layer: 'line',
  },
  'P-limits-never-forget': {
    text: 'Limits never forget in the agent’s favour: a charge is keyed by call, and an empty Redis starts with empty buckets.',
    source: 'services/limiter/README.md',
    layer: 'unit',
  },
  'P-limits-day': {
    text: 'A budget for a day counts the day of the calendar in the time zone that its setting names, also where clocks are set forward or back.',
    source: 'services/limiter/README.md',
    layer: 'unit',
  },
  'P-limits-headers': {
    text: 'A limited call is answered with when to repeat it, in Retry-After and RateLimit headers.',
    source: 'draft-ietf-httpapi-ratelimit-headers',
    layer: 'line',
  },
  'P-egress-checked-address': {
    text: 'Outbound HTTP goes only to listed hosts; every address is checked and the connection pinned to a checked one.',
    source: 'packages/egress/README.md',
    layer: 'unit',
  },
  'P-egress-tls-redirects-caps': {
    text: 'TLS is always verified, redirects are followed only where the tool says so, and time and size are capped.',
    source: 'packages/egress/README.md',
    layer: 'unit',
  },
  'P-http-escaping': {
    text: 'Every argument in a URL, header, query or body is escaped: no argument changes where a request goes.',
    source: 'packages/request/README.md',
    layer: 'unit',
  },
  'P-result-charset': {
    text: 'Text of an upstream reaches the agent as text, whatever charset or byte order mark it has.',
    source: 'services/executor/README.md',
    layer: 'unit',
  },
  'P-result-headers': {
    text: 'The agent gets the headers of an answer that the tool lists, and is told when to repeat and where a redirect leads.',
    source: 'docs/tools.md',
    layer: 'unit',
  },
  'P-upstream-alone': {
    text: 'An MCP server that is down, missing, slow or odd makes its own tools unavailable, says why, and stops nothing else; they work by themselves once it answers.',
    source: 'packages/mcp/README.md',
    layer: 'line',
  },
  'P-mcp-in-the-world': {
    text: 'An MCP server that answers as servers do, by the book or not, is understood: lost sessions, redirects, streams left open or ended early, errors of any shape.',
    source: 'packages/mcp/README.md',
    layer: 'unit',
  },
  'P-one-odd-tool': {
    text: 'One odd tool of an MCP server hides only itself.',
    source: 'packages/mcp/README.md',
    layer: 'unit',
  },
  'P-catalog': {
    text: 'Every operation of the catalogue becomes, to the byte, the request that its vendor describes, with the credential in it.',
    source: 'examples/catalog/README.md',
    layer: 'line',
  },
  'P-catalog-add': {
    text: 'A definition of the catalogue is copied into a configuration by one command, which replaces nothing.',
    source: 'docs/tools.md',
    layer: 'line',
  },
  'P-tools-try': {
    text: 'The request that a call would become is shown from the folder alone, with marks for secrets, and refused as the line refuses it.',
    source: 'docs/tools.md',
    layer: 'unit',
  },
  'P-definition-checked': {
    text: 'A definition in which a placeholder has no argument, an argument no place, or a place two fillers is refused before any call.',
    source: 'packages/request/README.md',
    layer: 'unit',
  },
  'P-mcp-sandbox': {
    text: 'A local MCP server cannot read keys, the environment of another process, undeclared folders, or reach an undeclared network, where bubblewrap works.',
    source: 'packages/sandbox/README.md',
    layer: 'unit',
  },
  'P-mcp-limits': {
    text: 'A local MCP server with everything it started is ended above its limits of memory, processes and output.',
    source: 'packages/sandbox/README.md',
    layer: 'unit',
  },
  'P-mcp-listed': {
    text: 'An executor starts only local MCP servers that the operator listed, with exactly these arguments, folders and environment.',
    source: 'packages/sandbox/README.md',
    layer: 'unit',
  },
  'P-mcp-own-process': {
    text: 'A process of a local MCP server serves one user of one tenant, unless the tool file says that it is shared.',
    source: 'services/executor/README.md',
    layer: 'unit',
  },
  'P-mcp-paths': {
    text: 'A relative path in the tool file of a local MCP server is relative to the configuration folder, or is refused with file and line.',
    source: 'packages/cli/README.md',
    layer: 'unit',
  },
  'P-setup-sandbox': {
    text: 'Set-up brings the sandbox of local MCP servers, or says that it goes on without one.',
    source: 'deploy/local/README.md',
    layer: 'unit',
  },
  'P-mcp-pinned': {
    text: 'A tool of an upstream MCP server is pinned to the definition it had when it was applied.',
    source: 'services/executor/README.md',
    layer: 'unit',
  },
} as const satisfies Record<`P-${string}`, Requirement>;
