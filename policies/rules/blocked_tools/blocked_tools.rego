# METADATA
# title: A blocked tool is denied
# description: >-
#   Denies a call to a tool in data.config.blocked_tools, whatever else allows it. A block names tools ("*" for all)
#   and can be limited to agents or tenants. Malformed data denies everything, a malformed block denies the tools
#   that it names.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI10]
#   stops: A tool that must not be used now, whatever a grant, an approval or an emergency would allow.
#   example: A block names the tool drop_table, so a call to it is denied although a grant covers it.
#   restricts: {"/*/tools/*": tool, "/*/agents/*": agent, "/*/tenants/*": tenant}
#   data: |
#     blocked_tools:
#       - tools: [drop_table] # "*" is every tool
#       - tools: [send_mail]
#         agents: [intern] # optional, as are tenants
package interlock.rules.blocked_tools

# It denies whatever the arguments are.
withholds := deny

deny contains "This tool is blocked." if {
	some block in _about
	_well_formed(block)
	_among(input.subject.agent, object.get(block, "agents", ["*"]))
	_among(input.subject.tenant, object.get(block, "tenants", ["*"]))
}

deny contains "The data of this rule is malformed." if _malformed

# A block that does not name its tools applies to every tool.
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
