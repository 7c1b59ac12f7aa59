package interlock.rules.shell_arguments_test

import data.interlock.rules.shell_arguments

_entry := {
	"commands": {
		"ls": {},
		"git": {"first": ["log", "status"], "denied": ["--output", "-o", "--ext-diff"]},
		"head": {"options": ["-n", "--lines"]},
		"cat": {"denied": ["/etc/*", "*.pem", "*secret*"]},
	},
	"features": ["pipe"],
}

_call(commands, features) := {
	"tool": {"name": "run"},
	"facts": {"shell": [{"at": "/command", "readable": true, "commands": commands, "features": features}]},
}

_runs(name, arguments) := _call([{"name": name, "arguments": arguments}], [])

_unread := {"tool": {"name": "run"}, "facts": {"shell": [{"at": "/command", "readable": false}]}}

_without := {"tool": {"name": "run"}, "facts": {"shell": []}}

_result(call, entry) := result if {
	result := shell_arguments.deny with input as call with data.config.shell_arguments as {"run": entry}
}

_by_default(call) := result if result := shell_arguments.deny with input as call with data.config as {}

_command := {"The shell of this call runs a command that it may not."}

_feature := {"The shell of this call does more than run simple commands."}

_argument := {"The shell of this call runs a command with an argument that it may not have."}

_malformed := "The data of this rule is malformed."

test_denies_what_cannot_be_read if {
	_by_default(_unread) == {"The shell command of this call cannot be read."}
	_result(_unread, object.union(_entry, {"optional": true})) == {"The shell command of this call cannot be read."}
}

test_denies_every_command_of_a_tool_without_an_entry if {
	_by_default(_runs("ls", [])) == _command
	_result(_runs("ls", []), {}) == _command
}

test_denies_commands_that_are_not_listed if {
	every name in ["curl", "/bin/ls", "LS", "", null] {
		_result(_runs(name, []), _entry) == _command
	}
	commands := [{"name": "ls", "arguments": []}, {"name": "curl", "arguments": ["http://evil.example"]}]
	_result(_call(commands, ["pipe"]), _entry) == _command
}

test_denies_features_that_are_not_listed if {
	ls := [{"name": "ls", "arguments": []}]
	every feature in ["list", "background", "redirect", "substitution", "expansion", "glob", "assignment", "compound"] {
		_result(_call(ls, ["pipe", feature]), _entry) == _feature
	}
	_result(_call([], ["redirect"]), _entry) == _feature
	_result(_call(ls, ["pipe"]), {"commands": {"ls": {}}}) == _feature
}

test_denies_another_first_argument if {
	every arguments in [[], ["push"], ["-C", "log"], ["--exec-path=/tmp", "log"], [null]] {
		_result(_runs("git", arguments), _entry) == _argument
	}
}

test_denies_options_that_are_not_listed if {
	every argument in ["-c", "-n5", "-nc", "--bytes", "--bytes=5", "-"] {
		_result(_runs("head", ["-n", argument, "a"]), _entry) == _argument
	}
	_result(_runs("head", []), {"commands": {"head": {"options": []}}}) == set()
	_result(_runs("head", ["-n"]), {"commands": {"head": {"options": []}}}) == _argument
}

test_denies_arguments_in_every_spelling if {
	every argument in ["--output", "--output=x", "--outp", "--o=x", "-o", "-ox", "-po", "--ext-diff"] {
		_result(_runs("git", ["log", argument]), _entry) == _argument
	}
	every argument in ["-output", "-output=x", "-ext-diff"] {
		_result(_runs("git", ["log", argument]), _entry) == _argument
	}
	every argument in ["/etc/passwd", "/etc/", "key.pem", "my-secrets.txt"] {
		_result(_runs("cat", ["a", argument]), _entry) == _argument
	}
}

test_denies_values_attached_to_something_else if {
	entry := object.union(_entry, {"denied": ["/proc/*", "secret.txt"]})
	every argument in [
		"--file=/proc/1", "if=/proc/1", "-f/proc/1", "-xf/proc/1", "host:/proc/1", "x@/proc/1", "a,/proc/1", "-D=/proc/1",
		"--file=secret.txt", "-fsecret.txt", "-xvfsecret.txt", "host:secret.txt",
	] {
		_result(_runs("ls", [argument]), entry) == _argument
	}
	every argument in ["--file=a/proc/1", "a/proc/1", "--color=secret.txt.gz", "-l"] {
		_result(_runs("ls", [argument]), entry) == set()
	}
}

test_denies_options_that_begin_in_other_ways if {
	every argument in ["+5", "-n=x", "-lines", "--line=5"] {
		_result(_runs("head", [argument]), _entry) == _argument
	}
}

test_denies_arguments_of_every_command_where_the_entry_does if {
	entry := object.union(_entry, {"denied": ["/proc/*"]})
	_result(_runs("ls", ["/proc/1"]), entry) == _argument
	_result(_runs("cat", ["/proc/1"]), entry) == _argument
	_result(_runs("cat", ["/etc/1"]), entry) == _argument
}

test_denies_computed_arguments_where_arguments_are_checked if {
	_result(_runs("git", ["log", null]), _entry) == _argument
	_result(_runs("head", [null]), _entry) == _argument
	_result(_runs("cat", [null]), _entry) == _argument
	_result(_runs("ls", [null]), object.union(_entry, {"denied": ["/proc/*"]})) == _argument
}

test_denies_a_call_without_the_command_its_entry_is_about if {
	none := {"This tool runs a shell, and the call holds no command that could be judged."}
	_result(_without, _entry) == none
	_result({"tool": {"name": "run"}}, _entry) == none
}

test_an_approval_lifts_nothing if {
	call := object.union(_runs("git", ["push"]), {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(call, _entry) == _argument
}

test_denies_everything_while_its_data_is_malformed if {
	shell_arguments.deny == {_malformed} with input as {"tool": {"name": "other"}}
		with data.config.shell_arguments as ["run"]
}

test_denies_a_tool_while_its_entry_is_malformed if {
	every entry in [
		{"commands": ["ls"]},
		{"commands": {"ls": ["-l"]}},
		{"commands": {"ls": {"first": "log"}}},
		{"commands": {"ls": {"allowed": ["-l"]}}},
		{"commands": {"ls": {"denied": [7]}}},
		{"commands": {"ls": {"denied": ["/etc/*.conf"]}}},
		{"commands": {"ls": {}}, "denied": [""]},
		{"command": {"ls": {}}},
		{"commands": {"ls": {}}, "denied": "/etc/*"},
		{"commands": {"ls": {}}, "features": "pipe"},
		{"commands": {"ls": {}}, "features": ["pipes"]},
		{"commands": {"ls": {}}, "optional": "yes"},
	] {
		_malformed in _result(_runs("ls", []), entry)
	}
	every entry in ["ls", ["ls"], false, null] {
		_malformed in _result(_runs("ls", []), entry)
	}
}

test_returns_nothing_for_what_is_named if {
	_result(_runs("ls", ["-la", "a"]), _entry) == set()
	_result(_runs("ls", [null]), _entry) == set()
	_result(_runs("git", ["log", "--oneline", "-p"]), _entry) == set()
	_result(_runs("head", ["-n", "5", "--lines=7", "a"]), _entry) == set()
	_result(_runs("cat", ["a", "etc/b"]), _entry) == set()
	commands := [{"name": "git", "arguments": ["log"]}, {"name": "head", "arguments": []}]
	_result(_call(commands, ["pipe"]), _entry) == set()
	_result(_call(commands, []), _entry) == set()
}

test_returns_nothing_where_there_is_no_shell if {
	_by_default(_without) == set()
	_by_default({"tool": {"name": "run"}}) == set()
	_result(_without, object.union(_entry, {"optional": true})) == set()
}

test_is_switched_off_by_data if {
	_result(_runs("curl", [null]), {"enabled": false}) == set()
	_result(_unread, {"enabled": false}) == set()
	_result(_without, {"enabled": false}) == set()
}
