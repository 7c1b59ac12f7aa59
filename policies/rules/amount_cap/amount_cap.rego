# METADATA
# title: Spending per call, session and period stays within caps
# description: >-
#   For each cap in data.config.amount_cap whose `tools` name the tool ("*" for all): denies a call that spends more
#   than `deny_above`, asks before one that spends more than `ask_above`, and obliges the limiter to charge what the
#   call spends to each of `budgets`. A call that does not say what it spends is denied where its tool has the label
#   `spends` or a cap names the tool itself; a negative amount is denied. An approval satisfies an ask; it lifts
#   neither a cap nor a budget. A budget is for so many `hours`, counted from 1970, or for each `day` of the calendar in
#   a time zone, which must also be listed in data.config.zones. Budgets with the same name, `per`, and `hours` or `day`
#   share a counter. Malformed data denies everything, a malformed cap denies the tools that it names.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI08]
#   stops: An agent that pays one large sum, or one sum after another until the account is empty.
#   example: A refund of 5,000 is denied, one of 500 asks a person, and the sixth of 90 in a session exceeds its budget.
#   restricts: {"/*/tools/*": tool, "/*/budgets/*/day": zone}
#   data: |
#     zones: [Europe/Berlin]
#     amount_cap:
#       - tools: [pay]
#         ask_above: 100
#         deny_above: 1000
#         budgets: # each counts apart for every combination of `per`: tenant, agent, user, session, tool
#           - {name: of_a_task, amount: 500, per: [session], hours: 24}
#           - {name: of_a_day, amount: 2000, per: [agent], day: Europe/Berlin} # from midnight there
package interlock.rules.amount_cap

deny contains "The call does not say what it spends." if {
	_must_say
	not _amount_known
}

deny contains "The call spends a negative amount." if input.spends < 0

deny contains "The call spends more than it may." if {
	some cap in _caps
	input.spends > cap.deny_above
}

deny contains "The data of this rule is malformed." if _malformed

ask contains "The call spends so much that a person must approve it." if {
	not input.approval
	some cap in _caps
	input.spends > cap.ask_above
}

obligations contains {"name": "limit", "parameters": parameters} if {
	input.spends >= 0
	some cap in _caps
	some budget in cap.budgets
	window := _window(budget)
	parameters := object.union(window.counts, {
		"limit": $"amount_cap-{budget.name}-{window.name}",
		"kind": "spend",
		"per": budget.per,
		"budget": budget.amount,
		"amount": input.spends,
	})
}

_window(budget) := {"name": format_int(seconds, 10), "counts": {"windowMs": seconds * 1000}} if {
	seconds := round(budget.hours * 3600)
}

_window(budget) := {"name": "day", "counts": {"day": budget.day}} if budget.day

_must_say if "spends" in input.tool.labels

_must_say if {
	some cap in _caps
	input.tool.name in cap.tools
}

_amount_known if is_number(input.spends)

_caps := [cap | some cap in _about; _well_formed(cap)]

# A cap that does not name its tools applies to every tool.
_about := [cap | some cap in data.config.amount_cap; not _of_others(cap)]

_of_others(cap) if {
	is_array(cap.tools)
	not _among(input.tool.name, cap.tools)
}

_malformed if {
	caps := data.config.amount_cap
	not is_array(caps)
}

_malformed if {
	some cap in _about
	not _well_formed(cap)
}

_well_formed(cap) if {
	is_array(cap.tools)
	settings := object.keys(cap) - {"tools"}
	count(settings) > 0
	every name in settings {
		_is_valid(name, cap[name])
	}
}

_is_valid("ask_above", bound) if is_number(bound)

_is_valid("deny_above", bound) if is_number(bound)

_is_valid("budgets", budgets) if {
	is_array(budgets)
	count(budgets) > 0
	every budget in budgets {
		_is_budget(budget)
	}
}

_is_budget(budget) if {
	object.keys(budget) - {"hours", "day"} == {"name", "amount", "per"}
	_is_name(budget.name)
	is_number(budget.amount)
	budget.amount > 0
	is_array(budget.per)
	count(budget.per) > 0
	_has_window(budget)
	every dimension in budget.per {
		dimension in {"tenant", "agent", "user", "session", "tool"}
	}
}

_has_window(budget) if {
	not "day" in object.keys(budget)
	is_number(budget.hours)
	budget.hours >= 0.001
	budget.hours <= _hours_max
}

_has_window(budget) if {
	not "hours" in object.keys(budget)
	budget.day in data.config.zones
}

# The limiter keeps counters for 31 days.
_hours_max := 744

# Ids have 64 characters: the rule's name before it and the window after it need some of them.
_is_name(name) if {
	is_string(name)
	name != ""
	count(name) <= 40
	trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

_among(name, names) if name in names

_among(_, names) if "*" in names
