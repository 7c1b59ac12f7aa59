package interlock.rules.allow_listed_test

import data.interlock.rules.allow_listed

_call := {
	"subject": {"tenant": "acme", "agent": "reader", "user": "ada", "roles": ["support"]},
	"tool": {"name": "read_file", "labels": ["reads-private"]},
}

_result(grants) := result if result := allow_listed.allow with input as _call with data.config.allow_listed as grants

_granted := {"A grant covers this call."}

test_returns_nothing_without_grants if {
	allow_listed.allow == set() with input as _call with data.config as {}
	_result([]) == set()
	_result("read_file") == set()
}

test_a_grant_without_who_or_without_what_covers_nothing if {
	_result([{"tools": ["*"]}]) == set()
	_result([{"agents": ["*"]}]) == set()
	_result([{}]) == set()
}

test_a_grant_with_an_unknown_condition_covers_nothing if {
	_result([{"tenants": ["acme"], "agent": ["writer"], "tools": ["*"]}]) == set()
}

_offered(grants) := result if {
	result := allow_listed.offers with input as _call with data.config.allow_listed as grants
}

test_offers_a_tool_whatever_a_grant_says_of_its_arguments if {
	_offered([{"agents": ["reader"], "tools": ["read_file"], "where": [{"at": "/path", "prefix": "docs/"}]}]) == {"A grant covers this tool."}
	_offered([{"agents": ["writer"], "tools": ["read_file"]}]) == set()
	_offered([{"agents": ["reader"], "tools": ["write_file"]}]) == set()
	_offered([{"agents": ["reader"], "tools": ["read_file"], "were": []}]) == set()
	_offered(["read_file"]) == set()
}

test_every_condition_must_hold if {
	_result([{"agents": ["reader"], "tools": ["write_file"]}]) == set()
	_result([{"agents": ["reader"], "tenants": ["other"], "tools": ["read_file"]}]) == set()
	_result([{"roles": ["admin"], "tools": ["read_file"]}]) == set()
	_result([{"users": ["bob"], "tools": ["read_file"]}]) == set()
	_result([{"agents": "reader", "tools": ["read_file"]}]) == set()
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
	_result([{"agents": ["reader"], "tools": ["read_file"]}]) == _granted
	_result([{"roles": ["support"], "tools": ["*"]}]) == _granted
	_result([{"tenants": ["acme"], "users": ["ada"], "labels": ["reads-private", "writes"]}]) == _granted
}

_narrowed(conditions, arguments) := result if {
	grants := [{"agents": ["reader"], "tools": ["read_file"], "where": conditions}]
	result := allow_listed.allow with data.config.allow_listed as grants
		with input as object.union(_call, {"arguments": arguments, "facts": _read})
}

_read := {
	"recipients": [
		{"at": "/to/0", "readable": true, "address": "ada@example.com", "domain": "example.com"},
		{"at": "/to/1", "readable": true, "address": "bob@mail.example.org", "domain": "mail.example.org"},
		{"at": "/cc", "readable": false},
	],
	"destinations": [
		{"readable": true, "host": "api.example.net"},
		{"at": "/url", "readable": true, "host": "example.com"},
	],
}

test_a_condition_that_does_not_hold_covers_nothing if {
	_narrowed([{"at": "/amount", "equals": 5}], {"amount": 6}) == set()
	_narrowed([{"at": "/amount", "one_of": [4, 5]}], {"amount": 6}) == set()
	_narrowed([{"at": "/amount", "min": 0, "max": 5}], {"amount": 6}) == set()
	_narrowed([{"at": "/amount", "min": 0, "max": 5}], {"amount": -1}) == set()
	_narrowed([{"at": "/amount", "max": 5}], {"amount": "1"}) == set()
	_narrowed([{"at": "/path", "prefix": "/srv/"}], {"path": "/etc/passwd"}) == set()
	_narrowed([{"at": "", "only": ["path"]}], {"path": "a", "mode": 1}) == set()
	_narrowed([{"at": "/amount", "equals": 5}, {"at": "/path", "equals": "a"}], {"amount": 5, "path": "b"}) == set()
}

test_a_prefix_cannot_be_left_again if {
	_narrowed([{"at": "/path", "prefix": "/srv/"}], {"path": "/srv/../etc/passwd"}) == set()
	_narrowed([{"at": "/path", "prefix": "/srv/"}], {"path": "/srv/%2e%2e/etc/passwd"}) == set()
	_narrowed([{"at": "/path", "prefix": "/srv/"}], {"path": "/srv/..\\etc"}) == set()
	_narrowed([{"at": "/url", "prefix": "https://example.com"}], {"url": "https://example.com.evil.net/"}) == set()
}

test_every_value_of_a_list_must_hold if {
	_narrowed([{"at": "/ids", "one_of": [1, 2]}], {"ids": [1, 3]}) == set()
	_narrowed([{"at": "/ids", "one_of": [1, 2]}], {"ids": []}) == set()
	_narrowed([{"at": "/ids", "max": 2}], {"ids": [[1]]}) == set()
}

test_an_absent_argument_holds_only_where_it_is_optional if {
	_narrowed([{"at": "/amount", "max": 5}], {}) == set()
	_narrowed([{"at": "/amount", "max": 5, "optional": "yes"}], {}) == set()
	_narrowed([{"at": "/amount", "most": 5, "optional": true}], {}) == set()
	_narrowed([{"at": "/amount", "optional": true}], {}) == set()
	_narrowed([{"at": "/amount", "max": 5, "optional": true}], {"amount": 6}) == set()
	_narrowed([{"at": "/amount", "max": 5, "optional": true}], {}) == _granted
}

test_a_malformed_condition_covers_nothing if {
	every conditions in [
		[{"equals": 5}],
		[{"at": "amount", "equals": 5}],
		[{"at": "/amount"}],
		[{"at": "/amount", "equal": 5}],
		[{"at": "/amount", "equals": 5, "most": 9}],
		[{"at": "/amount", "one_of": 5}],
		[{"at": "/amount", "max": "9"}],
		[{"at": "/amount", "prefix": 5}],
		["/amount"],
		{"amount": 5},
		"amount",
		null,
	] {
		_narrowed(conditions, {"amount": 5}) == set()
	}
}

test_an_address_outside_the_domains_covers_nothing if {
	_narrowed([{"at": "/to", "domain_of": ["example.com"]}], {"to": ["ada@example.com", "bob@mail.example.org"]}) == set()
	_narrowed([{"at": "/to/1", "domain_of": ["example.org"]}], {"to": {"1": "bob@mail.example.org"}}) == set()
	_narrowed([{"at": "/cc", "domain_of": ["example.com", ""]}], {"cc": "?"}) == set()
	_narrowed([{"at": "/bcc", "domain_of": ["example.com"]}], {"bcc": "ada@example.com"}) == set()
	_narrowed([{"at": "/url", "domain_of": [".example.com"]}], {"url": "https://example.com/"}) == set()
	_narrowed([{"at": "/to", "domain_of": ["example.com", ".example.org"]}], {"to": ["ada@example.com", {"a": 1}]}) == set()
}

test_covers_what_was_granted_with_these_arguments if {
	_narrowed([], {"amount": 6}) == _granted
	_narrowed([{"at": "/amount", "equals": 5}], {"amount": 5, "note": "x"}) == _granted
	_narrowed([{"at": "/list", "equals": [1, 2]}], {"list": [1, 2]}) == _granted
	_narrowed([{"at": "/ids", "one_of": [1, 2]}], {"ids": [2, 1]}) == _granted
	_narrowed([{"at": "/a~1b/c", "min": 0, "max": 5}], {"a/b": {"c": 5}}) == _granted
	_narrowed([{"at": "/path", "prefix": "/srv/"}], {"path": "/srv/a.txt"}) == _granted
	_narrowed([{"at": "/url", "prefix": "https://example.com/"}], {"url": "https://example.com/a"}) == _granted
	_narrowed([{"at": "", "only": ["path", "mode"]}], {"path": "a"}) == _granted
	_narrowed([{"at": "/url", "domain_of": ["example.com"]}], {"url": "https://example.com/a"}) == _granted
	_narrowed(
		[{"at": "/to", "domain_of": ["example.com", ".example.org"]}],
		{"to": ["ada@example.com", "bob@mail.example.org"]},
	) == _granted
}
