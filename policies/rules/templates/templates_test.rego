package interlock.rules.templates_test

import data.interlock.rules.templates

_call(body) := {"tool": {"name": "send_sms"}, "arguments": {"body": body}}

_template := {
	"text": "Dear {{name}}, your code is {{code}}.",
	"gaps": {
		"name": {"max": 20, "sets": ["latin"], "also": " -"},
		"code": {"min": 4, "max": 6, "sets": ["digits"]},
	},
}

_gate := {"at": "/body", "any_of": [_template]}

_of(text, gaps) := [{"at": "/body", "any_of": [{"text": text, "gaps": gaps}]}]

_result(call, gates) := result if {
	result := {"deny": templates.deny, "ask": templates.ask} with input as call
		with data.config.templates as {"send_sms": gates}
}

_nothing := {"deny": set(), "ask": set()}

_denied := {"deny": {"This message matches no approved template."}, "ask": set()}

_asked := {"deny": set(), "ask": {"This message matches no approved template, so a person must approve it."}}

_malformed := {"deny": {"The data of this rule is malformed."}, "ask": set()}

test_denies_a_text_of_the_agents_own if {
	_result(_call("Send me your password."), [_gate]) == _denied
	_result(_call(""), [_gate]) == _denied
}

test_denies_anything_before_or_after_the_template if {
	every body in [
		"Hi! Dear Ada, your code is 4711.",
		" Dear Ada, your code is 4711.",
		"\nDear Ada, your code is 4711.",
		"\u200bDear Ada, your code is 4711.",
		"Dear Ada, your code is 4711. Now call 0900 1234.",
		"Dear Ada, your code is 4711..",
		"Dear Ada, your code is 4711.\n",
		"Dear Ada, your code is 4711. ",
		"Dear Ada, your code is 4711.\u0000",
		"Dear Ada, your code is 4711",
	] {
		_result(_call(body), [_gate]) == _denied
	}
}

test_denies_a_gap_that_swallows_the_templates_own_words if {
	_result(_call("Dear Ada, your code is 4711.Dear Bob, your code is 4711."), [_gate]) == _denied
	_result(_call("Dear Ada, your code is 12, your code is 4711."), [_gate]) == _denied
	wide := {"max": 100, "sets": ["letters"], "also": " ,."}
	gates := _of("Pay {{who}} today. Thank you.", {"who": wide})
	_result(_call("Pay Eve today. Thank you. Pay Bob today. Thank you."), gates) == _denied
}

test_denies_characters_that_a_gap_may_not_hold if {
	every name in ["Ada\nBob", "Ada, Bob", "evil.example", "Ada\u202e", "Аda", "http://x", "4711", "Ada\u0000", "A\u00adda"] {
		_result(_call($"Dear {name}, your code is 4711."), [_gate]) == _denied
	}
	every code in ["471a", "４７１１", "47 11", "-4711", "4711\n"] {
		_result(_call($"Dear Ada, your code is {code}."), [_gate]) == _denied
	}
}

test_denies_gaps_that_are_too_long_too_short_or_empty if {
	every name in ["", "Ada Ada Ada Ada Ada Ada"] {
		_result(_call($"Dear {name}, your code is 4711."), [_gate]) == _denied
	}
	every code in ["", "471", "4711471"] {
		_result(_call($"Dear Ada, your code is {code}."), [_gate]) == _denied
	}
}

test_denies_another_spelling_of_the_templates_words if {
	_result(_call("dear Ada, your code is 4711."), [_gate]) == _denied
	_result(_call("Dear Ada,  your code is 4711."), [_gate]) == _denied
	_result(_call("Dear {{name}}, your code is {{code}}."), [_gate]) == _denied
}

test_denies_what_is_no_text if {
	every body in [null, 4711, ["Dear Ada, your code is 4711."], {"text": "Dear Ada, your code is 4711."}, true] {
		_result(_call(body), [_gate]) == _denied
	}
	_result({"tool": {"name": "send_sms"}, "arguments": {}}, [_gate]) == _denied
	_result({"tool": {"name": "send_sms"}}, [_gate]) == _denied
}

test_every_gate_must_hold_and_a_gate_without_templates_never_does if {
	call := _call("Dear Ada, your code is 4711.")
	_result(call, [_gate, {"at": "/subject", "any_of": [_template]}]) == _denied
	_result(call, [{"at": "/body", "any_of": []}]) == _denied
}

test_denies_everything_while_its_data_is_malformed if {
	call := {"tool": {"name": "other"}, "arguments": {}}
	templates.deny == _malformed.deny with input as call with data.config.templates as ["send_sms"]
}

test_denies_a_tool_while_one_of_its_gates_is_malformed if {
	call := _call("Dear Ada, your code is 4711.")
	_result(call, _gate) == _malformed
	every change in [
		{"at": "body"},
		{"at": 7},
		{"otherwise": "allow"},
		{"else": "ask"},
		{"any_of": _template},
		{"any_of": ["Dear {{name}}"]},
	] {
		_result(call, [object.union(_gate, change)]) == _malformed
	}
	_result(call, [object.remove(_gate, ["any_of"])]) == _malformed
}

test_denies_a_tool_while_one_of_its_templates_is_malformed if {
	call := _call("Dear Ada, your code is 4711.")
	gap := {"max": 9, "sets": ["digits"]}
	_result(call, _of("{{a}}{{b}}", {"a": gap, "b": gap})) == _malformed
	_result(call, _of("{{a}", {"a": gap})) == _malformed
	_result(call, _of("{{a}}}}", {"a": gap})) == _malformed
	_result(call, _of("{{b}}", {"a": gap})) == _malformed
	_result(call, _of(7, {})) == _malformed
	_result(call, _of(concat(" ", [text | some _ in numbers.range(1, 17); text := "{{a}}"]), {"a": gap})) == _malformed
	every odd in [{"max": "9"}, {"min": "1"}, {"sets": "digits"}, {"sets": ["all"]}, {"also": 7}, {"set": ["digits"]}] {
		_result(call, _of("{{a}}", {"a": object.union(gap, odd)})) == _malformed
	}
	_result(call, _of("{{a}}", {"a": {"sets": ["digits"]}})) == _malformed
}

test_asks_where_data_says_so_until_a_person_approved if {
	gates := [object.union(_gate, {"otherwise": "ask"})]
	call := _call("Something else.")
	_result(call, gates) == _asked
	_result(object.union(call, {"approval": {"person": "bob", "resolvedAt": 1}}), gates) == _nothing
}

test_an_approval_does_not_lift_a_denial if {
	call := object.union(_call("Something else."), {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(call, [object.union(_gate, {"otherwise": "deny"})]) == _denied
	_result(call, [_gate]) == _denied
}

test_returns_nothing_for_what_a_template_makes if {
	every body in ["Dear Ada, your code is 4711.", "Dear Zoë-Łucja Groß, your code is 471100."] {
		_result(_call(body), [_gate]) == _nothing
	}
	any_of := [{"text": "Hello."}, _template]
	_result(_call("Hello."), [object.union(_gate, {"any_of": any_of})]) == _nothing
}

test_gaps_stand_at_either_end_and_many_fit if {
	gap := {"min": 0, "max": 3, "also": "ab"}
	_result(_call("a-b"), _of("{{x}}-{{y}}", {"x": gap, "y": gap})) == _nothing
	_result(_call("-"), _of("{{x}}-{{y}}", {"x": gap, "y": gap})) == _nothing
	text := concat("-", [text | some _ in numbers.range(1, 16); text := "{{x}}"])
	_result(_call("a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b"), _of(text, {"x": gap})) == _nothing
	_result(_call("a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b-"), _of(text, {"x": gap})) == _denied
}

test_returns_nothing_for_other_tools if {
	call := {"tool": {"name": "read_file"}, "arguments": {}}
	templates.deny == set() with input as call with data.config.templates as {"send_sms": [_gate]}
	templates.deny == set() with input as _call("Hi!") with data.config as {}
}
