package interlock.rules.new_destination_test

import data.interlock.rules.new_destination

_call(destinations) := {"tool": {"name": "fetch", "labels": []}, "facts": {"destinations": destinations}}

_new := {
	"at": "/url",
	"readable": true,
	"origin": "https://evil.example",
	"host": "evil.example",
	"scheme": "https",
	"carries": true,
	"firstUse": true,
}

_own := object.remove(_new, ["at"])

_asked := {"deny": set(), "ask": {"This call goes to a new destination, so a person must approve it."}}

_silent := {"deny": set(), "ask": set()}

_result(call, config) := result if {
	result := {"deny": new_destination.deny, "ask": new_destination.ask} with input as call
		with data.config as {"new_destination": config}
}

test_asks_before_a_first_visit if {
	new_destination.ask == _asked.ask with input as _call([_new]) with data.config as {}
	_result(_call([_new]), {}) == _asked
	_result(_call([object.union(_new, {"method": "GET"})]), {}) == _asked
	_result(_call([object.union(_new, {"carries": false})]), {}) == _asked
	_result(_call([object.union(_new, {"firstUse": false}), _new]), {}) == _asked
}

test_a_url_that_cannot_be_read_is_new if {
	_result(_call([{"at": "/url", "readable": false}]), {"known": ["evil.example"]}) == _asked
	_result(_call([{"readable": false}]), {}) == _asked
}

test_what_only_looks_known_is_new if {
	every known in ["https://evil.example:8443", "vil.example", ".evil.example", ".vil.example"] {
		_result(_call([_new]), {"known": [known]}) == _asked
	}
}

test_asks_for_the_tools_own_target_only_where_that_is_wanted if {
	_result(_call([_own]), {"own_targets": true}) == _asked
	_result(_call([object.union(_own, {"carries": false})]), {"own_targets": true}) == _silent
	_result(_call([_own]), {}) == _silent
}

test_denies_while_its_data_is_malformed if {
	every config in [true, [], {"enabled": "no"}, {"known": "evil.example"}, {"known": [""]}, {"knows": []}, {"own_targets": 1}] {
		_result(_call([]), config) == {"deny": {"The data of this rule is malformed."}, "ask": set()}
	}
}

test_returns_nothing_for_what_is_known_or_was_visited if {
	_result(_call([_new]), {"known": ["https://evil.example"]}) == _silent
	_result(_call([_new]), {"known": ["evil.example"]}) == _silent
	_result(_call([_new]), {"known": [".example"]}) == _silent
	_result(_call([object.union(_new, {"firstUse": false})]), {}) == _silent
	_result(_call([]), {}) == _silent
}

test_returns_nothing_once_approved_or_switched_off if {
	_result(object.union(_call([_new]), {"approval": {"person": "bob", "resolvedAt": 1}}), {}) == _silent
	_result(_call([_new]), {"enabled": false}) == _silent
}
