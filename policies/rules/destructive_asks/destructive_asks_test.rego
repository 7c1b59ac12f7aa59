package interlock.rules.destructive_asks_test

import data.interlock.rules.destructive_asks

_call := {"tool": {"name": "delete_order", "labels": ["writes", "destructive"]}}

_asked := {"deny": set(), "ask": {"This call destroys something, so a person must approve it."}}

_silent := {"deny": set(), "ask": set()}

_result(call, config) := result if {
	result := {"deny": destructive_asks.deny, "ask": destructive_asks.ask} with input as call
		with data.config as config
}

test_denies_while_its_data_is_malformed if {
	call := {"tool": {"name": "read_order", "labels": []}}
	every config in [true, {"enabled": "no"}, {"except": "delete_order"}, {"excepts": []}] {
		_result(call, {"destructive_asks": config}) == {"deny": {"The data of this rule is malformed."}, "ask": set()}
	}
}

test_asks_before_something_is_destroyed if {
	_result(_call, {}) == _asked
	_result(_call, {"destructive_asks": {"except": ["delete_draft"]}}) == _asked
}

test_returns_nothing_for_what_does_not_destroy if {
	_result({"tool": {"name": "read_order", "labels": ["reads-private"]}}, {}) == _silent
}

test_returns_nothing_once_a_person_approved if {
	_result(object.union(_call, {"approval": {"person": "bob", "resolvedAt": 1}}), {}) == _silent
}

test_is_tuned_by_data if {
	_result(_call, {"destructive_asks": {"except": ["delete_order"]}}) == _silent
	_result(_call, {"destructive_asks": {"enabled": false}}) == _silent
}
