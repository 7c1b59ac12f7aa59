# METADATA
# title: A SQL tool runs only the statements allowed for it
# description: >-
#   Checks the statements that a parser read in the arguments of a tool with `parse: sql`. Without data a tool may
#   read, with one statement and no function that reaches files, the network, other sessions or settings. The tool's
#   entry in data.config.sql_arguments changes that: `kinds` that are allowed, `read_only: false` (only together with
#   `kinds`), `statements_max`, `tables_allowed` and `tables_denied`, `functions_allowed` (all others are denied) and
#   `functions_denied`, `unconditioned: true` for an update or a delete without a condition that limits its rows,
#   `reads_may_write: true` for a select of which the parser cannot know that it changes nothing (it calls user-defined
#   functions), `optional: true` for calls without SQL, `enabled: false`. `kinds` are about everything inside a
#   statement: a `with` that deletes needs `delete`, an upsert `update`, `select … into` needs `create` or `into`, and a
#   function that is not known to change nothing needs `call`, unless `functions_allowed` lists it or `reads_may_write`
#   is set. Upper and lower case of tables are the same, and names of `with` queries count as tables; `reporting.*`
#   stands for a schema; a denied table without a schema is denied in every schema. SQL that cannot be read and a text
#   without a statement are denied. Malformed data denies everything, a malformed entry denies its tool.
# custom:
#   severity: critical
#   owasp_asi: [ASI02, ASI05]
#   stops: A query tool that is used to change, destroy or copy out the data it was meant to read.
#   example: "`select 1; drop table orders`, `delete from orders` and `select pg_read_file('/etc/passwd')` are denied."
#   restricts: {"/*": tool}
#   data: |
#     sql_arguments:
#       query_orders:
#         tables_allowed: [orders, reporting.*]
#       fix_orders:
#         read_only: false
#         kinds: [select, update]
#         tables_denied: [users]
#         functions_allowed: [count, sum, lower]
package interlock.rules.sql_arguments

deny contains "The SQL of this call cannot be read." if {
	some fact in _facts
	not fact.readable
}

deny contains "This tool runs SQL, and the call holds none that could be judged." if {
	_named
	not _switched_off
	not _entry.optional
	not _given
}

deny contains "The SQL of this call holds no statement." if {
	some fact in _facts
	count(fact.statements) == 0
}

deny contains "The SQL of this call holds more statements than it may." if {
	some fact in _facts
	count(fact.statements) > object.get(_entry, "statements_max", 1)
}

deny contains "The SQL of this call changes something, and this tool only reads." if {
	some statement in _statements
	not statement.readOnly
	object.get(_entry, "read_only", true)
}

deny contains "The SQL of this call changes something where it seems to read." if {
	_entry.read_only == false
	some statement in _statements
	not statement.readOnly
	statement.kind in _reading
	not _entry.reads_may_write
}

deny contains "The SQL of this call is of a kind that this tool may not use." if {
	some statement in _statements
	some kind in _kinds(statement)
	not _kind_allowed(kind, statement)
}

deny contains "The SQL of this call may change every row: no condition limits the rows of its update or delete." if {
	some statement in _statements
	count(_kinds(statement) & {"update", "delete"}) > 0
	not statement.conditioned
	not _entry.unconditioned
}

deny contains "The SQL of this call touches a table that it may not." if {
	some table in _tables
	not _table_allowed(table)
}

deny contains "The SQL of this call touches a table that it may not." if {
	some table in _tables
	_named_by(_bare(table), _tables_denied, _tables_denied_in_short)
}

deny contains "The SQL of this call uses a function that it may not." if {
	some function in _functions
	not _function_allowed(function)
}

deny contains "The data of this rule is malformed." if _malformed

# Most calls have no SQL: nothing else is evaluated for them.
default _facts := []

_facts := input.facts.sql if {
	input.facts.sql != []
	not _switched_off
}

_statements := [statement | some statement in _facts[_].statements]

_tables contains lower(table) if some table in _statements[_].tables

_functions contains lower(function) if some function in _statements[_].functions

_given if count(_facts) > 0

_named if data.config.sql_arguments[input.tool.name]

_switched_off if _entry.enabled == false

# A tool without an entry has the defaults of every entry.
default _entry := {}

_entry := data.config.sql_arguments[input.tool.name]

_reading := {"select", "with", "values", "table", "show", "explain", "describe", "desc"}

# What a statement does, and everything inside it.
_kinds(statement) := {statement.kind} | {kind | some kind in statement.kinds}

_kind_allowed(kind, _) if kind in object.get(_entry, "kinds", [kind])

# Functions are judged by their names, or may change what they like. A procedure is neither.
_kind_allowed("call", statement) if {
	statement.kind != "call"
	_functions_are_judged
}

_functions_are_judged if _entry.functions_allowed

_functions_are_judged if _entry.reads_may_write

_table_allowed(_) if not _entry.tables_allowed

_table_allowed(table) if table in _tables_allowed

# `*` in `reporting.*` stands for one name: `reporting.x.y` is a table of a database named reporting.
_table_allowed(table) if {
	some allowed in _tables_allowed
	endswith(allowed, ".*")
	schema := trim_suffix(allowed, "*")
	startswith(table, schema)
	not contains(trim_prefix(table, schema), ".")
}

_tables_allowed contains lower(allowed) if some allowed in _entry.tables_allowed

# A denied name without a schema is denied in every schema; a table without a schema may be in any.
_named_by(name, denied, _) if {
	some end in _ends(name)
	end in denied
}

_named_by(name, _, in_short) if name in in_short

# `a.b.c`, `b.c` and `c`.
_ends(name) := {concat(".", array.slice(parts, start, count(parts))) | some start, _ in parts} if {
	parts := split(name, ".")
}

_tables_denied := {_bare(denied) | some denied in _entry.tables_denied}

_tables_denied_in_short := {end | some end in _ends(_tables_denied[_])}

_functions_denied := {_bare(denied) | some denied in _entry.functions_denied}

_functions_denied_in_short := {end | some end in _ends(_functions_denied[_])}

_function_allowed(name) if {
	not _function_denied(name)
	name in _functions_allowed
}

_function_allowed(name) if {
	not _entry.functions_allowed
	not _function_denied(name)
	not _reaches_out(name)
}

_functions_allowed := {lower(allowed) | some allowed in _entry.functions_allowed}

_function_denied(name) if _named_by(_bare(name), _functions_denied, _functions_denied_in_short)

_reaches_out(name) if {
	segments := split(_bare(name), ".")
	last := segments[count(segments) - 1]
	some beginning in _beginnings
	startswith(last, beginning)
}

# Functions of PostgreSQL, MySQL, SQLite and SQL Server that read or write files, reach the network or the machine,
# run SQL given as text, wait, lock, or act on other sessions and settings: each begins with one of these.
_beginnings := [
	"benchmark", "cursor_to_xml", "database_to_xml", "dblink", "edit", "fts3_tokenizer", "get_lock", "http_", "lo_",
	"load_extension", "load_file", "master_pos_wait", "opendatasource", "openquery", "openrowset", "pg_advisory",
	"pg_backup", "pg_cancel_backend", "pg_create_", "pg_current_logfile", "pg_drop_", "pg_execute", "pg_export",
	"pg_file_", "pg_import", "pg_log", "pg_ls_", "pg_notify", "pg_promote", "pg_read_", "pg_reload_", "pg_replication_",
	"pg_rotate_", "pg_sleep", "pg_start_", "pg_stat_file", "pg_stat_reset", "pg_stop_", "pg_switch_", "pg_terminate_",
	"pg_try_advisory", "pg_wal_", "query_to_xml", "readfile", "release_", "schema_to_xml", "set_config", "setval",
	"sleep", "source_pos_wait", "sp_", "sys_", "table_to_xml", "writefile", "xp_", "xpath_table",
]

# A quoted name is the same table.
_bare(name) := lower(strings.replace_n({`"`: "", "`": "", "[": "", "]": ""}, name))

_malformed if {
	config := data.config.sql_arguments
	not is_object(config)
}

_malformed if {
	entry := data.config.sql_arguments[input.tool.name]
	not _well_formed(entry)
}

_well_formed(entry) if {
	is_object(entry)
	_names_its_kinds(entry)
	every name, value in entry {
		_is_valid(name, value)
	}
}

# An entry that may write must list its kinds.
_names_its_kinds(entry) if object.get(entry, "read_only", true)

_names_its_kinds(entry) if count(entry.kinds) > 0

_is_valid(name, value) if {
	name in {"enabled", "read_only", "optional", "unconditioned", "reads_may_write"}
	is_boolean(value)
}

_is_valid(name, value) if {
	name in {"kinds", "tables_allowed", "tables_denied", "functions_allowed", "functions_denied"}
	is_array(value)
	every text in value {
		is_string(text)
	}
}

_is_valid("statements_max", value) if {
	is_number(value)
	value >= 1
}
