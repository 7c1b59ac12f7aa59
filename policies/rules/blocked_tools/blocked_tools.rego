# METADATA
# title: A blocked tool is denied to everybody the block names
# description: >-
#   Denies a call to a tool in data.config.blocked_tools, whatever else allows it. A block names tools ("*" for
#   all) and may narrow itself to agents or tenants. Malformed data denies everything, a malformed block the tools it is
#   about.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI10]
#   stops: A tool that nobody should use now, whatever a grant, an approval or a broken glass would allow.
#   example: The tool drop_table stands in a block, so a call to it is denied although a grant covers it.
#   data: |
#     blocked_tools:
#       - tools: [drop_table] # "*" is every tool
#       - tools: [send_mail]
#         agents: [intern] # optional, as are tenants
package interlock.rules.blocked_tools

deny contains "This tool is blocked." if {
	some block in _about
	_well_formed(block)
	_among(input.subject.agent, object.get(block, "agents", ["*"]))
	_among(input.subject.tenant, object.get(block, "tenants", ["*"]))
}

deny contains "The data of this rule is malformed." if _malformed

# A block that does not say which tools it is about is about every tool.
_about := [block | some block in data.config.blocked_tools; not _of_others(block)]

_of_others(block) if {
	is_array(block.tools)
	not _among(input.tool.name, block.tools)
}

_malformed if {
	blocks := data.config.blocked_tools
	not is_array(blocks)
}

_malformed if {
	some block in _about
	not _well_formed(block)
}

_well_formed(block) if {
	is_array(block.tools)
	count(object.keys(block) - {"tools", "agents", "tenants"}) == 0
	is_array(object.get(block, "agents", []))
	is_array(object.get(block, "tenants", []))
}

_among(name, names) if name in names

_among(_, names) if "*" in names
