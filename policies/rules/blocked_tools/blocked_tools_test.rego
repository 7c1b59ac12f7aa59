package interlock.rules.blocked_tools_test

import data.interlock.rules.blocked_tools

_call := {"subject": {"tenant": "acme", "agent": "reader"}, "tool": {"name": "drop_table"}}

_result(blocks) := result if result := blocked_tools.deny with input as _call with data.config.blocked_tools as blocks

_blocked := {"This tool is blocked."}

_malformed := {"The data of this rule is malformed."}

test_denies_a_blocked_tool if {
	_result([{"tools": ["drop_table"]}]) == _blocked
	_result([{"tools": ["*"], "agents": ["reader"]}]) == _blocked
	_result([{"tools": ["drop_table"], "tenants": ["acme"]}]) == _blocked
}

test_withholds_what_it_denies if {
	withheld := blocked_tools.withholds with input as _call
		with data.config.blocked_tools as [{"tools": ["drop_table"]}]
	withheld == _blocked
}

test_denies_everything_while_its_data_is_malformed if {
	_result("drop_table") == _malformed
	_result(["drop_table"]) == _malformed
	_result([{"tool": ["other"]}]) == _malformed
	_result([{"tools": "other"}]) == _malformed
	_result([{"tools": ["drop_table"], "agent": ["writer"]}]) == _malformed
	_result([{"tools": ["*"], "agents": "writer"}]) == _malformed
}

test_returns_nothing_for_others if {
	_result([]) == set()
	_result([{"tools": ["read_file"]}]) == set()
	_result([{"tools": ["read_file"], "agent": ["reader"]}]) == set()
	_result([{"tools": ["drop_table"], "agents": ["writer"]}]) == set()
	_result([{"tools": ["drop_table"], "tenants": ["other"]}]) == set()
	blocked_tools.deny == set() with input as _call with data.config as {}
}
