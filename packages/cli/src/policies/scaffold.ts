/** A first rule to change: it works as it stands, and its test says how. */

/** The files of a new rule, by name. */
export function ruleFiles(name: string): Record<string, string> {
  const title = `${name.charAt(0).toUpperCase()}${name.slice(1)}`.replaceAll('_', ' ');
  return {
    [`${name}.rego`]: `# METADATA
# title: ${title}
# description: >-
#   Denies calls of the tools that data.config.${name}.tools names. Say here what this rule stops, and what its data
#   means.
# custom:
#   severity: medium
#   owasp_asi: [ASI02]
package interlock.rules.${name}

deny contains "This tool may not be called." if {
	input.tool.name in data.config.${name}.tools
}
`,
    [`${name}_test.rego`]: `package interlock.rules.${name}_test

import data.interlock.rules.${name}

_denied(call) := said if {
	said := ${name}.deny with input as call with data.config.${name} as {"tools": ["drop_table"]}
}

test_denies_a_tool_it_names if {
	_denied({"tool": {"name": "drop_table"}}) == {"This tool may not be called."}
}

test_says_nothing_of_another_tool if {
	_denied({"tool": {"name": "read_table"}}) == set()
}
`,
  };
}
