package interlock.rules.break_glass_test

import data.interlock.rules.break_glass

_call := {
	"tool": {"name": "restart_service"},
	"context": {"epochMs": 1000},
	"emergency": {"id": "e1", "by": "ada", "reason": "The shop is down.", "expiresAt": 1001},
}

_result(call, config) := result if {
	result := {
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
	_result(call, {}) == _denied("The emergency is over.")
	_result(object.remove(_call, ["context"]), {}) == _denied("The emergency is over.")
}

test_denies_where_no_emergency_can_be_opened if {
	_result(_call, {"never": ["restart_service"]}) == _denied("An emergency cannot be opened for this tool.")
	_result(_call, {"enabled": false}) == _denied("An emergency cannot be opened for this tool.")
}

test_denies_while_its_data_is_malformed if {
	every config in [true, {"never": "pay"}, {"enabled": "no"}, {"always": []}] {
		_result(object.remove(_call, ["emergency"]), config) == _denied("The data of this rule is malformed.")
	}
}

test_returns_nothing_without_an_emergency if {
	_result(object.remove(_call, ["emergency"]), {"never": ["restart_service"]}) == _silent
	_result(object.remove(_call, ["emergency"]), {}) == _silent
}

test_allows_and_announces_in_an_emergency if {
	_result(_call, {"never": ["pay"]}) == {
		"deny": set(),
		"allow": {"A person opened an emergency for this tool."},
		"obligations": {{"name": "announce"}},
		"notes": {"Emergency e1, opened by ada until 1001 (ms since 1970): The shop is down."},
	}
}

test_a_long_reason_still_makes_a_note if {
	long := concat("", ["x" | some _ in numbers.range(1, 1000)])
	result := _result(object.union(_call, {"emergency": {"reason": long}}), {})
	every note in result.notes {
		count(note) < 500
	}
	count(result.notes) == 1
}
