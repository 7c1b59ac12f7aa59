# METADATA
# title: A path stays inside the folders of its tool
# description: >-
#   Checks the paths that a parser read in the arguments of a tool with `parse: path`. It denies a path that leads
#   upward (`..` in any spelling); one outside the tool's `roots` (["."] by default: any relative path; an absolute
#   root allows absolute paths under it); one through a hidden file or folder, unless `hidden: true`; one through a
#   name that commonly holds secrets or that `denied` names (`*` at either end matches anything; `except` allows
#   names again); and one with `%`, a backslash or an invisible character, which may hide where it leads, unless
#   `odd_characters: true`. In the tool's entry of data.config.path_arguments, `optional: true` allows calls without
#   a path, and `enabled: false` switches the rule off. Upper and lower case are the same. Paths that cannot be read
#   are denied. Malformed data denies everything, a malformed entry denies its tool.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI03, ASI05]
#   stops: A file tool that is made to open keys, passwords or files elsewhere on the machine.
#   example: "`reports/../../etc/passwd`, `/etc/passwd`, `%2e%2e/x`, `.env` and `keys/id_rsa` are denied."
#   restricts: {"/*": tool}
#   data: |
#     path_arguments:
#       read_file:
#         roots: [/srv/reports, "."] # "." stands for relative paths
#         hidden: false
#         denied: [salaries, "*.bak"]
#         except: [.env.example]
package interlock.rules.path_arguments

deny contains "The path of this call cannot be read." if {
	some fact in _facts
	not fact.readable
}

deny contains "This tool opens paths, and the call holds none that could be judged." if {
	_named
	not _switched_off
	not _entry.optional
	not _given
}

deny contains "The path of this call leads upward." if {
	some fact in _paths
	not _stays(fact)
}

deny contains "The path of this call leads outside the places this tool belongs to." if {
	some fact in _paths
	not _rooted(fact)
}

deny contains "The path of this call holds characters that may hide where it leads." if {
	_given
	not _entry.odd_characters
	some fact in _paths
	some character in _odd
	contains(fact.path, character)
}

deny contains "The path of this call leads through something hidden." if {
	_given
	not _entry.hidden
	some segment in _paths[_].segments
	startswith(segment, ".")
	not segment in {".", ".."}
	not lower(segment) in _excepted
}

deny contains "The path of this call leads through a name that it may not." if {
	some name in _names
	_is_secret(name)
}

deny contains "The path of this call leads through a name that it may not." if {
	some name in _names
	some pattern in _denied
	_matches(name, pattern)
}

deny contains "The data of this rule is malformed." if _malformed

# Most calls have no path: nothing else is evaluated for them.
default _facts := []

_facts := input.facts.paths if {
	input.facts.paths != []
	not _switched_off
}

_paths := [fact | some fact in _facts; fact.readable]

_given if count(_facts) > 0

_named if data.config.path_arguments[input.tool.name]

_switched_off if _entry.enabled == false

# A tool without an entry has the defaults of every entry.
default _entry := {}

_entry := data.config.path_arguments[input.tool.name]

_stays(fact) if fact.traverses == false

_rooted(fact) if {
	fact.absolute == false
	some root in object.get(_entry, "roots", ["."])
	_relative(root)
	_under(fact.normalized, root)
}

_rooted(fact) if {
	fact.absolute
	some root in _entry.roots
	startswith(root, "/")
	_under(fact.normalized, root)
}

_relative(root) if not startswith(root, "/")

_under(_, ".")

_under(path, root) if path == root

_under(path, root) if startswith(path, $"{trim_suffix(root, "/")}/")

# Some systems ignore dots and spaces at the end of a name, and what follows a colon.
_names contains name if {
	some segment in _paths[_].segments
	not lower(segment) in _excepted
	some text in [segment, split(segment, ":")[0]]
	name := trim_right(lower(text), " .")
}

_excepted contains lower(name) if some name in _entry.except

_denied contains lower(name) if some name in _entry.denied

_is_secret(name) if name in _secret_names

_is_secret(name) if {
	some beginning in _secret_beginnings
	startswith(name, beginning)
}

_is_secret(name) if {
	some ending in _secret_endings
	endswith(name, ending)
}

# Names of files and folders that commonly hold keys or passwords.
_secret_names := [
	".ssh", ".aws", ".azure", ".gnupg", ".git", ".git-credentials", ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass",
	".my.cnf", ".kube", ".docker", ".htpasswd", "authorized_keys", "credentials", "secrets", "shadow",
]

_secret_beginnings := [
	".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials.", "secrets.", "terraform.tfstate",
]

_secret_endings := ["_history", ".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx"]

# The percent sign, the backslash and invisible characters, which some file systems ignore.
_odd := ["%", `\`, "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff"]

_matches(name, pattern) if name == pattern

_matches(name, pattern) if {
	endswith(pattern, "*")
	startswith(name, trim_suffix(pattern, "*"))
}

_matches(name, pattern) if {
	startswith(pattern, "*")
	endswith(name, trim_prefix(pattern, "*"))
}

_matches(name, pattern) if {
	startswith(pattern, "*")
	endswith(pattern, "*")
	contains(name, trim(pattern, "*"))
}

_malformed if {
	config := data.config.path_arguments
	not is_object(config)
}

_malformed if {
	entry := data.config.path_arguments[input.tool.name]
	not _well_formed(entry)
}

_well_formed(entry) if {
	is_object(entry)
	every name, value in entry {
		_is_valid(name, value)
	}
}

_is_valid(name, value) if {
	name in {"enabled", "hidden", "odd_characters", "optional"}
	is_boolean(value)
}

_is_valid("roots", roots) if {
	is_array(roots)
	every root in roots {
		_is_root(root)
	}
}

_is_valid("except", value) if _is_texts(value)

# Elsewhere than at an end, `*` would match nothing but itself.
_is_valid("denied", patterns) if {
	_is_texts(patterns)
	every pattern in patterns {
		pattern != ""
		not contains(trim(pattern, "*"), "*")
	}
}

_is_texts(texts) if {
	is_array(texts)
	every text in texts {
		is_string(text)
	}
}

_is_root("/")

_is_root(".")

# Paths are compared in their normal form, so a root must be in normal form too.
_is_root(root) if {
	segments := split(trim_prefix(root, "/"), "/")
	every segment in segments {
		not segment in {"", ".", ".."}
	}
}
