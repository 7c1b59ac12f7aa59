package interlock.rules.risk_score_test

import data.interlock.rules.risk_score

_config := {
	"ask_at": 50,
	"deny_at": 100,
	"signals": {
		"labels": {"destructive": 40, "sends-external": 20},
		"session_labels": {"untrusted": 30},
		"first_tool": 10,
		"first_destination": 20,
		"unreadable": 40,
		"denials": 20,
		"recipients": {"weight": 30, "known": ["example.com"]},
		"off_hours": {"weight": 20, "zone": "UTC", "from": 8, "to": 18.5, "weekdays": [1, 2, 3, 4, 5]},
		"amounts": [{"above": 100, "weight": 10}, {"above": 1000, "weight": 40}],
	},
}

_calm := {
	"tool": {"name": "pay", "labels": ["writes"], "firstUse": false},
	"session": {"labels": []},
	"history": {"denied": []},
	"facts": {"sql": [], "recipients": [], "destinations": []},
	"context": {"local": {"UTC": {"date": "2026-01-14", "weekday": 3, "minuteOfDay": 600}}},
}

_result(call, config) := result if {
	result := {"deny": risk_score.deny, "ask": risk_score.ask, "notes": risk_score.notes} with input as call
		with data.config as {"zones": ["UTC"], "risk_score": config}
}

_with(special) := result if result := _result(object.union(_calm, special), object.union(_config, {"ask_at": 1}))

_silent := {"deny": set(), "ask": set(), "notes": set()}

_asked(note) := {
	"deny": set(),
	"ask": {"This call is so risky that a person must approve it."},
	"notes": {note},
}

test_denies_from_the_upper_threshold_on if {
	call := object.union(_calm, {
		"tool": {"labels": ["destructive"], "firstUse": true},
		"session": {"labels": ["untrusted"]},
		"history": {"denied": [{"at": 1, "same": false}]},
	})
	_result(call, _config) == {
		"deny": {"This call is too risky."},
		"ask": {"This call is so risky that a person must approve it."},
		"notes": {"Risk 100: denials 20, first_tool 10, label destructive 40, session untrusted 30"},
	}
	_result(object.union(call, {"approval": {"person": "bob", "resolvedAt": 1}}), _config) == {
		"deny": {"This call is too risky."},
		"ask": set(),
		"notes": {"Risk 100: denials 20, first_tool 10, label destructive 40, session untrusted 30"},
	}
}

test_each_signal_counts if {
	_with({"tool": {"labels": ["destructive", "sends-external"]}}) == _asked("Risk 60: label destructive 40, label sends-external 20")
	_with({"session": {"labels": ["untrusted", "private"]}}) == _asked("Risk 30: session untrusted 30")
	_with({"tool": {"firstUse": true}}) == _asked("Risk 10: first_tool 10")
	_with({"facts": {"destinations": [{"readable": true, "firstUse": true}]}}) == _asked("Risk 20: first_destination 20")
	_with({"facts": {"sql": [{"at": "/q", "readable": false}]}}) == _asked("Risk 40: unreadable 40")
	_with({"history": {"denied": [{"at": 1, "same": true}, {"at": 2, "same": false}]}}) == _asked("Risk 40: denials 40")
	_with({"facts": {"recipients": [
		{"at": "/to", "readable": true, "domain": "example.com"},
		{"at": "/to", "readable": true, "domain": "example.net"},
	]}}) == _asked("Risk 30: recipients 30")
	_with({"facts": {"recipients": [{"at": "/to", "readable": false}]}}) == _asked("Risk 70: recipients 30, unreadable 40")
	_with({"spends": 101}) == _asked("Risk 10: amounts 10")
	_with({"spends": 1001}) == _asked("Risk 50: amounts 50")
}

test_a_missing_amount_counts_as_the_largest if {
	_with({"tool": {"labels": ["spends"]}}) == _asked("Risk 50: amounts 50")
}

test_a_missing_local_time_counts_as_off_hours if {
	_with({"context": {"local": {"UTC": {"minuteOfDay": 479}}}}) == _asked("Risk 20: off_hours 20")
	_with({"context": {"local": {"UTC": {"minuteOfDay": 1110}}}}) == _asked("Risk 20: off_hours 20")
	_with({"context": {"local": {"UTC": {"weekday": 6}}}}) == _asked("Risk 20: off_hours 20")
	clockless := object.union(object.remove(_calm, ["context"]), {"context": {"local": {}}})
	_result(clockless, object.union(_config, {"ask_at": 1})) == _asked("Risk 20: off_hours 20")
}

test_denies_while_its_data_is_malformed if {
	malformed := {"deny": {"The data of this rule is malformed."}, "ask": set(), "notes": set()}
	every config in [true, {}, object.remove(_config, ["deny_at"]), object.union(_config, {"ask_at": "50"})] {
		_result(_calm, config) == malformed
	}
	every signals in [
		{"colour": 5},
		{"first_tool": -5},
		{"first_tool": 0.5},
		{"first_tool": 1001},
		{"labels": 5},
		{"labels": {"writes": "5"}},
		{"recipients": {"weight": 5}},
		{"off_hours": {"weight": 5, "zone": "Europe/Paris", "from": 8, "to": 18, "weekdays": []}},
		{"off_hours": {"weight": 5, "zone": "UTC", "from": 18, "to": 8, "weekdays": []}},
		{"amounts": [{"over": 5, "weight": 5}]},
	] {
		_result(_calm, {"ask_at": 1, "deny_at": 2, "signals": signals}) == malformed
	}
}

test_asks_from_the_lower_threshold_on_until_a_person_approved if {
	call := object.union(_calm, {"tool": {"labels": ["destructive"], "firstUse": true}})
	_result(call, _config) == _asked("Risk 50: first_tool 10, label destructive 40")
	approved := object.union(call, {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(approved, _config) == {
		"deny": set(),
		"ask": set(),
		"notes": {"Risk 50: first_tool 10, label destructive 40"},
	}
}

test_returns_nothing_for_calm_calls_or_without_data if {
	_result(_calm, _config) == _silent
	_result(object.union(_calm, {"spends": 100, "tool": {"firstUse": true}}), _config) == _silent
	risk_score.deny | risk_score.ask == set() with input as _calm with data.config as {}
}
