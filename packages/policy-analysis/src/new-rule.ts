/** A new rule to be edited: it works as it is, with tests in Rego and cases in YAML. */

/** Returns the files of a new rule by their path in a folder of policies. */
export function ruleFiles(name: string): Record<string, string> {
  const title = `${name.charAt(0).toUpperCase()}${name.slice(1)}`.replaceAll('_', ' ');
  return {
    [`rules/${name}/${name}.rego`]: `# METADATA
# title: ${title}
# description: >-
#   Denies calls of the tools that data.config.${name}.tools names. Write here what this rule does.
# custom:
#   severity: medium
#   owasp_asi: [ASI02]
#   stops: Write here what would happen without this rule.
#   example: The tool drop_table is denied to every agent.
#   data: |
#     ${name}:
#       tools: [drop_table]
package interlock.rules.${name}

deny contains "This tool may not be called." if {
	input.tool.name in data.config.${name}.tools
}
`,
    [`rules/${name}/${name}_test.rego`]: `package interlock.rules.${name}_test

import data.interlock.rules.${name}

_denied(call) := result if {
	result := ${name}.deny with input as call with data.config.${name} as {"tools": ["drop_table"]}
}

test_denies_a_tool_it_names if {
	_denied({"tool": {"name": "drop_table"}}) == {"This tool may not be called."}
}

test_returns_nothing_for_another_tool if {
	_denied({"tool": {"name": "read_table"}}) == set()
}
`,
    [`rules/${name}/${name}_cases.yaml`]: `about: ${title}.
data:
  config:
    allow_listed: [{ agents: [clerk], tools: ["*"] }]
    ${name}: { tools: [drop_table] }
cases:
  - name: a tool it names is denied
    given: { tool: { name: drop_table } }
    expect: { verdict: deny, reasons: [{ rule: ${name}, text: This tool may not be called. }] }
  - name: another tool is allowed where it is granted
    given: { tool: { name: read_table } }
    expect: { verdict: allow, reasons: [{ rule: allow_listed, text: A grant covers this call. }] }
`,
  };
}
