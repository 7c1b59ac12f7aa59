package interlock.rules.sends_external_asks_test

import data.interlock.rules.sends_external_asks

_call(to) := {"tool": {"name": "send_mail", "labels": ["sends-external"]}, "arguments": {"to": to}}

_known := {"known": [{"tool": "send_mail", "argument": "to", "values": ["ada@example.com", "bob@example.com"]}]}

_said(to) := said if {
	said := sends_external_asks.ask with input as _call(to) with data.config.sends_external_asks as _known
}

_asked := {"This call sends something outward, so a person must approve it."}

test_asks_before_something_leaves if {
	sends_external_asks.ask == _asked with input as _call("ada@example.com") with data.config as {}
}

test_asks_when_any_recipient_is_not_known if {
	_said("eve@example.net") == _asked
	_said(["ada@example.com", "eve@example.net"]) == _asked
	_said([]) == _asked
	_said({"ada@example.com": true}) == _asked
	_said(null) == _asked
}

test_another_tools_known_recipients_do_not_count if {
	call := object.union(_call("ada@example.com"), {"tool": {"name": "send_fax"}})
	sends_external_asks.ask == _asked with input as call with data.config.sends_external_asks as _known
}

test_says_nothing_when_every_recipient_is_known if {
	_said("ada@example.com") == set()
	_said(["ada@example.com", "bob@example.com"]) == set()
}

test_says_nothing_once_approved_or_switched_off if {
	call := object.union(_call("eve@example.net"), {"approval": {"person": "bob", "resolvedAt": 1}})
	sends_external_asks.ask == set() with input as call with data.config as {}
	sends_external_asks.ask == set() with input as _call("eve@example.net")
		with data.config.sends_external_asks as {"enabled": false}
}

test_says_nothing_of_what_stays_inside if {
	sends_external_asks.ask == set() with input as {"tool": {"name": "read_file", "labels": []}, "arguments": {}}
		with data.config as {}
}
