# METADATA
# title: What leaves the house needs a person's approval
# description: >-
#   Asks before a tool with the label `sends-external` runs, unless every recipient is known:
#   data.config.sends_external_asks.known lists a tool, the argument that holds its recipients (a text or a list
#   of texts) and the values that are known. Data with `enabled: false` switches the rule off.
# custom:
#   severity: high
#   owasp_asi: [ASI01, ASI02, ASI09]
package interlock.rules.sends_external_asks

ask contains "This call sends something outward, so a person must approve it." if {
	not input.approval
	"sends-external" in input.tool.labels
	not _switched_off
	not _recipients_known
}

_switched_off if data.config.sends_external_asks.enabled == false

_recipients_known if {
	some entry in data.config.sends_external_asks.known
	entry.tool == input.tool.name
	is_array(entry.values)
	recipients := _texts(input.arguments[entry.argument])
	count(recipients) > 0
	every recipient in recipients {
		recipient in entry.values
	}
}

_texts(value) := [value] if is_string(value)

_texts(value) := value if is_array(value)
