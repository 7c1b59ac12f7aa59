# METADATA
# title: The first use in a session needs a person's approval
# description: >-
#   Asks before the session's first call of one of `tools` ("*" for all). Where `destinations` is true, also asks
#   before the session's first call to a destination that is not among `known` (origins such as `https://host`), the
#   tool's own target included. A destination that cannot be read counts as a first one. Without data the rule
#   returns nothing; malformed data denies everything.
# custom:
#   severity: medium
#   owasp_asi: [ASI02, ASI10]
#   stops: An agent that suddenly uses something it never needed for this task.
#   example: The first refund of a session asks; the second does not.
#   restricts: {"/tools/*": tool}
#   data: |
#     first_use_asks:
#       tools: [refund]
#       destinations: true
#       known: [https://api.example.com]
package interlock.rules.first_use_asks

deny contains "The data of this rule is malformed." if _malformed

ask contains "This session uses this tool for the first time, so a person must approve it." if {
	not input.approval
	input.tool.firstUse
	_named
}

ask contains "This session goes to this destination for the first time, so a person must approve it." if {
	not input.approval
	data.config.first_use_asks.destinations == true
	some destination in input.facts.destinations
	_is_first(destination)
}

_named if input.tool.name in data.config.first_use_asks.tools

_named if "*" in data.config.first_use_asks.tools

_is_first(destination) if destination.readable == false

_is_first(destination) if {
	destination.firstUse
	not _is_known(destination.origin)
}

_is_known(origin) if origin in data.config.first_use_asks.known

_malformed if {
	config := data.config.first_use_asks
	not is_object(config)
}

_malformed if {
	some name, value in data.config.first_use_asks
	not _is_valid(name, value)
}

_is_valid("tools", value) if is_array(value)

_is_valid("known", value) if is_array(value)

_is_valid("destinations", value) if is_boolean(value)
