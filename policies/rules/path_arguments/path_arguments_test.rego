package interlock.rules.path_arguments_test

import data.interlock.rules.path_arguments

_fact(path) := {
	"at": "/path",
	"readable": true,
	"path": path,
	"normalized": path,
	"absolute": startswith(path, "/"),
	"traverses": false,
	"segments": [segment | some segment in split(path, "/"); segment != ""],
}

_calls(facts) := {"tool": {"name": "read_file"}, "facts": {"paths": facts}}

_call(path) := _calls([_fact(path)])

_unread := _calls([_fact("a"), {"at": "/path", "readable": false}])

_result(call, entry) := result if {
	result := path_arguments.deny with input as call with data.config.path_arguments as {"read_file": entry}
}

_by_default(call) := result if result := path_arguments.deny with input as call with data.config as {}

_outside := {"The path of this call leads outside the places this tool belongs to."}

_hidden := "The path of this call leads through something hidden."

_name := "The path of this call leads through a name that it may not."

_odd := {"The path of this call holds characters that may hide where it leads."}

_malformed := "The data of this rule is malformed."

test_denies_what_cannot_be_read if {
	_by_default(_unread) == {"The path of this call cannot be read."}
	_result(_unread, {"roots": ["/", "."], "optional": true}) == {"The path of this call cannot be read."}
}

test_denies_what_leads_upward_wherever_it_ends if {
	upward := {"The path of this call leads upward."}
	climbing := object.union(_fact("a"), {"path": "b/../a", "traverses": true})
	_by_default(_calls([climbing])) == upward
	_result(_calls([_fact("a"), climbing]), {"roots": ["/", "."]}) == upward
	_by_default(_calls([object.union(_fact("../a"), {"traverses": true})])) == upward
	_by_default(_calls([object.remove(_fact("a"), ["traverses"])])) == upward
}

test_denies_absolute_paths_without_a_root_for_them if {
	_by_default(_call("/srv/reports/a")) == _outside
	_result(_call("/srv/reports/a"), {"roots": ["."]}) == _outside
	_result(_call("/srv/reports/a"), {"roots": []}) == _outside
	_result(_call("/srv/reports/a"), {"roots": ["srv"]}) == _outside
	drive := object.union(_fact("C:/a"), {"absolute": true})
	_result(_calls([drive]), {"roots": ["/", "."]}) == _outside
}

test_denies_what_is_outside_the_roots if {
	entry := {"roots": ["/srv/reports", "inbox"]}
	every path in ["/srv", "/srv/reports2/a", "/srv/other", "/", "a", ".", "inbox2/a", "srv/reports/a"] {
		_result(_call(path), entry) == _outside
	}
	_result(_calls([_fact("inbox/a"), _fact("/etc/hosts")]), entry) == _outside
	_result(_calls([object.remove(_fact("inbox/a"), ["absolute"])]), entry) == _outside
}

test_denies_hidden_files_and_folders if {
	every path in [".config", "a/.config/b", "a/.b", "a/..."] {
		_by_default(_call(path)) == {_hidden}
		_result(_call(path), {"hidden": false}) == {_hidden}
	}
}

test_denies_names_that_hold_secrets if {
	every path in [".env", ".ENV", ".env.local", ".ssh/known_hosts", "a/.git/config", ".aws/config"] {
		_by_default(_call(path)) == {_hidden, _name}
		_result(_call(path), {"hidden": true}) == {_name}
	}
	every path in [
		"keys/id_rsa",
		"a/ID_ED25519.pub",
		"server.pem",
		"server.pem. .",
		"etc/shadow",
		"credentials",
		"psql_history",
		"terraform.tfstate.backup",
	] {
		_by_default(_call(path)) == {_name}
	}
}

test_denies_names_that_data_denies if {
	entry := {"denied": ["Salaries", "draft*", "*.bak", "*internal*"]}
	every path in ["salaries", "a/SALARIES/b", "drafts", "a.bak", "not-internal-yet"] {
		_result(_call(path), entry) == {_name}
	}
}

test_denies_characters_that_may_hide_where_it_leads if {
	every path in ["a%2fb", "a\\b", "a\u200b", "a/b\u00ad"] {
		_by_default(_call(path)) == _odd
	}
}

test_denies_a_call_without_the_path_its_entry_is_about if {
	none := {"This tool opens paths, and the call holds none that could be judged."}
	_result(_calls([]), {}) == none
	_result({"tool": {"name": "read_file"}}, {"roots": ["/"]}) == none
}

test_an_approval_lifts_nothing if {
	call := object.union(_call("/etc/hosts"), {"approval": {"person": "bob", "resolvedAt": 1}})
	_by_default(call) == _outside
}

test_denies_everything_while_its_data_is_malformed if {
	path_arguments.deny == {_malformed} with input as {"tool": {"name": "other"}}
		with data.config.path_arguments as ["read_file"]
}

test_denies_a_name_with_what_a_system_ignores_behind_it if {
	name := {"The path of this call leads through a name that it may not."}
	every path in ["server.pem:stream", "a/server.pem::$DATA", "salaries. ", "salaries:x"] {
		_result(_call(path), {"denied": ["salaries"]}) == name
	}
}

test_denies_a_tool_while_its_entry_is_malformed if {
	every entry in [
		{"roots": "/srv"},
		{"roots": [7]},
		{"roots": ["/srv/"]},
		{"roots": ["/srv/../etc"]},
		{"roots": ["./a"]},
		{"roots": [""]},
		{"root": ["/srv"]},
		{"hidden": "no"},
		{"denied": "a"},
		{"denied": ["a*b"]},
		{"denied": [""]},
		{"except": [7]},
	] {
		_malformed in _result(_call("a"), entry)
	}
	every entry in ["a", ["a"], false, null] {
		_malformed in _result(_call("a"), entry)
	}
}

test_returns_nothing_for_relative_paths_by_default if {
	every path in ["a", "a/b.txt", "a.b/c", ".", "environment/key.txt"] {
		_by_default(_call(path)) == set()
	}
	_by_default(_calls([])) == set()
	_by_default({"tool": {"name": "read_file"}}) == set()
}

test_returns_nothing_for_what_is_under_a_root if {
	entry := {"roots": ["/srv/reports", "inbox"]}
	every path in ["/srv/reports", "/srv/reports/a/b", "inbox", "inbox/a"] {
		_result(_call(path), entry) == set()
	}
	_result(_call("/var/a"), {"roots": ["/"]}) == set()
}

test_is_tuned_by_data if {
	_result(_call(".config/a"), {"hidden": true}) == set()
	_result(_call("a/.env.example"), {"except": [".ENV.example"]}) == set()
	_result(_call("100%"), {"odd_characters": true}) == set()
	_result(_calls([]), {"optional": true}) == set()
	_result(_unread, {"enabled": false}) == set()
	_result(_calls([]), {"enabled": false}) == set()
}
