package interlock.rules.production_asks_test

import data.interlock.rules.production_asks

_call(tool, environment) := {
	"tool": object.union({"name": "set_price", "labels": ["writes"]}, tool),
	"context": {"environment": environment},
}

_asked := {"deny": set(), "ask": {"This call acts in production, so a person must approve it."}}

_silent := {"deny": set(), "ask": set()}

_result(call, config) := result if {
	result := {"deny": production_asks.deny, "ask": production_asks.ask} with input as call
		with data.config as {"production_asks": config}
}

test_asks_before_something_is_done_in_production if {
	call := _call({"environment": "production"}, "office")
	production_asks.ask == _asked.ask with input as call with data.config as {}
	_result(call, {}) == _asked
	_result(_call({}, "production"), {}) == _asked
	_result(_call({"environment": "live"}, "office"), {"environments": ["live"]}) == _asked
}

test_a_tool_without_labels_acts if {
	_result(_call({"environment": "production", "labels": []}, "office"), {}) == _asked
}

test_denies_while_its_data_is_malformed if {
	every config in [true, {"enabled": 1}, {"environments": "production"}, {"labels": {}}, {"excepted": []}] {
		_result(_call({}, "office"), config) == {"deny": {"The data of this rule is malformed."}, "ask": set()}
	}
}

test_returns_nothing_elsewhere_or_of_what_only_reads if {
	_result(_call({"environment": "staging"}, "office"), {}) == _silent
	_result(_call({}, "office"), {}) == _silent
	_result(_call({"environment": "production", "labels": ["reads-private"]}, "office"), {}) == _silent
}

test_returns_nothing_once_approved_or_switched_off if {
	call := _call({"environment": "production"}, "office")
	_result(object.union(call, {"approval": {"person": "bob", "resolvedAt": 1}}), {}) == _silent
	_result(call, {"enabled": false}) == _silent
	_result(call, {"except": ["set_price"]}) == _silent
	_result(call, {"labels": ["destructive"]}) == _silent
}
