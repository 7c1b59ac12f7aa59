# METADATA
# title: What destroys needs a person's approval
# description: >-
#   Asks before a tool with the label `destructive` runs, unless data.config.destructive_asks.except names the
#   tool or data.config.destructive_asks.enabled is false.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI09]
package interlock.rules.destructive_asks

ask contains "This call destroys something, so a person must approve it." if {
	not input.approval
	"destructive" in input.tool.labels
	not _switched_off
	not _excepted
}

_switched_off if data.config.destructive_asks.enabled == false

_excepted if input.tool.name in data.config.destructive_asks.except
