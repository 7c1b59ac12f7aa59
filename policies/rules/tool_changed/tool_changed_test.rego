package interlock.rules.tool_changed_test

import data.interlock.rules.tool_changed

_call(current) := {"tool": {"name": "search_docs", "definition": {"pinned": "a1", "current": current}}}

_approved(current) := object.union(_call(current), {"approval": {"person": "bob", "resolvedAt": 1}})

_result(call, config) := result if {
	result := {"deny": tool_changed.deny, "ask": tool_changed.ask} with input as call
		with data.config.tool_changed as config
}

_nothing := {"deny": set(), "ask": set()}

_denied := {"deny": {"This tool's definition has changed since it was pinned."}, "ask": set()}

_asked := {
	"deny": set(),
	"ask": {"This tool's definition has changed since it was pinned, so a person must approve the call."},
}

_malformed := {"deny": {"The data of this rule is malformed."}, "ask": set()}

test_denies_a_tool_that_changed if {
	_result(_call("b2"), {}) == _denied
	_result(_call("b2"), {"asks": ["other"]}) == _denied
	tool_changed.deny == _denied.deny with input as _call("b2") with data.config as {}
}

test_an_approval_does_not_lift_a_denial if {
	_result(_approved("b2"), {}) == _denied
}

test_denies_a_definition_that_is_not_whole if {
	_result({"tool": {"name": "search_docs", "definition": {}}}, {}) == _denied
	_result({"tool": {"name": "search_docs", "definition": {"current": "a1"}}}, {}) == _denied
}

test_withholds_what_it_denies if {
	withheld := tool_changed.withholds with input as _call("b2") with data.config as {}
	withheld == _denied.deny
}

test_denies_everything_while_its_data_is_malformed if {
	_result(_call("a1"), ["search_docs"]) == _malformed
	_result(_call("a1"), "off") == _malformed
	_result(_call("a1"), {"ask": ["search_docs"]}) == _malformed
	_result(_call("a1"), {"asks": "search_docs"}) == _malformed
	_result(_call("a1"), {"enabled": "no"}) == _malformed
}

test_asks_where_data_says_so_until_a_person_approved if {
	_result(_call("b2"), {"asks": ["search_docs"]}) == _asked
	_result(_call("b2"), {"asks": ["*"]}) == _asked
	_result(_approved("b2"), {"asks": ["*"]}) == _nothing
}

test_returns_nothing_for_what_is_as_pinned_has_no_definition_or_is_switched_off if {
	_result(_call("a1"), {}) == _nothing
	_result({"tool": {"name": "pay"}}, {}) == _nothing
	_result(_call("b2"), {"enabled": false}) == _nothing
}
