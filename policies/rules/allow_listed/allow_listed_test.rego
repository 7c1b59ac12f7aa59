package interlock.rules.allow_listed_test

import data.interlock.rules.allow_listed

_call := {
	"subject": {"tenant": "acme", "agent": "reader", "user": "ada", "roles": ["support"]},
	"tool": {"name": "read_file", "labels": ["reads-private"]},
}

_said(grants) := said if said := allow_listed.allow with input as _call with data.config.allow_listed as grants

_granted := {"A grant covers this call."}

test_says_nothing_without_grants if {
	allow_listed.allow == set() with input as _call with data.config as {}
	_said([]) == set()
	_said("read_file") == set()
}

test_a_grant_without_who_or_without_what_covers_nothing if {
	_said([{"tools": ["*"]}]) == set()
	_said([{"agents": ["*"]}]) == set()
	_said([{}]) == set()
}

test_a_grant_with_an_unknown_condition_covers_nothing if {
	_said([{"tenants": ["acme"], "agent": ["writer"], "tools": ["*"]}]) == set()
}

test_every_condition_must_hold if {
	_said([{"agents": ["reader"], "tools": ["write_file"]}]) == set()
	_said([{"agents": ["reader"], "tenants": ["other"], "tools": ["read_file"]}]) == set()
	_said([{"roles": ["admin"], "tools": ["read_file"]}]) == set()
	_said([{"users": ["bob"], "tools": ["read_file"]}]) == set()
	_said([{"agents": "reader", "tools": ["read_file"]}]) == set()
}

test_a_label_grant_must_name_every_label if {
	call := object.union(_call, {"tool": {"labels": ["reads-private", "destructive"]}})
	grants := [{"agents": ["reader"], "labels": ["reads-private"]}]
	allow_listed.allow == set() with input as call with data.config.allow_listed as grants
}

test_a_label_grant_does_not_cover_a_tool_without_labels if {
	call := object.union(_call, {"tool": {"labels": []}})
	grants := [{"agents": ["reader"], "labels": ["*"]}]
	allow_listed.allow == set() with input as call with data.config.allow_listed as grants
}

test_covers_what_was_granted if {
	_said([{"agents": ["reader"], "tools": ["read_file"]}]) == _granted
	_said([{"roles": ["support"], "tools": ["*"]}]) == _granted
	_said([{"tenants": ["acme"], "users": ["ada"], "labels": ["reads-private", "writes"]}]) == _granted
}
