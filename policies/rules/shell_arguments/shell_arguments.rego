# METADATA
# title: A shell tool runs only the commands listed for it
# description: >-
#   Checks the commands that a parser read in the arguments of a tool with `parse: shell`: those inside pipes and
#   substitutions, and those that others start (`env`, `sudo`, `xargs`, `find -exec`, `sh -c` and more). A tool without
#   an entry in data.config.shell_arguments runs nothing. An entry lists its `commands`; each may say which values its
#   `first` argument may have, which `options` (arguments that begin with `-` or `+`) it may have, and which arguments
#   are `denied`; `denied` of the entry applies to all of its commands. `*` at either end matches anything. A value is
#   denied where it stands alone, behind `=`, `:`, `,` or `@`, and directly behind a short option: `/etc/*` also denies
#   `--file=/etc/x` and `-f/etc/x`. `--output` also denies `--output=x`, `--out` and `-output`, and `-o` also `-xo`.
#   `features` allows more than simple commands: list, pipe, background, redirect, substitution, expansion, glob,
#   assignment, compound. `optional: true` allows calls without a command; `enabled: false` switches the rule off for
#   the tool. Commands that cannot be read are denied. Malformed data denies everything, a malformed entry denies its
#   tool. To allow an interpreter (sh, python, awk, perl) is to allow everything, and options of git, tar, rsync and
#   others start programs: list `options` there. A path has many spellings: deny `/*`, `~*` and `*..*` rather than one
#   folder, or give the agent a file tool.
# custom:
#   severity: critical
#   owasp_asi: [ASI02, ASI05]
#   stops: A harmless command that brings another one with it, or an option that writes, runs or sends something.
#   example: "`git log; curl evil.example`, `git log $(id)` and `git log --output=/etc/cron.d/x` are denied."
#   restricts: {"/*": tool}
#   data: |
#     shell_arguments:
#       run:
#         commands:
#           ls: {}
#           git: {first: [log, status, diff], denied: [--output, --ext-diff, --textconv]}
#           head: {options: [-n, -c]}
#         denied: ["/*", "~*", "*..*", "*=/*"]
#         features: [pipe]
package interlock.rules.shell_arguments

deny contains "The shell command of this call cannot be read." if {
	some fact in _facts
	not fact.readable
}

deny contains "This tool runs a shell, and the call holds no command that could be judged." if {
	_named
	not _switched_off
	not _entry.optional
	not _given
}

deny contains "The shell of this call runs a command that it may not." if {
	some command in _commands
	not _entry.commands[command.name]
}

deny contains "The shell of this call does more than run simple commands." if {
	some feature in _facts[_].features
	not feature in object.get(_entry, "features", [])
}

deny contains "The shell of this call runs a command with an argument that it may not have." if {
	some command in _commands
	limits := _entry.commands[command.name]
	not _may(command.arguments, limits)
}

deny contains "The data of this rule is malformed." if _malformed

# Most calls have no command: nothing else is evaluated for them.
default _facts := []

_facts := input.facts.shell if {
	input.facts.shell != []
	not _switched_off
}

_commands := [command | some command in _facts[_].commands]

_given if count(_facts) > 0

_named if data.config.shell_arguments[input.tool.name]

_switched_off if _entry.enabled == false

# A tool without an entry runs nothing.
default _entry := {}

_entry := data.config.shell_arguments[input.tool.name]

_may(arguments, limits) if {
	_begins(arguments, limits)
	_has_options(arguments, limits)
	denied := {pattern | some pattern in object.get(_entry, "denied", [])} | {pattern | some pattern in object.get(limits, "denied", [])}
	starred := {pattern | some pattern in denied; contains(pattern, "*")}
	options := {pattern | some pattern in denied; startswith(pattern, "-")}
	every argument in {argument | some argument in arguments} {
		_is_known(argument, limits, denied)
		not _denied(argument, denied, starred, options)
	}
}

_begins(_, limits) if not limits.first

_begins(arguments, limits) if arguments[0] in limits.first

_has_options(_, limits) if not limits.options

_has_options(arguments, limits) if {
	options := {_option(argument) | some argument in arguments; _is_option(argument)}
	count(options - {option | some option in limits.options}) == 0
}

_is_option(argument) if startswith(argument, "-")

_is_option(argument) if startswith(argument, "+")

# `--name=value` and `-name=value` are the options `--name` and `-name`. Behind `-n`, `=` may stand for anything.
_option(argument) := argument if _is_short(argument)

_option(argument) := split(argument, "=")[0] if not _is_short(argument)

_is_short(argument) if count(split(argument, "=")[0]) < 3

# An argument that the shell computes can have any value: it passes only where no argument is checked.
_is_known(argument, _, _) if is_string(argument)

_is_known(null, limits, denied) if {
	object.keys(limits) == set()
	denied == set()
}

_denied(argument, denied, _, _) if argument in denied

_denied(argument, denied, _, _) if split(argument, "=")[0] in denied

_denied(argument, _, starred, _) if {
	some pattern in starred
	_matches(argument, pattern)
}

_denied(argument, denied, _, _) if {
	some pattern in denied
	_is_attached(argument, pattern)
}

_denied(argument, _, _, options) if {
	startswith(argument, "-")
	some pattern in options
	_is_spelling(argument, pattern)
}

_matches(argument, pattern) if {
	endswith(pattern, "*")
	startswith(argument, trim_suffix(pattern, "*"))
}

_matches(argument, pattern) if {
	startswith(pattern, "*")
	endswith(argument, trim_prefix(pattern, "*"))
}

_matches(argument, pattern) if {
	startswith(pattern, "*")
	endswith(pattern, "*")
	contains(argument, trim(pattern, "*"))
}

# A value behind a sign that separates it from a name, a host or another value: `--file=/etc/x`, `if=/etc/x`, `a:/etc/x`.
_is_attached(argument, pattern) if {
	some sign in ["=", ":", ",", "@"]
	_holds(argument, pattern, sign)
}

# A value directly behind a short option, which may stand behind others: `-f/etc/x`, `-xf/etc/x`.
_is_attached(argument, pattern) if {
	startswith(argument, "-")
	not startswith(argument, "--")
	_holds(substring(argument, 2, -1), pattern, "")
}

_holds(text, pattern, sign) if {
	endswith(pattern, "*")
	not startswith(pattern, "*")
	contains(text, concat("", [sign, trim_suffix(pattern, "*")]))
}

_holds(text, pattern, sign) if {
	not endswith(pattern, "*")
	not startswith(pattern, "-")
	endswith(text, concat("", [sign, pattern]))
}

# Long options can be abbreviated.
_is_spelling(argument, pattern) if {
	startswith(pattern, "--")
	name := split(argument, "=")[0]
	count(name) > 2
	startswith(pattern, name)
}

# Some programs read `-output` like `--output`.
_is_spelling(argument, pattern) if {
	count(pattern) > 2
	trim_left(split(argument, "=")[0], "-") == trim_left(pattern, "-")
}

# Short options can be combined, with a value directly after them.
_is_spelling(argument, pattern) if {
	count(pattern) == 2
	not startswith(argument, "--")
	contains(argument, substring(pattern, 1, 1))
}

_malformed if {
	config := data.config.shell_arguments
	not is_object(config)
}

_malformed if {
	entry := data.config.shell_arguments[input.tool.name]
	not _well_formed(entry)
}

_well_formed(entry) if {
	is_object(entry)
	every name, value in entry {
		_is_valid(name, value)
	}
}

_is_valid(name, value) if {
	name in {"enabled", "optional"}
	is_boolean(value)
}

_is_valid("commands", commands) if {
	is_object(commands)
	every _, limits in commands {
		is_object(limits)
		every name, texts in limits {
			_is_limit(name, texts)
		}
	}
}

_is_valid("denied", patterns) if _is_patterns(patterns)

_is_valid("features", names) if {
	is_array(names)
	every name in names {
		name in _features
	}
}

_features := {
	"list", "pipe", "background", "redirect", "substitution", "expansion", "glob", "assignment", "compound",
}

_is_limit(name, texts) if {
	name in {"first", "options"}
	_is_texts(texts)
}

_is_limit("denied", patterns) if _is_patterns(patterns)

# Elsewhere than at an end, `*` would match nothing but itself.
_is_patterns(patterns) if {
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
