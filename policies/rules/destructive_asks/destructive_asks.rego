# METADATA
# title: A destructive call needs a person's approval
# description: >-
#   Asks before a tool with the label `destructive` runs. Without data it asks for all of them; `except` names tools
#   that need no approval, and `enabled: false` switches the rule off. Malformed data denies everything.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI09]
#   stops: An agent that deletes what cannot be restored.
#   example: delete_order waits until a person has approved this very order.
#   widens: {"/except/*": tool}
#   data: |
#     destructive_asks:
#       except: [delete_draft]
#       enabled: true
package interlock.rules.destructive_asks

deny contains "The data of this rule is malformed." if _malformed

ask contains "This call destroys something, so a person must approve it." if {
	not input.approval
	"destructive" in input.tool.labels
	not _switched_off
	not _excepted
}

_switched_off if data.config.destructive_asks.enabled == false

_excepted if input.tool.name in data.config.destructive_asks.except

_malformed if {
	config := data.config.destructive_asks
	not is_object(config)
}

_malformed if {
	some name, value in data.config.destructive_asks
	not _is_valid(name, value)
}

_is_valid("except", value) if is_array(value)

_is_valid("enabled", value) if is_boolean(value)
