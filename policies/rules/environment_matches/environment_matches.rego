# METADATA
# title: An agent uses only the tools of its own environment
# description: >-
#   Denies a call to a tool of one environment by an agent that is registered for another, or for none. A tool
#   without an environment can be called from all. `reaches` lists the other environments that the agents of one may
#   use. Without data the rule is on; `enabled: false` switches it off. Malformed data denies everything.
# custom:
#   severity: high
#   owasp_asi: [ASI03, ASI08]
#   stops: A test agent that was given the address of the production system.
#   example: An agent registered for staging is denied set_price of the production shop.
#   widens: {"/reaches/*": environment, "/reaches/*/*": environment}
#   data: |
#     environment_matches:
#       reaches: {production: [shared], staging: [shared, test]}
#       enabled: true
package interlock.rules.environment_matches

# It denies whatever the arguments are.
withholds := deny

deny contains "This tool belongs to another environment than the agent." if {
	input.tool.environment
	not _switched_off
	not _matches
}

deny contains "The data of this rule is malformed." if _malformed

_switched_off if data.config.environment_matches.enabled == false

_matches if input.subject.environment == input.tool.environment

_matches if input.tool.environment in data.config.environment_matches.reaches[input.subject.environment]

_malformed if {
	config := data.config.environment_matches
	not is_object(config)
}

_malformed if {
	some name, value in data.config.environment_matches
	not _is_valid(name, value)
}

_is_valid("enabled", value) if is_boolean(value)

_is_valid("reaches", value) if {
	is_object(value)
	every environments in value {
		is_array(environments)
	}
}
