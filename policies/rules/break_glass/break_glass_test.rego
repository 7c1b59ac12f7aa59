package interlock.rules.break_glass_test

import data.interlock.rules.break_glass

_call := {
	"tool": {"name": "restart_service"},
	"context": {"epochMs": 1000},
	"emergency": {"id": "e1", "by": "ada", "reason": "The shop is down.", "expiresAt": 1001},
}

_said(call, config) := said if {
	said := {
		"deny": break_glass.deny,
		"allow": break_glass.allow,
		"obligations": break_glass.obligations,
		"notes": break_glass.notes,
	} with input as call with data.config as {"break_glass": config}
}

_silent := {"deny": set(), "allow": set(), "obligations": set(), "notes": set()}

_denied(text) := object.union(_silent, {"deny": {text}})

test_denies_once_the_emergency_is_over if {
	call := object.union(_call, {"context": {"epochMs": 1001}})
	_said(call, {}) == _denied("The emergency is over.")
	_said(object.remove(_call, ["context"]), {}) == _denied("The emergency is over.")
}

test_denies_an_emergency_where_none_is_taken if {
	_said(_call, {"never": ["restart_service"]}) == _denied("No emergency is taken for this tool.")
	_said(_call, {"enabled": false}) == _denied("No emergency is taken for this tool.")
}

test_denies_while_its_data_is_malformed if {
	every config in [true, {"never": "pay"}, {"enabled": "no"}, {"always": []}] {
		_said(object.remove(_call, ["emergency"]), config) == _denied("The data of this rule is malformed.")
	}
}

test_says_nothing_without_an_emergency if {
	_said(object.remove(_call, ["emergency"]), {"never": ["restart_service"]}) == _silent
	_said(object.remove(_call, ["emergency"]), {}) == _silent
}

test_allows_loudly_in_an_emergency if {
	_said(_call, {"never": ["pay"]}) == {
		"deny": set(),
		"allow": {"A person opened an emergency for this tool."},
		"obligations": {{"name": "announce"}},
		"notes": {"Emergency e1, opened by ada until 1001 (ms since 1970): The shop is down."},
	}
}

test_a_long_reason_still_makes_a_note if {
	long := concat("", ["x" | some _ in numbers.range(1, 1000)])
	said := _said(object.union(_call, {"emergency": {"reason": long}}), {})
	every note in said.notes {
		count(note) < 500
	}
	count(said.notes) == 1
}
