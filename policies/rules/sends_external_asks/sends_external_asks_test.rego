package interlock.rules.sends_external_asks_test

import data.interlock.rules.sends_external_asks

_call(recipients) := {
	"subject": {"user": "ada"},
	"tool": {"name": "send_mail", "labels": ["sends-external"]},
	"arguments": {},
	"facts": {"recipients": recipients},
}

_to(local, domain) := {
	"at": "/to",
	"readable": true,
	"address": concat("@", [local, domain]),
	"local": local,
	"domain": domain,
}

_posts(channel) := {
	"subject": {"user": "ada"},
	"tool": {"name": "post_message", "labels": ["sends-external"]},
	"arguments": {"channel": channel},
	"facts": {"recipients": []},
}

_config := {
	"addresses": ["office@example.com"],
	"domains": ["shop.example", ".branches.example"],
	"self": {"ada": ["ada@home.example"], "bob": ["bob@home.example"]},
	"teams": [
		{"users": ["ada", "bob"], "addresses": ["team@partner.example"]},
		{"users": ["eve"], "domains": ["evil.example"]},
	],
	"contacts": {"ada": ["supplier@example.net"]},
	"known": [{"tool": "post_message", "argument": "channel", "values": ["#orders", "#returns"]}],
}

_result(call, config) := result if {
	result := {"deny": sends_external_asks.deny, "ask": sends_external_asks.ask} with input as call
		with data.config as {"sends_external_asks": config}
}

_asked := {"deny": set(), "ask": {"This call sends something outward, so a person must approve it."}}

_silent := {"deny": set(), "ask": set()}

test_asks_before_sending if {
	sends_external_asks.ask == _asked.ask with input as _call([_to("ada", "home.example")]) with data.config as {}
	_result(_call([]), _config) == _asked
}

test_asks_when_any_recipient_is_not_known if {
	_result(_call([_to("eve", "example.net")]), _config) == _asked
	_result(_call([_to("office", "example.com"), _to("eve", "example.net")]), _config) == _asked
	_result(_call([_to("office", "example.com"), {"at": "/cc", "readable": false}]), _config) == _asked
}

test_asks_for_recipients_known_to_other_users if {
	_result(_call([_to("bob", "home.example")]), _config) == _asked
	_result(_call([_to("x", "evil.example")]), _config) == _asked
}

test_asks_for_domains_that_only_look_alike if {
	_result(_call([_to("x", "myshop.example")]), _config) == _asked
	_result(_call([_to("x", "sub.shop.example")]), _config) == _asked
	_result(_call([_to("x", "branches.example")]), _config) == _asked
}

test_asks_for_an_unknown_address_beside_a_listed_one if {
	config := {"addresses": ["office@example.com"], "known": [{"tool": "send_mail", "argument": "to", "values": ["Office"]}]}
	call := _call([{"at": "/to", "readable": false}, object.union(_to("eve", "example.net"), {"at": "/cc"})])
	_result(object.union(call, {"arguments": {"to": "Office"}}), config) == _asked
	_result(object.union(_call([{"at": "/to", "readable": false}]), {"arguments": {"to": "Office"}}), config) == _silent
	_result(object.union(_call([_to("office", "example.com")]), {"arguments": {"to": "o"}}), config) == _silent
	_result(object.union(_call([_to("eve", "example.net")]), {"arguments": {"to": "o"}}), config) == _asked
}

test_asks_when_a_value_is_not_known if {
	every channel in ["#random", ["#orders", "#random"], [], {"#orders": true}, null] {
		_result(_posts(channel), _config) == _asked
	}
	_result(object.union(_posts("#orders"), {"tool": {"name": "post_elsewhere"}}), _config) == _asked
	_result(object.union(_posts("#orders"), {"facts": {"recipients": [_to("eve", "example.net")]}}), _config) == _asked
}

test_denies_while_its_data_is_malformed if {
	every config in [
		true,
		{"enabled": "no"},
		{"addresses": "a@example.com"},
		{"domain": []},
		{"domains": [""]},
		{"self": ["a@example.com"]},
		{"contacts": {"ada": "a@example.com"}},
		{"teams": [{"addresses": []}]},
		{"known": [{"tool": "send_mail", "values": []}]},
	] {
		_result({"tool": {"name": "read_file", "labels": []}}, config) == {
			"deny": {"The data of this rule is malformed."},
			"ask": set(),
		}
	}
}

test_returns_nothing_when_every_recipient_is_known if {
	_result(_call([_to("office", "example.com"), _to("anybody", "shop.example")]), _config) == _silent
	_result(_call([_to("x", "north.branches.example"), _to("ada", "home.example")]), _config) == _silent
	_result(_call([_to("team", "partner.example"), _to("supplier", "example.net")]), _config) == _silent
	_result(_posts("#orders"), _config) == _silent
	_result(_posts(["#orders", "#returns"]), _config) == _silent
}

test_returns_nothing_once_approved_or_switched_off if {
	call := _call([_to("eve", "example.net")])
	_result(object.union(call, {"approval": {"person": "bob", "resolvedAt": 1}}), _config) == _silent
	_result(call, {"enabled": false}) == _silent
}

test_returns_nothing_for_what_stays_inside if {
	_result({"tool": {"name": "read_file", "labels": []}, "arguments": {}}, {}) == _silent
}
