package interlock.rules.amount_cap_test

import data.interlock.rules.amount_cap

_call(amount) := {"tool": {"name": "pay", "labels": ["spends"]}, "spends": amount}

_caps := [{"tools": ["pay"], "ask_above": 100, "deny_above": 1000}]

_said(call, caps) := said if {
	said := {"deny": amount_cap.deny, "ask": amount_cap.ask} with input as call with data.config.amount_cap as caps
}

test_denies_above_the_cap if {
	_said(_call(1000.01), [{"tools": ["*"], "deny_above": 1000}]) == {
		"deny": {"The call spends more than it may."},
		"ask": set(),
	}
}

test_denies_what_does_not_say_what_it_spends if {
	expected := {"deny": {"The call does not say what it spends."}, "ask": set()}
	_said({"tool": {"name": "pay", "labels": ["spends"]}}, _caps) == expected
}

test_denies_a_negative_amount if {
	_said(_call(-1), _caps) == {"deny": {"The call spends less than nothing."}, "ask": set()}
}

test_denies_while_its_data_is_malformed if {
	expected := {"deny": {"The data of this rule is malformed."}, "ask": set()}
	_said(_call(1), {"pay": 100}) == expected
	_said(_call(1), [{"tools": ["pay"]}]) == expected
	_said(_call(1), [{"tools": ["pay"], "deny_above": "1000"}]) == expected
	_said(_call(1), [{"tools": ["pay"], "denyAbove": 1000}]) == expected
	_said(_call(1), [{"tools": "pay", "deny_above": 1000}]) == expected
}

test_asks_between_the_bounds_until_a_person_approved if {
	_said(_call(500), _caps) == {
		"deny": set(),
		"ask": {"The call spends so much that a person must approve it."},
	}
	approved := object.union(_call(500), {"approval": {"person": "bob", "resolvedAt": 1}})
	_said(approved, _caps) == {"deny": set(), "ask": set()}
}

test_an_approval_does_not_lift_the_cap if {
	approved := object.union(_call(5000), {"approval": {"person": "bob", "resolvedAt": 1}})
	_said(approved, _caps) == {"deny": {"The call spends more than it may."}, "ask": set()}
}

test_says_nothing_below_the_bounds_or_of_other_tools if {
	_said(_call(100), _caps) == {"deny": set(), "ask": set()}
	_said(_call(5000), [{"tools": ["refund"], "deny_above": 10}]) == {"deny": set(), "ask": set()}
	_said({"tool": {"name": "read_file", "labels": []}}, _caps) == {"deny": set(), "ask": set()}
}
