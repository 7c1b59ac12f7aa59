package interlock.rules.blocked_tools_test

import data.interlock.rules.blocked_tools

_call := {"subject": {"tenant": "acme", "agent": "reader"}, "tool": {"name": "drop_table"}}

_said(blocks) := said if said := blocked_tools.deny with input as _call with data.config.blocked_tools as blocks

_blocked := {"This tool is blocked."}

_malformed := {"The data of this rule is malformed."}

test_denies_a_blocked_tool if {
	_said([{"tools": ["drop_table"]}]) == _blocked
	_said([{"tools": ["*"], "agents": ["reader"]}]) == _blocked
	_said([{"tools": ["drop_table"], "tenants": ["acme"]}]) == _blocked
}

test_denies_everything_while_its_data_is_malformed if {
	_said("drop_table") == _malformed
	_said(["drop_table"]) == _malformed
	_said([{"tool": ["other"]}]) == _malformed
	_said([{"tools": "other"}]) == _malformed
	_said([{"tools": ["drop_table"], "agent": ["writer"]}]) == _malformed
	_said([{"tools": ["*"], "agents": "writer"}]) == _malformed
}

test_says_nothing_of_others if {
	_said([]) == set()
	_said([{"tools": ["read_file"]}]) == set()
	_said([{"tools": ["read_file"], "agent": ["reader"]}]) == set()
	_said([{"tools": ["drop_table"], "agents": ["writer"]}]) == set()
	_said([{"tools": ["drop_table"], "tenants": ["other"]}]) == set()
	blocked_tools.deny == set() with input as _call with data.config as {}
}
