package interlock.main_test

import data.interlock.main

_decided(rules) := decision if decision := main.decision with data.interlock.rules as rules

_in_emergency(rules) := decision if {
	decision := main.decision with data.interlock.rules as rules
		with input as {"emergency": {"id": "e1", "by": "ada", "reason": "The shop is down.", "expiresAt": 1}}
}

_explained(rules) := explanation if explanation := main.explanation with data.interlock.rules as rules

_nothing := {"verdict": "deny", "reasons": [], "obligations": [], "notes": []}

_malformed := {
	"verdict": "deny",
	"reasons": [{"rule": "broken", "text": "This rule is malformed: one of its outputs is not a set."}],
	"obligations": [],
	"notes": [],
}

test_denies_when_no_rule_has_an_output if {
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
		"generous": {"allow": {"Granted."}, "obligations": {{"name": "announce"}}},
		"careful": {"ask": {"Look at it."}},
		"strict": {"deny": {"No.", "Never."}, "notes": {"Third time today."}},
	}) == {
		"verdict": "deny",
		"reasons": [{"rule": "strict", "text": "Never."}, {"rule": "strict", "text": "No."}],
		"obligations": [],
		"notes": [{"rule": "strict", "text": "Third time today."}],
	}
}

test_ask_beats_allow if {
	_decided({"generous": {"allow": {"Granted."}}, "careful": {"ask": {"Look at it."}, "notes": {"Odd."}}}) == {
		"verdict": "ask",
		"reasons": [{"rule": "careful", "text": "Look at it."}],
		"obligations": [],
		"notes": [{"rule": "careful", "text": "Odd."}],
	}
}

test_a_malformed_output_denies if {
	_decided({"generous": {"allow": {"Granted."}}, "broken": {"deny": true}}) == _malformed
	_decided({"generous": {"allow": {"Granted."}}, "broken": {"deny": {}}}) == _malformed
	_decided({"generous": {"allow": {"Granted."}}, "broken": {"ask": []}}) == _malformed
	_decided({"generous": {"allow": {"Granted."}}, "broken": {"allow": true}}) == _malformed
	_decided({"generous": {"allow": {"Granted."}}, "broken": {"obligations": {}}}) == _malformed
	_decided({"generous": {"allow": {"Granted."}}, "broken": {"notes": true}}) == _malformed
}

test_a_note_alone_allows_nothing if {
	_decided({"talker": {"notes": {"Hello."}}}) == {
		"verdict": "deny",
		"reasons": [],
		"obligations": [],
		"notes": [{"rule": "talker", "text": "Hello."}],
	}
}

test_an_emergency_does_not_lift_a_denial if {
	_in_emergency({"generous": {"allow": {"Granted."}}, "strict": {"deny": {"No."}}}) == {
		"verdict": "deny",
		"reasons": [{"rule": "strict", "text": "No."}],
		"obligations": [],
		"notes": [],
	}
}

test_an_emergency_alone_allows_nothing if {
	_in_emergency({"careful": {"ask": {"Look at it."}}}) == _nothing
}

test_an_emergency_passes_over_every_ask_and_notes_each if {
	_in_emergency({
		"generous": {"allow": {"Granted."}, "obligations": {{"name": "announce"}}},
		"careful": {"ask": {"Look at it.", "Look again."}},
		"wary": {"ask": {"Sure?"}, "notes": {"Odd."}},
	}) == {
		"verdict": "allow",
		"reasons": [{"rule": "generous", "text": "Granted."}],
		"obligations": [{"name": "announce"}],
		"notes": [
			{"rule": "careful", "text": "Passed over in an emergency: Look again."},
			{"rule": "careful", "text": "Passed over in an emergency: Look at it."},
			{"rule": "wary", "text": "Odd."},
			{"rule": "wary", "text": "Passed over in an emergency: Sure?"},
		],
	}
}

test_only_an_object_counts_as_an_emergency if {
	rules := {"generous": {"allow": {"Granted."}}, "careful": {"ask": {"Look at it."}}}
	every emergency in [null, true, "yes", []] {
		decision := main.decision with data.interlock.rules as rules with input as {"emergency": emergency}
		decision.verdict == "ask"
	}
}

test_returns_at_most_64_reasons if {
	many := {$"No {number}." | some number in numbers.range(1, 100)}
	decision := _decided({"strict": {"deny": many}})
	decision.verdict == "deny"
	count(decision.reasons) == 64
}

test_allows_with_obligations if {
	_decided({
		"generous": {"allow": {"Granted."}},
		"tidy": {"obligations": {{"name": "redact", "parameters": {"fields": ["ssn"]}}}},
	}) == {
		"verdict": "allow",
		"reasons": [{"rule": "generous", "text": "Granted."}],
		"obligations": [{"name": "redact", "parameters": {"fields": ["ssn"]}}],
		"notes": [],
	}
}

test_explains_every_output_of_every_rule if {
	_explained({
		"generous": {"allow": {"Granted."}},
		"careful": {"ask": {"Look at it."}},
		"strict": {"deny": {"No.", "Never."}},
		"broken": {"ask": true},
		"talker": {"notes": {"Hello."}},
		"patient": {"until": {"from Monday"}, "offers": {"Some calls."}, "withholds": {"Not now."}},
	}) == {
		"deny": [
			{"rule": "broken", "text": "This rule is malformed: one of its outputs is not a set."},
			{"rule": "strict", "text": "Never."},
			{"rule": "strict", "text": "No."},
		],
		"ask": [{"rule": "careful", "text": "Look at it."}],
		"allow": [{"rule": "generous", "text": "Granted."}],
		"notes": [{"rule": "talker", "text": "Hello."}],
		"until": [{"rule": "patient", "text": "from Monday"}],
		"offers": [{"rule": "patient", "text": "Some calls."}],
		"withholds": [{"rule": "patient", "text": "Not now."}],
	}
	_explained({}) == {
		"deny": [],
		"ask": [],
		"allow": [],
		"notes": [],
		"until": [],
		"offers": [],
		"withholds": [],
	}
}
