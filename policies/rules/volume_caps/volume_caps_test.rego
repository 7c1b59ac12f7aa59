package interlock.rules.volume_caps_test

import data.interlock.rules.volume_caps

_readable := {"at": "/to", "readable": true, "address": "ada@example.com", "local": "ada", "domain": "example.com"}

_mail(recipients) := {
	"tool": {"name": "send_mail"},
	"arguments": {},
	"facts": {"recipients": recipients},
}

_mails(number) := _mail([_readable | some _ in numbers.range(1, number)])

_delete(arguments) := {"tool": {"name": "delete_orders"}, "arguments": arguments, "facts": {"recipients": []}}

_approved(call) := object.union(call, {"approval": {"person": "bob", "resolvedAt": 1}})

_mail_cap := {"tools": ["send_mail"], "counts": "recipients", "ask_above": 2, "deny_above": 5}

_delete_cap := {"tools": ["delete_orders"], "counts": "/filter/ids", "ask_above": 2, "deny_above": 5}

_budget := {"name": "of_a_task", "amount": 60, "per": ["session"], "hours": 24}

_result(call, caps) := result if {
	result := {"deny": volume_caps.deny, "ask": volume_caps.ask, "obligations": volume_caps.obligations}
		with input as call
		with data.config.volume_caps as caps
}

_nothing := {"deny": set(), "ask": set(), "obligations": set()}

_denied(text) := object.union(_nothing, {"deny": {text}})

_too_much := _denied("The call moves more than it may.")

_unsaid := _denied("The call does not say how much it moves.")

_malformed(cap) if _result(_mails(1), [cap]) == _denied("The data of this rule is malformed.")

test_denies_more_recipients_than_the_cap if {
	_result(_approved(_mails(6)), [_mail_cap]) == _too_much
}

test_denies_longer_lists_and_larger_numbers_than_the_cap if {
	_result(_approved(_delete({"filter": {"ids": [1, 2, 3, 4, 5, 6]}})), [_delete_cap]) == _too_much
	_result(_approved(_delete({"filter": {"ids": 6}})), [_delete_cap]) == _too_much
	_result(_approved(_delete({"a/b~": 6})), [object.union(_delete_cap, {"counts": "/a~1b~0"})]) == _too_much
}

test_denies_recipients_that_are_not_all_readable if {
	_result(_mail([_readable, {"at": "/to", "readable": false}]), [_mail_cap]) == _unsaid
	_result(_mail([{"at": "/to", "readable": false}]), [object.union(_mail_cap, {"absent": 1})]) == _unsaid
}

test_denies_a_call_without_a_count if {
	_result(_mail([]), [_mail_cap]) == _unsaid
	_result({"tool": {"name": "send_mail"}}, [_mail_cap]) == _unsaid
	_result(_delete({}), [_delete_cap]) == _unsaid
	every odd in ["6", true, null, {"in": 1}, -1] {
		_result(_delete({"filter": {"ids": odd}}), [object.union(_delete_cap, {"absent": 1})]) == _unsaid
	}
	_result({"tool": {"name": "delete_orders"}}, [object.union(_delete_cap, {"absent": 1})]) == _unsaid
}

test_does_not_look_for_counts_inside_lists if {
	cap := object.union(_delete_cap, {"counts": "/filters/0"})
	_result(_delete({"filters": [[1]]}), [cap]) == _unsaid
}

test_denies_everything_while_its_data_is_malformed if {
	_result(_mails(1), {"send_mail": 5}) == _denied("The data of this rule is malformed.")
	_malformed("delete_orders")
	_malformed({"counts": "recipients", "deny_above": 5})
	every change in [
		{"tools": "send_mail"},
		{"counts": "rows"},
		{"counts": 5},
		{"absent": "none"},
		{"absent": -1},
		{"deny_above": "5"},
		{"ask_above": null},
		{"max": 5},
		{"budgets": []},
		{"budgets": {"of_a_task": 5}},
	] {
		_malformed(object.union(_mail_cap, change))
	}
	_malformed({"tools": ["send_mail"], "counts": "recipients", "absent": 1})
	_malformed({"tools": ["send_mail"], "deny_above": 1})
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
		_malformed({"tools": ["send_mail"], "counts": "/ids", "budgets": [object.union(_budget, change)]})
	}
}

test_asks_between_the_bounds_until_a_person_approved if {
	_result(_mails(3), [_mail_cap]) == object.union(
		_nothing,
		{"ask": {"The call moves so much that a person must approve it."}},
	)
	_result(_approved(_mails(3)), [_mail_cap]) == _nothing
}

test_charges_the_count_to_every_budget if {
	caps := [{"tools": ["*"], "counts": "recipients", "budgets": [object.union(_budget, {"hours": 0.5})]}]
	_result(_mails(3), caps) == object.union(_nothing, {"obligations": {{"name": "limit", "parameters": {
		"limit": "volume_caps-of_a_task-1800",
		"kind": "volume",
		"per": ["session"],
		"windowMs": 1800000,
		"budget": 60,
		"amount": 3,
	}}}})
}

test_charges_a_budget_of_a_day_by_its_zone if {
	daily := {"name": "of_a_day", "amount": 60, "per": ["agent"], "day": "Europe/Berlin"}
	caps := [{"tools": ["*"], "counts": "recipients", "budgets": [daily]}]
	expected := object.union(_nothing, {"obligations": {{"name": "limit", "parameters": {
		"limit": "volume_caps-of_a_day-day",
		"kind": "volume",
		"per": ["agent"],
		"day": "Europe/Berlin",
		"budget": 60,
		"amount": 3,
	}}}})
	_result(_mails(3), caps) == expected with data.config.zones as ["Europe/Berlin"]
	_result(_mails(3), caps) == object.union(_nothing, {"deny": {"The data of this rule is malformed."}})
}

test_a_missing_argument_counts_as_data_says if {
	_result(_approved(_delete({})), [object.union(_delete_cap, {"absent": 6})]) == _too_much
	_result(_delete({}), [object.union(_delete_cap, {"absent": 1})]) == _nothing
	_result(_mail([]), [object.union(_mail_cap, {"absent": 0})]) == _nothing
}

test_returns_nothing_below_the_bounds_or_of_other_tools if {
	_result(_mails(2), [_mail_cap]) == _nothing
	_result(_delete({"filter": {"ids": [1, 2]}}), [_delete_cap]) == _nothing
	_result(_delete({"filter": {"ids": 0}}), [_delete_cap]) == _nothing
	_result(_mails(6), [_delete_cap, {"tools": ["other"], "counts": "rows"}]) == _nothing
	volume_caps.deny == set() with input as _mails(6) with data.config as {}
}
