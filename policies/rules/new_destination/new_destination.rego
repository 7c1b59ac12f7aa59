# METADATA
# title: A call to a new destination needs a person's approval
# description: >-
#   Asks before a call goes to a URL from its arguments whose origin this session has not called yet, whatever the
#   method: a GET can send data in its query, its path and its host name, and a first call without data would make
#   the destination a known one. A URL that a parser cannot read counts as new. The operator chose the tool's own
#   target; with `own_targets: true` the rule asks about it too, where it is new and the call sends data. `known`
#   lists origins (`https://host`, `https://host:port`) and hosts (with a leading dot: their subdomains) that need no
#   approval. Without data the rule is on; `enabled: false` switches it off. Malformed data denies everything.
# custom:
#   severity: high
#   owasp_asi: [ASI01, ASI02]
#   stops: An agent that fetches https://evil.example/?q=<what it just read>, because a page told it to.
#   example: The first fetch from https://docs.example.com asks; once a person approved, later ones are allowed.
#   data: |
#     new_destination:
#       known: [https://api.example.com, docs.example.com, .example.org]
#       own_targets: false
#       enabled: true
package interlock.rules.new_destination

deny contains "The data of this rule is malformed." if _malformed

ask contains "This call goes to a new destination, so a person must approve it." if {
	not input.approval
	not _switched_off
	some destination in input.facts.destinations
	_is_new(destination)
}

default _config := {}

_config := data.config.new_destination

_switched_off if _config.enabled == false

_is_new(destination) if destination.readable == false

_is_new(destination) if {
	destination.firstUse
	_is_chosen(destination)
	not _is_known(destination)
}

_is_chosen(destination) if destination.at

_is_chosen(destination) if {
	destination.carries
	_config.own_targets == true
}

_is_known(destination) if {
	some known in _config.known
	known in {destination.origin, destination.host}
}

_is_known(destination) if {
	some known in _config.known
	startswith(known, ".")
	endswith(destination.host, known)
}

_malformed if not is_object(_config)

_malformed if {
	some name, value in _config
	not _is_valid(name, value)
}

_is_valid("enabled", value) if is_boolean(value)

_is_valid("own_targets", value) if is_boolean(value)

_is_valid("known", value) if {
	is_array(value)
	every known in value {
		is_string(known)
		count(known) > 1
	}
}
