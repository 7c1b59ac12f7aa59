package interlock.rules.denied_twice_test

import data.interlock.rules.denied_twice

_minute_ms := 60000

_call(denied) := {
	"context": {"epochMs": 100 * _minute_ms},
	"history": {"denied": [{"at": minute * _minute_ms, "same": same} | some [minute, same] in denied]},
}

_result(call, config) := result if {
	result := denied_twice.deny with input as call with data.config as {"denied_twice": config}
}

_denied := {"A person refused this more than once; it stays refused for a while."}

test_denies_what_was_denied_twice_lately if {
	denied_twice.deny == _denied with input as _call([[50, true], [90, true]]) with data.config as {}
	_result(_call([[41, true], [99, true]]), {}) == _denied
	_result(_call([[41, true], [60, false], [99, true]]), {}) == _denied
	_result(_call([[50, true], [101, true]]), {}) == _denied
}

_until(denied, config) := result if {
	call := object.union(_call(denied), {"context": {"time": "2026-01-14T10:00:00.000Z"}})
	result := denied_twice.until with input as call with data.config as {"denied_twice": config}
}

test_says_after_how_many_minutes_it_may_be_asked_again if {
	_until([[50, true], [90, true]], {}) == {"10 minutes after 2026-01-14T10:00:00.000Z"}
	_until([[90, true], [50, true], [95, true]], {}) == {"50 minutes after 2026-01-14T10:00:00.000Z"}
	_until([[50, true], [90, true]], {"for_minutes": 90}) == {"40 minutes after 2026-01-14T10:00:00.000Z"}
	_until([[90, true]], {}) == set()
}

test_denies_the_whole_tool_where_that_is_wanted if {
	_result(_call([[50, false], [90, false]]), {"scope": "tool"}) == _denied
	_result(_call([[50, false]]), {"scope": "tool", "count": 1}) == _denied
}

test_denies_while_its_data_is_malformed if {
	every config in [
		true,
		{"enabled": "no"},
		{"count": 0},
		{"count": "2"},
		{"count": 65},
		{"for_minutes": 0},
		{"for_minutes": 1441},
		{"scope": "agent"},
		{"minutes": 5},
	] {
		_result(_call([]), config) == {"The data of this rule is malformed."}
	}
}

test_returns_nothing_for_what_was_denied_once_long_ago_or_otherwise if {
	_result(_call([]), {}) == set()
	_result(_call([[90, true]]), {}) == set()
	_result(_call([[40, true], [99, true]]), {}) == set()
	_result(_call([[50, true], [90, false]]), {}) == set()
	_result(_call([[50, true], [90, true]]), {"count": 3}) == set()
	_result(_call([[50, true], [90, true]]), {"for_minutes": 20}) == set()
}

test_returns_nothing_once_approved_or_switched_off if {
	call := _call([[50, true], [90, true]])
	_result(object.union(call, {"approval": {"person": "bob", "resolvedAt": 1}}), {}) == set()
	_result(call, {"enabled": false}) == set()
}
