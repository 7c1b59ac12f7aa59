# METADATA
# title: A shell runs only the commands it is there for
# description: >-
#   Judges the commands a parser read in the arguments of a tool with `parse: shell`, also those inside pipes and
#   substitutions. A tool without an entry in data.config.shell_arguments runs nothing. An entry names its `commands`;
#   each may say which words its `first` argument may be, which `options` (arguments that begin with `-`) it may have,
#   and which arguments are `denied`; `denied` of the entry holds for all of its commands. `--output` also denies
#   `--output=x` and `--out`, `-o` also `-xo`, and `*` at either end stands for anything. `features` lets more in than
#   simple commands: list, pipe, background, redirect, substitution, expansion, glob, assignment, compound.
#   `optional: true` is for calls that may do without a command; `enabled: false` switches the rule off for the tool.
#   Commands that cannot be read are denied. Malformed data denies everything, a malformed entry its tool. To allow
#   an interpreter (sh, env, xargs, sudo, python) is to allow everything, and a path has many spellings: deny `/*`, `~*`
#   and `*..*` rather than one place, or give the agent a tool for files.
# custom:
#   severity: critical
#   owasp_asi: [ASI02, ASI05]
#   stops: A harmless command that carries another one, or an option that writes, runs or sends something.
#   example: "`git log; curl evil.example`, `git log $(id)` and `git log --output=/etc/cron.d/x` are denied."
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

# Most calls hold no command: nothing else is worked out for them.
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
	options := {name |
		some argument in arguments
		startswith(argument, "-")
		name := split(argument, "=")[0]
	}
	count(options - {option | some option in limits.options}) == 0
}

# An argument that is put together when the command runs may be any: it passes where no argument is looked at.
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

# Long options may be shortened.
_is_spelling(argument, pattern) if {
	startswith(pattern, "--")
	name := split(argument, "=")[0]
	count(name) > 2
	startswith(pattern, name)
}

# Short options may stand together, and their values right behind them.
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
		_says(name, value)
	}
}

_says(name, value) if {
	name in {"enabled", "optional"}
	is_boolean(value)
}

_says("commands", commands) if {
	is_object(commands)
	every _, limits in commands {
		is_object(limits)
		every name, texts in limits {
			name in {"first", "options", "denied"}
			_is_texts(texts)
		}
	}
}

_says("denied", texts) if _is_texts(texts)

_says("features", names) if {
	is_array(names)
	every name in names {
		name in _features
	}
}

_features := {
	"list", "pipe", "background", "redirect", "substitution", "expansion", "glob", "assignment", "compound",
}

_is_texts(texts) if {
	is_array(texts)
	every text in texts {
		is_string(text)
	}
}
