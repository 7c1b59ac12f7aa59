# METADATA
# title: Several weak signals together ask or deny
# description: >-
#   Adds the weights (1 to 1000) of the signals that apply to a call, asks from `ask_at` on and denies from `deny_at`
#   on. A note tells the audit the score and its parts; the agent sees neither. Signals of `signals`: `labels` and
#   `session_labels` (a weight for each label), `first_tool`, `first_destination`, `unreadable` (a fact that no
#   parser could read), `denials` (for each denial of this tool by a person in the last day), `recipients` (a
#   recipient outside `known`, which are domains), `off_hours` (by the local time of `zone`, which must be listed in
#   data.config.zones: outside `from` to `to`, or not on one of `weekdays`) and `amounts` (each step that `spends`
#   exceeds; all of them where a tool that spends does not say how much). Without data the rule returns nothing;
#   malformed data denies everything.
# custom:
#   severity: medium
#   owasp_asi: [ASI01, ASI02, ASI10]
#   stops: A call in which no single sign is forbidden and all signs together are suspicious.
#   example: A first payment at night, after an untrusted page, asks; to an unknown recipient it is denied.
#   restricts: {"/signals/labels/*": label, "/signals/off_hours/zone": zone}
#   data: |
#     zones: [Europe/Berlin]
#     risk_score:
#       ask_at: 50
#       deny_at: 100
#       signals:
#         labels: {destructive: 40, sends-external: 20}
#         session_labels: {untrusted: 30}
#         first_tool: 10
#         first_destination: 20
#         unreadable: 40
#         denials: 20
#         recipients: {weight: 30, known: [example.com]}
#         off_hours: {weight: 20, zone: Europe/Berlin, from: 8, to: 18, weekdays: [1, 2, 3, 4, 5]}
#         amounts: [{above: 100, weight: 10}, {above: 1000, weight: 40}]
package interlock.rules.risk_score

deny contains "This call is too risky." if _score >= _config.deny_at

deny contains "The data of this rule is malformed." if _malformed

ask contains "This call is so risky that a person must approve it." if {
	not input.approval
	_score >= _config.ask_at
}

notes contains note if {
	_score >= _config.ask_at
	parts := concat(", ", sort([$"{name} {weight}" | some name, weight in _parts]))
	note := $"Risk {_score}: {parts}"
}

_config := data.config.risk_score if _usable

# A rule without parameters is evaluated once for each decision, a function at each of its uses.
_usable if _well_formed(data.config.risk_score)

_signals := _config.signals

_score := sum([weight | some weight in _parts])

_parts[$"label {label}"] := weight if {
	some label in input.tool.labels
	weight := _signals.labels[label]
}

_parts[$"session {label}"] := weight if {
	some label in input.session.labels
	weight := _signals.session_labels[label]
}

_parts["first_tool"] := _signals.first_tool if input.tool.firstUse

_parts["first_destination"] := _signals.first_destination if {
	some destination in input.facts.destinations
	destination.firstUse
}

_parts["unreadable"] := _signals.unreadable if {
	some facts in input.facts
	some fact in facts
	fact.readable == false
}

_parts["denials"] := _signals.denials * count(input.history.denied) if count(input.history.denied) > 0

_parts["recipients"] := _signals.recipients.weight if {
	some recipient in input.facts.recipients
	not _is_known(recipient)
}

_parts["off_hours"] := _signals.off_hours.weight if not _in_hours

_parts["amounts"] := weight if {
	weight := sum([step.weight | some step in _signals.amounts; _is_above(step.above)])
	weight > 0
}

_is_known(recipient) if recipient.domain in _signals.recipients.known

# Without a local time there is no hour to compare.
_in_hours if {
	hours := _signals.off_hours
	now := input.context.local[hours.zone]
	now.weekday in hours.weekdays
	now.minuteOfDay >= hours.from * 60
	now.minuteOfDay < hours.to * 60
}

_is_above(amount) if input.spends > amount

_is_above(_) if {
	"spends" in input.tool.labels
	not _amount_known
}

_amount_known if is_number(input.spends)

_malformed if {
	data.config.risk_score != null
	not _usable
}

_malformed if data.config.risk_score == null

# An object with three members and these three names has no other.
_well_formed(config) if {
	count(config) == 3
	_is_weight(config.ask_at)
	_is_weight(config.deny_at)
	is_object(config.signals)
	every name, value in config.signals {
		_is_valid(name, value)
	}
}

_is_valid(name, value) if {
	name in _plain
	_is_weight(value)
}

_is_valid("labels", weights) if _are_weights(weights)

_is_valid("session_labels", weights) if _are_weights(weights)

_is_valid("recipients", value) if {
	count(value) == 2
	_is_weight(value.weight)
	is_array(value.known)
}

_is_valid("off_hours", value) if {
	count(value) == 5
	_is_weight(value.weight)
	value.zone in data.config.zones
	value.from < value.to
	is_number(value.from)
	is_number(value.to)
	is_array(value.weekdays)
}

_is_valid("amounts", steps) if {
	is_array(steps)
	every step in steps {
		count(step) == 2
		is_number(step.above)
		_is_weight(step.weight)
	}
}

_plain := ["first_tool", "first_destination", "unreadable", "denials"]

_are_weights(weights) if {
	is_object(weights)
	every weight in weights {
		_is_weight(weight)
	}
}

# A negative weight would offset another signal; engines print fractions differently.
_is_weight(number) if {
	is_number(number)
	number > 0
	number <= 1000
	number == floor(number)
}
