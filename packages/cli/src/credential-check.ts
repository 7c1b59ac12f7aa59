/** Credentials that tools need and nobody has set: until then every call of such a tool fails. */
import { credentialListSchema } from '@interlock/contracts';
import { toolsOf } from '@interlock/policy-analysis';
import type { ApiClient } from './client.ts';
import { issueText, type LoadedConfiguration } from './load-configuration.ts';
import type { ConfigurationIssue } from './yaml-file.ts';

/** A credential that nobody has set, the tools of one file that need it, and the warning about them. */
export interface UnsetCredential {
  credential: string;
  tools: string[];
  issue: ConfigurationIssue;
}

/** Returns a warning for each tool file whose credential is not among those that are set. */
export function unsetCredentials(
  loaded: Pick<LoadedConfiguration, 'tools' | 'toolIssue'>,
  set: ReadonlySet<string>,
): UnsetCredential[] {
  return loaded.tools.flatMap((file, index) => {
    const isMcp = 'mcp' in file;
    const uses = (isMcp ? file.mcp : file).credential;
    const what = isMcp ? `the tools of ${file.mcp.server} cannot be called` : `${file.name} cannot be called`;
    return uses.flatMap(({ name }, position) => {
      if (set.has(name)) return [];
      const text = `no credential ${name} is set: ${what} until interlock credential set ${name}`;
      const path = [...(isMcp ? ['mcp'] : []), 'credential', ...(uses.length > 1 ? [position, 'name'] : [])];
      const issue = loaded.toolIssue(index, { path, isKey: false, text });
      return [{ credential: name, tools: toolsOf(file).map((tool) => tool.name), issue }];
    });
  });
}

/** Returns the names of the credentials that are set. */
export async function setCredentials(client: ApiClient): Promise<ReadonlySet<string>> {
  const reply = credentialListSchema;
  const { credentials } = await client.request({ method: 'GET', path: '/v1/credentials', reply });
  return new Set(credentials.map(({ name }) => name));
}

/** Reports the credentials of a configuration that nobody has set. */
export async function reportUnsetCredentials(
  client: ApiClient,
  loaded: LoadedConfiguration,
  report: (line: string) => void,
): Promise<void> {
  for (const { issue } of unsetCredentials(loaded, await setCredentials(client)))
    report(`warning: ${issueText(issue)}`);
}
