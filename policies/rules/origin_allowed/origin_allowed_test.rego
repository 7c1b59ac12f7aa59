package interlock.rules.origin_allowed_test

import data.interlock.rules.origin_allowed

_from(address) := {
	"subject": {"tenant": "acme", "agent": "clerk"},
	"context": {"origin": {"address": address}},
}

_entries := [{"agents": ["clerk"], "networks": ["192.0.2.0/24", "2001:db8::/32"]}]

_result(call, entries) := result if {
	result := origin_allowed.deny with input as call with data.config as {"origin_allowed": entries}
}

_denied := {"Calls of this agent are not allowed from here."}

_malformed := {"The data of this rule is malformed."}

test_denies_calls_from_elsewhere if {
	every address in ["192.0.3.1", "2001:db9::1", "::ffff:192.0.3.1", "::1", "192.0.2.1/16", "office", ""] {
		_result(_from(address), _entries) == _denied
	}
}

test_denies_calls_from_an_unknown_address if {
	_result({"subject": {"tenant": "acme", "agent": "clerk"}, "context": {}}, _entries) == _denied
	_result(_from("192.0.2.1"), [{"agents": ["*"], "networks": []}]) == _denied
}

test_denies_everything_while_its_data_is_malformed if {
	_result(_from("192.0.2.1"), {"clerk": []}) == _malformed
	every entry in ["other", {"networks": ["192.0.2.0/24"]}, {"agents": "other", "networks": []}] {
		_result(_from("192.0.2.1"), [entry]) == _malformed
	}
}

test_denies_an_agent_while_its_entry_is_malformed if {
	every entry in [
		{"agents": ["clerk"]},
		{"agents": ["*"]},
		{"agents": ["clerk"], "networks": ["192.0.2.1"]},
		{"agents": ["clerk"], "networks": ["192.0.2.0/33"]},
		{"agents": ["clerk"], "networks": ["::ffff:192.0.2.0/120"]},
		{"agents": ["clerk"], "networks": [192]},
		{"agents": ["clerk"], "networks": [], "tenant": ["acme"]},
	] {
		_result(_from("192.0.2.1"), [entry]) == _malformed
	}
}

test_returns_nothing_for_calls_from_an_allowed_network if {
	every address in ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:192.0.2.1", "2001:db8::1", "2001:DB8:0:0:0:0:0:1"] {
		_result(_from(address), _entries) == set()
	}
	_result(_from("10.1.1.1"), array.concat(_entries, [{"agents": ["*"], "networks": ["10.0.0.0/8"]}])) == set()
}

test_returns_nothing_for_agents_nobody_named if {
	_result(_from("198.51.100.1"), [{"agents": ["other"], "networks": []}]) == set()
	_result(_from("198.51.100.1"), [{"agents": ["other"]}]) == set()
	_result(_from("198.51.100.1"), [{"agents": ["*"], "tenants": ["other"], "networks": []}]) == set()
	origin_allowed.deny == set() with input as _from("198.51.100.1") with data.config as {}
}
