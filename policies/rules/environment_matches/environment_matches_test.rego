package interlock.rules.environment_matches_test

import data.interlock.rules.environment_matches

_call(subject, tool) := {"subject": subject, "tool": tool}

_production := {"environment": "production"}

_staging := {"environment": "staging"}

_result(call, config) := result if {
	result := environment_matches.deny with input as call with data.config as {"environment_matches": config}
}

_denied := {"This tool belongs to another environment than the agent."}

test_denies_another_environment if {
	environment_matches.deny == _denied with input as _call(_staging, _production) with data.config as {}
	_result(_call(_staging, _production), {}) == _denied
	_result(_call({}, _production), {}) == _denied
	_result(_call(_staging, _production), {"reaches": {"production": ["staging"]}}) == _denied
	_result(_call({}, _production), {"reaches": {"staging": ["production"]}}) == _denied
}

test_withholds_what_it_denies if {
	withheld := environment_matches.withholds with input as _call(_staging, _production) with data.config as {}
	withheld == _denied
}

test_denies_while_its_data_is_malformed if {
	every config in [true, {"enabled": "no"}, {"reaches": ["staging"]}, {"reaches": {"staging": "test"}}, {"reach": {}}] {
		_result(_call(_staging, _staging), config) == {"The data of this rule is malformed."}
	}
}

test_returns_nothing_for_the_same_or_a_reachable_environment if {
	_result(_call(_production, _production), {}) == set()
	_result(_call(_staging, _production), {"reaches": {"staging": ["production"]}}) == set()
}

test_returns_nothing_for_tools_without_an_environment_or_switched_off if {
	_result(_call(_staging, {}), {}) == set()
	_result(_call({}, {}), {}) == set()
	_result(_call(_staging, _production), {"enabled": false}) == set()
}
