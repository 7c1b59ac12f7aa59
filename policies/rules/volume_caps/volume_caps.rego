# METADATA
# title: The volume per call, session and period stays within caps
# description: >-
#   For each cap in data.config.volume_caps whose `tools` name the tool ("*" for all): counts what `counts` names,
#   denies a call of more than `deny_above`, asks before one of more than `ask_above`, and obliges the limiter to
#   charge the count to each of `budgets`. `counts` is "recipients", or a JSON Pointer to an argument: a number
#   counts as itself, a list as its length. A call without a count is denied, unless `absent` says what a missing
#   argument counts. Pointers lead through objects, not into lists. A budget is for so many `hours`, counted from 1970,
#   or for each `day` of the calendar in a time zone, which must also be listed in data.config.zones. Budgets with the
#   same name, `per`, and `hours` or `day` share a counter. Malformed data denies everything, a malformed cap denies the
#   tools that it names.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI08, ASI10]
#   stops: An agent that writes to the whole address book, reads out a table, or deletes more than it was asked to.
#   example: A mail to 500 recipients is denied, one to 20 asks a person, and after 60 in a session no further mail is sent.
#   restricts: {"/*/tools/*": tool, "/*/counts": argument, "/*/budgets/*/day": zone}
#   data: |
#     zones: [Europe/Berlin]
#     volume_caps:
#       - tools: [send_mail]
#         counts: recipients
#         ask_above: 10
#         deny_above: 100
#         budgets: # each counts apart for every combination of `per`: tenant, agent, user, session, tool
#           - {name: mails_of_a_task, amount: 60, per: [session], hours: 24}
#           - {name: mails_of_a_day, amount: 200, per: [agent], day: Europe/Berlin} # from midnight there
#       - tools: [list_orders]
#         counts: /page/limit
#         absent: 50 # the tool's default
#         deny_above: 200
#       - tools: [delete_orders]
#         counts: /ids
#         deny_above: 20
package interlock.rules.volume_caps

deny contains "The call does not say how much it moves." if {
	some cap in _caps
	not _counted(cap)
}

deny contains "The call moves more than it may." if {
	some cap in _caps
	_count(cap) > cap.deny_above
}

deny contains "The data of this rule is malformed." if _malformed

ask contains "The call moves so much that a person must approve it." if {
	not input.approval
	some cap in _caps
	_count(cap) > cap.ask_above
}

obligations contains {"name": "limit", "parameters": parameters} if {
	some cap in _caps
	amount := _count(cap)
	some budget in cap.budgets
	window := _window(budget)
	parameters := object.union(window.counts, {
		"limit": $"volume_caps-{budget.name}-{window.name}",
		"kind": "volume",
		"per": budget.per,
		"budget": budget.amount,
		"amount": amount,
	})
}

_window(budget) := {"name": format_int(seconds, 10), "counts": {"windowMs": seconds * 1000}} if {
	seconds := round(budget.hours * 3600)
}

_window(budget) := {"name": "day", "counts": {"day": budget.day}} if budget.day

_counted(cap) if _count(cap) >= 0

# One address that cannot be read may stand for many, so the count is unknown.
_count(cap) := count(input.facts.recipients) if {
	cap.counts == "recipients"
	count(input.facts.recipients) > 0
	every recipient in input.facts.recipients {
		recipient.readable
	}
} else := cap.absent if {
	cap.counts == "recipients"
	count(input.facts.recipients) == 0
} else := _size(_at(cap.counts)) if {
	startswith(cap.counts, "/")
	not is_set(_at(cap.counts))
} else := cap.absent if {
	startswith(cap.counts, "/")
	is_set(_at(cap.counts))
}

_size(value) := value if {
	is_number(value)
	value >= 0
}

_size(value) := count(value) if is_array(value)

# Arguments are JSON, which has no sets: a set stands for an absent value.
_at(pointer) := object.get(input.arguments, path, set()) if {
	path := [replace(replace(token, "~1", "/"), "~0", "~") | some token in array.slice(split(pointer, "/"), 1, 64)]
}

_caps := [cap | some cap in _about; _well_formed(cap)]

# A cap that does not name its tools applies to every tool.
_about := [cap | some cap in data.config.volume_caps; not _of_others(cap)]

_of_others(cap) if {
	is_array(cap.tools)
	not _among(input.tool.name, cap.tools)
}

_malformed if {
	caps := data.config.volume_caps
	not is_array(caps)
}

_malformed if {
	some cap in _about
	not _well_formed(cap)
}

_well_formed(cap) if {
	is_array(cap.tools)
	_is_countable(cap.counts)
	settings := object.keys(cap) - {"tools", "counts"}
	count(settings - {"absent"}) > 0
	every name in settings {
		_is_valid(name, cap[name])
	}
}

_is_countable("recipients")

_is_countable(pointer) if {
	startswith(pointer, "/")
	count(split(pointer, "/")) <= 64
}

_is_valid("absent", number) if {
	is_number(number)
	number >= 0
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
