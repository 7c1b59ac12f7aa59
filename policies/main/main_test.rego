package interlock.main_test

import data.interlock.main

_decided(rules) := decision if decision := main.decision with data.interlock.rules as rules

_nothing := {"verdict": "deny", "reasons": [], "obligations": []}

test_denies_when_no_rule_says_anything if {
	_decided({}) == _nothing
	_decided({"quiet": {"deny": set(), "ask": set(), "allow": set()}}) == _nothing
	main.decision == _nothing with input as {} with data.config as {}
	main.decision == _nothing with input as null with data.config as {}
}

test_an_ask_alone_allows_nothing if {
	_decided({"careful": {"ask": {"Look at it."}}}) == _nothing
}

test_deny_beats_ask_and_allow if {
	_decided({
		"generous": {"allow": {"Granted."}, "obligations": {{"name": "note"}}},
		"careful": {"ask": {"Look at it."}},
		"strict": {"deny": {"No.", "Never."}},
	}) == {
		"verdict": "deny",
		"reasons": [{"rule": "strict", "text": "Never."}, {"rule": "strict", "text": "No."}],
		"obligations": [],
	}
}

test_ask_beats_allow if {
	_decided({"generous": {"allow": {"Granted."}}, "careful": {"ask": {"Look at it."}}}) == {
		"verdict": "ask",
		"reasons": [{"rule": "careful", "text": "Look at it."}],
		"obligations": [],
	}
}

test_a_malformed_rule_denies if {
	malformed := "This rule is malformed: what it says is not a set."
	_decided({"generous": {"allow": {"Granted."}}, "broken": {"deny": true}}) == {
		"verdict": "deny",
		"reasons": [{"rule": "broken", "text": malformed}],
		"obligations": [],
	}
}

test_allows_with_obligations if {
	_decided({
		"generous": {"allow": {"Granted."}},
		"tidy": {"obligations": {{"name": "redact", "parameters": {"fields": ["ssn"]}}}},
	}) == {
		"verdict": "allow",
		"reasons": [{"rule": "generous", "text": "Granted."}],
		"obligations": [{"name": "redact", "parameters": {"fields": ["ssn"]}}],
	}
}
