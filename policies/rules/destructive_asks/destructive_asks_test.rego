package interlock.rules.destructive_asks_test

import data.interlock.rules.destructive_asks

_call := {"tool": {"name": "delete_order", "labels": ["writes", "destructive"]}}

_asked := {"This call destroys something, so a person must approve it."}

test_asks_before_something_is_destroyed if {
	destructive_asks.ask == _asked with input as _call with data.config as {}
}

test_asks_when_its_data_is_malformed if {
	destructive_asks.ask == _asked with input as _call
		with data.config.destructive_asks as {"enabled": "no", "except": "delete_order"}
}

test_says_nothing_of_what_does_not_destroy if {
	call := {"tool": {"name": "read_order", "labels": ["reads-private"]}}
	destructive_asks.ask == set() with input as call with data.config as {}
}

test_says_nothing_once_a_person_approved if {
	approval := {"person": "bob", "resolvedAt": 1}
	destructive_asks.ask == set() with input as object.union(_call, {"approval": approval}) with data.config as {}
}

test_is_tuned_by_data if {
	destructive_asks.ask == set() with input as _call
		with data.config.destructive_asks as {"except": ["delete_order"]}
	destructive_asks.ask == set() with input as _call with data.config.destructive_asks as {"enabled": false}
}
