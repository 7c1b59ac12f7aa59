# METADATA
# title: A call that changes something in production needs a person's approval
# description: >-
#   Asks before a tool that acts runs in production: where the tool's own environment, or that of the gateway, is
#   among `environments` ([production]). A tool acts if one of its labels is among `labels` ([writes, destructive,
#   spends, sends-external]), or if it has no labels at all, because then nobody said what it does. `except` names
#   tools that need no approval. Without data the rule is on; `enabled: false` switches it off. Malformed data denies
#   everything.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI03, ASI08]
#   stops: An agent that tries an idea on the production database.
#   example: set_price on the production shop asks; on the staging shop it does not.
#   restricts: {"/labels/*": label, "/environments/*": environment}
#   widens: {"/except/*": tool}
#   data: |
#     production_asks:
#       environments: [production, live]
#       labels: [writes, destructive, spends, sends-external]
#       except: [add_comment]
#       enabled: true
package interlock.rules.production_asks

deny contains "The data of this rule is malformed." if _malformed

ask contains "This call acts in production, so a person must approve it." if {
	not input.approval
	_acts
	_in_production
	not _switched_off
	not _excepted
}

default _config := {}

_config := data.config.production_asks

_switched_off if _config.enabled == false

_environments := object.get(_config, "environments", ["production"])

_in_production if input.tool.environment in _environments

_in_production if input.context.environment in _environments

_acts if count(input.tool.labels) == 0

_acts if {
	some label in input.tool.labels
	label in object.get(_config, "labels", ["writes", "destructive", "spends", "sends-external"])
}

_excepted if input.tool.name in _config.except

_malformed if not is_object(_config)

_malformed if {
	some name, value in _config
	not _is_valid(name, value)
}

_is_valid("enabled", value) if is_boolean(value)

_is_valid("environments", value) if is_array(value)

_is_valid("labels", value) if is_array(value)

_is_valid("except", value) if is_array(value)
