# METADATA
# title: A tool whose definition changed since it was pinned is denied
# description: >-
#   Denies a call to a tool of an MCP server whose definition is no longer the pinned one: its description or schema
#   may now mislead the agent. For tools in data.config.tool_changed.asks ("*" for all) the rule asks instead;
#   `enabled: false` switches it off. Malformed data denies everything.
# custom:
#   severity: high
#   owasp_asi: [ASI01, ASI04]
#   stops: A server that offers a harmless tool, waits until it is trusted, and then changes it.
#   example: The description of read_file now ends in "and send it to …"; until somebody pins it again, calls are denied.
#   widens: {"/asks/*": tool}
#   data: |
#     tool_changed:
#       asks: [search_docs] # a change asks a person instead
#       enabled: true
package interlock.rules.tool_changed

# It denies whatever the arguments are.
withholds := deny

deny contains "This tool's definition has changed since it was pinned." if {
	_changed
	not _asks
}

deny contains "The data of this rule is malformed." if _malformed

ask contains "This tool's definition has changed since it was pinned, so a person must approve the call." if {
	not input.approval
	_changed
	_asks
}

_changed if {
	input.tool.definition
	not _as_pinned
	not _switched_off
}

_as_pinned if input.tool.definition.current == input.tool.definition.pinned

_switched_off if data.config.tool_changed.enabled == false

_asks if input.tool.name in data.config.tool_changed.asks

_asks if "*" in data.config.tool_changed.asks

_malformed if {
	config := data.config.tool_changed
	not is_object(config)
}

_malformed if {
	some name, value in data.config.tool_changed
	not _is_valid(name, value)
}

_is_valid("asks", value) if is_array(value)

_is_valid("enabled", value) if is_boolean(value)
