# METADATA
# title: A question that was denied twice is not asked again for a while
# description: >-
#   Denies a call where people have denied `count` (2) questions of this session with the same tool and the same
#   arguments within the last `for_minutes` (60); with `scope: tool` whatever the arguments. A call that a person
#   approved is not denied. People's answers are kept for a day, so `for_minutes` is at most 1440. Without data the
#   rule is on; `enabled: false` switches it off. Malformed data denies everything.
# custom:
#   severity: medium
#   owasp_asi: [ASI09, ASI10]
#   stops: An agent that repeats its question until somebody is tired enough to approve.
#   example: After two denials of delete_order 17, a third question is not asked for an hour.
#   data: |
#     denied_twice:
#       count: 2
#       for_minutes: 60
#       scope: arguments # or tool
#       enabled: true
package interlock.rules.denied_twice

deny contains "A person refused this more than once; it stays refused for a while." if _refuses

# Rego formats no instants: the minutes are counted from the one that the decision was made at.
until contains $"{minutes} minutes after {input.context.time}" if {
	_refuses
	oldest_first := sort([denial.at | some denial in _lately])
	last := oldest_first[count(oldest_first) - object.get(_config, "count", 2)]
	left_ms := (last + (object.get(_config, "for_minutes", 60) * 60000)) - input.context.epochMs
	minutes := ceil(left_ms / 60000)
}

_refuses if {
	input.history.denied != []
	not input.approval
	not _switched_off
	not _malformed
	count(_lately) >= object.get(_config, "count", 2)
}

deny contains "The data of this rule is malformed." if _malformed

default _config := {}

_config := data.config.denied_twice

_switched_off if _config.enabled == false

_lately := [denial |
	some denial in input.history.denied
	_counts(denial)
	input.context.epochMs - denial.at < object.get(_config, "for_minutes", 60) * 60000
]

_counts(denial) if denial.same

_counts(_) if _config.scope == "tool"

_malformed if not is_object(_config)

_malformed if {
	some name, value in _config
	not _is_valid(name, value)
}

_is_valid("enabled", value) if is_boolean(value)

_is_valid("scope", "arguments")

_is_valid("scope", "tool")

_is_valid("count", value) if _is_within(value, 1, 64)

_is_valid("for_minutes", value) if _is_within(value, 1, 1440)

_is_within(number, least, most) if {
	is_number(number)
	number >= least
	number <= most
}
