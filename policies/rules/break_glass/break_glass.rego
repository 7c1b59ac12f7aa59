# METADATA
# title: A person can open an emergency (break-glass)
# description: >-
#   While a person holds an emergency open for this agent and tool, allows the call and adds the obligation to
#   announce it; `main` passes over every ask and notes which. Denials stand. The audit's note names the emergency,
#   who opened it, why, and until when. A call under an emergency is denied instead when the emergency is over, when
#   the tool is among `never`, and with `enabled: false`. Without data an emergency can be opened for any tool;
#   malformed data denies everything.
# custom:
#   severity: critical
#   owasp_asi: [ASI03, ASI09]
#   stops: Nothing; it is the only way past the asks, and the audit shows each use.
#   example: The shop is down at night; Ada opens an emergency for restart_service for an hour, with her reason.
#   restricts: {"/never/*": tool}
#   data: |
#     break_glass:
#       never: [pay, drop_table]
#       enabled: true
package interlock.rules.break_glass

deny contains "The emergency is over." if {
	input.emergency
	not _lasts
}

deny contains "An emergency cannot be opened for this tool." if {
	input.emergency
	_never
}

deny contains "The data of this rule is malformed." if _malformed

allow contains "A person opened an emergency for this tool." if _open

obligations contains {"name": "announce"} if _open

notes contains note if {
	_open
	emergency := input.emergency

	# A note has at most a thousand characters.
	reason := substring(emergency.reason, 0, 300)
	note := $"Emergency {emergency.id}, opened by {emergency.by} until {emergency.expiresAt} (ms since 1970): {reason}"
}

_open if {
	is_object(input.emergency)
	_lasts
	not _never
}

_lasts if input.emergency.expiresAt > input.context.epochMs

_never if data.config.break_glass.enabled == false

_never if input.tool.name in data.config.break_glass.never

_malformed if {
	config := data.config.break_glass
	not is_object(config)
}

_malformed if {
	some name, value in data.config.break_glass
	not _is_valid(name, value)
}

_is_valid("never", value) if is_array(value)

_is_valid("enabled", value) if is_boolean(value)
