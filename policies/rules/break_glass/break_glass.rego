# METADATA
# title: A person may break the glass
# description: >-
#   While a person holds an emergency open for this agent and tool, allows the call and obliges everybody to announce it;
#   `main` answers every ask with it and notes which. Denials stand. The audit's note names the emergency, who opened it,
#   why, and until when. An emergency that is over, one of a tool among `never`, and any at all with `enabled: false`
#   denies the call instead. Without data any tool may have an emergency; malformed data denies everything.
# custom:
#   severity: critical
#   owasp_asi: [ASI03, ASI09]
#   stops: Nothing; it is the one way past the asks, and leaves a trace that nobody overlooks.
#   example: The shop is down at night; Ada opens an emergency for restart_service for an hour, with her reason.
#   data: |
#     break_glass:
#       never: [pay, drop_table]
#       enabled: true
package interlock.rules.break_glass

deny contains "The emergency is over." if {
	input.emergency
	not _lasts
}

deny contains "No emergency is taken for this tool." if {
	input.emergency
	_never
}

deny contains "The data of this rule is malformed." if _malformed

allow contains "A person opened an emergency for this tool." if _open

obligations contains {"name": "announce"} if _open

notes contains note if {
	_open
	emergency := input.emergency

	# A note holds a thousand characters.
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
	not _says(name, value)
}

_says("never", value) if is_array(value)

_says("enabled", value) if is_boolean(value)
