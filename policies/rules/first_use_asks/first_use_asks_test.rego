package interlock.rules.first_use_asks_test

import data.interlock.rules.first_use_asks

_call(first_use, destinations) := {
	"tool": {"name": "refund", "firstUse": first_use},
	"facts": {"destinations": destinations},
}

_destination := {"readable": true, "origin": "https://api.example.com", "firstUse": true}

_result(call, config) := result if {
	result := {"deny": first_use_asks.deny, "ask": first_use_asks.ask} with input as call
		with data.config as {"first_use_asks": config}
}

_silent := {"deny": set(), "ask": set()}

_tool_asked := {
	"deny": set(),
	"ask": {"This session uses this tool for the first time, so a person must approve it."},
}

_destination_asked := {
	"deny": set(),
	"ask": {"This session goes to this destination for the first time, so a person must approve it."},
}

test_asks_before_the_first_use_of_a_tool if {
	_result(_call(true, []), {"tools": ["refund"]}) == _tool_asked
	_result(_call(true, []), {"tools": ["*"]}) == _tool_asked
}

test_asks_before_the_first_call_to_a_destination if {
	_result(_call(false, [_destination]), {"destinations": true}) == _destination_asked
	_result(_call(false, [_destination]), {"destinations": true, "known": ["https://example.com"]}) == _destination_asked
	_result(_call(false, [{"at": "/url", "readable": false}]), {"destinations": true}) == _destination_asked
}

test_denies_while_its_data_is_malformed if {
	every config in [true, {"tools": "refund"}, {"destinations": "all"}, {"known": "x"}, {"tool": []}] {
		_result(_call(false, []), config) == {"deny": {"The data of this rule is malformed."}, "ask": set()}
	}
}

test_returns_nothing_later_or_of_others if {
	_result(_call(false, [object.union(_destination, {"firstUse": false})]), {"tools": ["*"], "destinations": true}) == _silent
	_result(_call(true, [_destination]), {"tools": ["pay"]}) == _silent
	_result(_call(false, [_destination]), {"destinations": true, "known": ["https://api.example.com"]}) == _silent
	first_use_asks.ask == set() with input as _call(true, [_destination]) with data.config as {}
}

test_returns_nothing_once_a_person_approved if {
	call := object.union(_call(true, [_destination]), {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(call, {"tools": ["*"], "destinations": true}) == _silent
}
