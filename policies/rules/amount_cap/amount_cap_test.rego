package interlock.rules.amount_cap_test

import data.interlock.rules.amount_cap

_call(amount) := {"tool": {"name": "pay", "labels": ["spends"]}, "spends": amount}

_caps := [{"tools": ["pay"], "ask_above": 100, "deny_above": 1000}]

_budget := {"name": "of_a_task", "amount": 500, "per": ["session"], "hours": 24}

_daily := {"name": "of_a_task", "amount": 500, "per": ["session"], "day": "Europe/Berlin"}

_result(call, caps) := result if {
	result := {"deny": amount_cap.deny, "ask": amount_cap.ask, "obligations": amount_cap.obligations} with input as call
		with data.config.amount_cap as caps
}

_nothing := {"deny": set(), "ask": set(), "obligations": set()}

_denied(text) := object.union(_nothing, {"deny": {text}})

_malformed(caps) if _result(_call(1), caps) == _denied("The data of this rule is malformed.")

test_denies_above_the_cap if {
	_result(_call(1000.01), [{"tools": ["*"], "deny_above": 1000}]) == _denied("The call spends more than it may.")
}

test_denies_a_call_without_an_amount if {
	expected := _denied("The call does not say what it spends.")
	_result({"tool": {"name": "pay", "labels": ["spends"]}}, _caps) == expected
	_result({"tool": {"name": "pay", "labels": ["spends"]}}, []) == expected
	_result({"tool": {"name": "pay", "labels": []}}, _caps) == expected
	_result({"tool": {"name": "pay", "labels": []}}, [{"tools": ["pay"], "budgets": [_budget]}]) == expected
}

test_denies_a_negative_amount if {
	_result(_call(-1), _caps) == _denied("The call spends a negative amount.")
	_result(_call(-1), [{"tools": ["pay"], "budgets": [_budget]}]) == _denied("The call spends a negative amount.")
}

test_denies_while_its_data_is_malformed if {
	_malformed({"pay": 100})
	_malformed(null)
	_malformed(["refund"])
	_malformed([{"deny_above": 1000}])
	_malformed([{"tool": ["refund"], "deny_above": 1000}])
	_malformed([{"tools": ["pay"]}])
	_malformed([{"tools": ["pay"], "deny_above": "1000"}])
	_malformed([{"tools": ["pay"], "denyAbove": 1000}])
	_malformed([{"tools": "pay", "deny_above": 1000}])
	_malformed([{"tools": ["pay"], "budgets": []}])
	_malformed([{"tools": ["pay"], "budgets": {"of_a_task": 500}}])
}

test_denies_while_a_budget_is_malformed if {
	every change in [
		{"name": "of a task"},
		{"name": ""},
		{"name": 7},
		{"name": "a-name-that-is-longer-than-the-forty-characters"},
		{"amount": 0},
		{"amount": "500"},
		{"per": []},
		{"per": "session"},
		{"per": ["task"]},
		{"hours": 0},
		{"hours": 745},
		{"hours": "24"},
		{"days": 1},
	] {
		_malformed([{"tools": ["pay"], "budgets": [object.union(_budget, change)]}])
	}
	_malformed([{"tools": ["pay"], "budgets": [object.remove(_budget, ["per"])]}])
}

test_denies_while_the_day_of_a_budget_is_malformed if {
	every window in [
		{},
		{"day": "Europe/Rome"},
		{"day": true},
		{"day": null},
		{"day": "Europe/Berlin", "hours": 24},
		{"day": "Europe/Berlin", "hours": null},
	] {
		budget := object.union(object.remove(_budget, ["hours"]), window)
		_malformed([{"tools": ["pay"], "budgets": [budget]}]) with data.config.zones as ["Europe/Berlin"]
	}
	_malformed([{"tools": ["pay"], "budgets": [_daily]}])
}

test_charges_a_budget_of_a_day_by_its_zone if {
	expected := object.union(_nothing, {"obligations": {{"name": "limit", "parameters": {
		"limit": "amount_cap-of_a_task-day",
		"kind": "spend",
		"per": ["session"],
		"day": "Europe/Berlin",
		"budget": 500,
		"amount": 90,
	}}}})
	caps := [{"tools": ["pay"], "budgets": [_daily]}]
	_result(_call(90), caps) == expected with data.config.zones as ["Europe/Berlin"]
}

test_asks_between_the_bounds_until_a_person_approved if {
	asked := object.union(_nothing, {"ask": {"The call spends so much that a person must approve it."}})
	_result(_call(500), _caps) == asked
	approved := object.union(_call(500), {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(approved, _caps) == _nothing
}

test_an_approval_does_not_lift_the_cap if {
	approved := object.union(_call(5000), {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(approved, _caps) == _denied("The call spends more than it may.")
}

test_charges_every_budget_also_when_approved if {
	day := {"name": "of_a_day", "amount": 2000, "per": ["agent", "tool"], "hours": 744}
	approved := object.union(_call(90), {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(approved, [{"tools": ["pay"], "budgets": [_budget, day]}]) == object.union(_nothing, {"obligations": {
		{"name": "limit", "parameters": {
			"limit": "amount_cap-of_a_task-86400",
			"kind": "spend",
			"per": ["session"],
			"windowMs": 86400000,
			"budget": 500,
			"amount": 90,
		}},
		{"name": "limit", "parameters": {
			"limit": "amount_cap-of_a_day-2678400",
			"kind": "spend",
			"per": ["agent", "tool"],
			"windowMs": 2678400000,
			"budget": 2000,
			"amount": 90,
		}},
	}})
}

test_returns_nothing_below_the_bounds_or_of_other_tools if {
	_result(_call(100), _caps) == _nothing
	_result(_call(5000), [{"tools": ["refund"], "deny_above": 10, "budgets": [_budget]}]) == _nothing
	_result(_call(5000), [{"tools": ["refund"], "denyAbove": 10}]) == _nothing
	_result({"tool": {"name": "read_file", "labels": []}}, _caps) == _nothing
	_result({"tool": {"name": "read_file", "labels": []}}, [{"tools": ["*"], "budgets": [_budget]}]) == _nothing
	amount_cap.deny == set() with input as _call(5000) with data.config as {}
}
