# METADATA
# title: A call spends no more than its cap
# description: >-
#   For each entry of data.config.amount_cap whose tools name the tool ("*" for all), denies a call that spends
#   more than `deny_above` and asks before one that spends more than `ask_above`. A tool with the label `spends`
#   whose call does not say what it spends, or spends less than nothing, is denied.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI08]
package interlock.rules.amount_cap

deny contains "The call does not say what it spends." if {
	"spends" in input.tool.labels
	not _amount_said
}

deny contains "The call spends less than nothing." if input.spends < 0

deny contains "The call spends more than it may." if {
	some cap in _caps
	input.spends > cap.deny_above
}

deny contains _malformed if {
	caps := data.config.amount_cap
	not is_array(caps)
}

deny contains _malformed if {
	some cap in data.config.amount_cap
	not _well_formed(cap)
}

ask contains "The call spends so much that a person must approve it." if {
	not input.approval
	some cap in _caps
	input.spends > cap.ask_above
}

_amount_said if is_number(input.spends)

_malformed := "The data of this rule is malformed."

_caps contains cap if {
	some cap in data.config.amount_cap
	_well_formed(cap)
	_among(input.tool.name, cap.tools)
}

_well_formed(cap) if {
	is_array(cap.tools)
	bounds := object.keys(cap) - {"tools"}
	count(bounds) > 0
	count(bounds - {"deny_above", "ask_above"}) == 0
	every bound in bounds {
		is_number(cap[bound])
	}
}

_among(name, names) if name in names

_among(_, names) if "*" in names
