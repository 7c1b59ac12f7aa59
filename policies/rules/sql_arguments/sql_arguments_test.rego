package interlock.rules.sql_arguments_test

import data.interlock.rules.sql_arguments

_select := {"kind": "select", "readOnly": true, "tables": ["orders"], "functions": []}

_update := {"kind": "update", "readOnly": false, "tables": ["orders"], "functions": [], "conditioned": true}

_drop := {"kind": "drop", "readOnly": false, "tables": ["orders"], "functions": []}

_writer := {"read_only": false, "kinds": ["select", "update"]}

_call(statements) := {
	"tool": {"name": "query"},
	"facts": {"sql": [{"at": "/sql", "readable": true, "dialect": "postgresql", "statements": statements}]},
}

_unread := {"tool": {"name": "query"}, "facts": {"sql": [{"at": "/sql", "readable": false}]}}

_without := {"tool": {"name": "query"}, "facts": {"sql": []}}

_result(call, entry) := result if {
	result := sql_arguments.deny with input as call with data.config.sql_arguments as {"query": entry}
}

_by_default(call) := result if result := sql_arguments.deny with input as call with data.config as {}

_reads(change) := _call([object.union(_select, change)])

_malformed := {"The data of this rule is malformed."}

_table := {"The SQL of this call touches a table that it may not."}

_function := {"The SQL of this call uses a function that it may not."}

test_denies_what_cannot_be_read if {
	unreadable := {"The SQL of this call cannot be read."}
	_by_default(_unread) == unreadable
	_result(_unread, object.union(_writer, {"optional": true})) == unreadable
}

test_denies_a_second_statement if {
	many := {"The SQL of this call holds more statements than it may."}
	_by_default(_call([_select, _select])) == many
	_result(_call([_select, _select, _select]), {"statements_max": 2}) == many
}

test_denies_a_change_by_a_tool_that_only_reads if {
	changes := {"The SQL of this call changes something, and this tool only reads."}
	_by_default(_call([_update])) == changes
	_result(_call([_drop]), {}) == changes
	_result(_call([_drop]), {"read_only": true}) == changes
	_by_default(_call([object.remove(_drop, ["readOnly"])])) == changes
}

test_denies_a_change_that_hides_in_a_read if {
	hidden := {"The SQL of this call changes something where it seems to read."}
	_result(_reads({"readOnly": false}), _writer) == hidden
	_result(_reads({"readOnly": false}), object.union(_writer, {"functions_allowed": ["mine"]})) == hidden
}

test_denies_kinds_that_are_not_listed if {
	kind := {"The SQL of this call is of a kind that this tool may not use."}
	_result(_call([_drop]), _writer) == kind
	_result(_call([_select]), {"kinds": ["show"]}) == kind
}

test_denies_kinds_inside_a_statement_that_are_not_listed if {
	kind := {"The SQL of this call is of a kind that this tool may not use."}
	every kinds in [["update", "delete"], ["update", "insert"], ["update", "create"], ["update", "call"]] {
		_result(_call([object.union(_update, {"kinds": kinds})]), _writer) == kind
	}
	inner := object.union(_select, {"readOnly": false, "kinds": ["select", "delete"], "conditioned": true})
	_result(_call([inner]), object.union(_writer, {"reads_may_write": true})) == kind
	procedure := {"kind": "call", "kinds": ["call"], "readOnly": false, "tables": [], "functions": ["mine"]}
	_result(_call([procedure]), object.union(_writer, {"functions_allowed": ["mine"]})) == kind
}

test_denies_an_update_or_delete_of_every_row if {
	everything := {"The SQL of this call may change every row: no condition limits the rows of its update or delete."}
	_result(_call([object.union(_update, {"conditioned": false})]), _writer) == everything
	_result(_call([object.remove(_update, ["conditioned"])]), _writer) == everything
	delete := object.union(_update, {"kind": "delete", "conditioned": false})
	_result(_call([delete]), {"read_only": false, "kinds": ["delete"]}) == everything
	inner := object.union(_update, {"kind": "insert", "kinds": ["insert", "update"], "conditioned": false})
	_result(_call([inner]), {"read_only": false, "kinds": ["insert", "update"]}) == everything
}

test_denies_tables_that_are_not_allowed if {
	entry := {"tables_allowed": ["orders", "reporting.*"]}
	every table in ["users", "evil.orders", "reporting", "reporting.db.sales", "reportings.sales", "*", ""] {
		_result(_reads({"tables": [table]}), entry) == _table
		_result(_reads({"tables": ["orders", table]}), entry) == _table
	}
	_result(_reads({}), {"tables_allowed": []}) == _table
}

test_denies_denied_tables_in_every_schema_and_spelling if {
	every table in ["users", "USERS", "public.users", "shop.public.Users", `"users"`, "`public`.`users`", "[dbo].[users]"] {
		_result(_reads({"tables": [table]}), {"tables_denied": ["Users"]}) == _table
	}
	_result(_reads({"tables": ["salaries"]}), {"tables_denied": ["hr.salaries"]}) == _table
	_result(_reads({"tables": ["hr.salaries"]}), {"tables_allowed": ["hr.*"], "tables_denied": ["salaries"]}) == _table
}

test_denies_functions_that_reach_out if {
	every function in ["pg_read_file", "pg_catalog.pg_sleep", `"PG_LS_DIR"`, "load_file", "query_to_xml", "lo_export"] {
		_by_default(_reads({"functions": ["count", function]})) == _function
	}
}

test_reads_that_may_write_are_no_writes_of_a_tool_that_only_reads if {
	changes := {"The SQL of this call changes something, and this tool only reads."}
	_result(_reads({"readOnly": false}), {"reads_may_write": true}) == changes
}

test_denies_functions_that_data_denies_or_does_not_allow if {
	_result(_reads({"functions": ["now"]}), {"functions_denied": ["NOW"]}) == _function
	_result(_reads({"functions": ["pg_catalog.now"]}), {"functions_denied": ["now"]}) == _function
	_result(_reads({"functions": ["now"]}), {"functions_allowed": ["count"]}) == _function
	_result(_reads({"functions": ["evil.count"]}), {"functions_allowed": ["count"]}) == _function
	_result(_reads({"functions": ["count"]}), {"functions_allowed": []}) == _function
	both := {"functions_allowed": ["count"], "functions_denied": ["count"]}
	_result(_reads({"functions": ["count"]}), both) == _function
}

test_denies_a_text_without_a_statement if {
	_by_default(_call([])) == {"The SQL of this call holds no statement."}
}

test_denies_a_call_without_the_sql_its_entry_is_about if {
	none := {"This tool runs SQL, and the call holds none that could be judged."}
	_result(_without, {}) == none
	_result(_without, {"optional": false}) == none
	_result({"tool": {"name": "query"}}, {}) == none
}

test_an_approval_lifts_nothing if {
	approval := {"approval": {"person": "bob", "resolvedAt": 1}}
	_by_default(object.union(_unread, approval)) == {"The SQL of this call cannot be read."}
}

test_returns_every_reason if {
	_result(_call([_select, object.union(_drop, {"tables": ["users"]})]), {"tables_denied": ["users"]}) == {
		"The SQL of this call holds more statements than it may.",
		"The SQL of this call changes something, and this tool only reads.",
		"The SQL of this call touches a table that it may not.",
	}
}

test_denies_everything_while_its_data_is_malformed if {
	sql_arguments.deny == _malformed with input as {"tool": {"name": "other"}}
		with data.config.sql_arguments as ["query"]
}

test_denies_a_tool_while_its_entry_is_malformed if {
	every entry in [
		{"read_only": false},
		{"read_only": false, "kinds": []},
		{"read_only": "yes"},
		{"readonly": true},
		{"kinds": "select"},
		{"tables_allowed": "orders"},
		{"tables_allowed": [7]},
		{"statements_max": 0},
		{"statements_max": "2"},
		{"enabled": "no"},
	] {
		"The data of this rule is malformed." in _result(_call([_select]), entry)
	}
	every entry in ["select", ["select"], false, null] {
		"The data of this rule is malformed." in _result(_call([_select]), entry)
	}
}

test_returns_nothing_for_a_read_by_default if {
	_by_default(_call([_select])) == set()
	_by_default(_reads({"functions": ["count", "lower"], "tables": ["a", "b.c"]})) == set()
	_by_default(_without) == set()
	_by_default({"tool": {"name": "query"}}) == set()
}

test_returns_nothing_for_what_data_allows if {
	_result(_call([_update]), _writer) == set()
	_result(_call([object.union(_update, {"conditioned": false})]), object.union(_writer, {"unconditioned": true})) == set()
	_result(_call([_select, _select]), {"statements_max": 2}) == set()
	entry := {"tables_allowed": ["Orders", "reporting.*"], "tables_denied": ["users"]}
	_result(_reads({"tables": ["ORDERS", "reporting.Sales"]}), entry) == set()
	own := object.union(_writer, {"reads_may_write": true, "functions_allowed": ["mine"]})
	_result(_reads({"readOnly": false, "functions": ["mine"], "kinds": ["select", "call"]}), own) == set()
	both := object.union(_writer, {"kinds": ["update", "delete", "call"]})
	_result(_call([object.union(_update, {"kinds": ["update", "delete", "call"]})]), both) == set()
	judged := object.union(_writer, {"functions_allowed": ["mine"]})
	_result(_call([object.union(_update, {"kinds": ["update", "call"], "functions": ["mine"]})]), judged) == set()
	_result(_without, {"optional": true}) == set()
}

test_is_switched_off_by_data if {
	_result(_unread, {"enabled": false}) == set()
	_result(_without, {"enabled": false}) == set()
	_result(_call([_drop, _drop]), {"enabled": false}) == set()
}
