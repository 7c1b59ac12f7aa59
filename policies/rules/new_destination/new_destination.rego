# METADATA
# title: A call to a new destination counts as sending
# description: >-
#   Asks before a call goes to a URL from its arguments whose origin the session has not been to, whatever the method:
#   a GET carries data away in its query, its path and its very host name, and a first visit without data would make the
#   destination an old one. A URL that a parser cannot read is new. The tool's own target was chosen by the operator;
#   with `own_targets: true` it asks too, where it is new and carries data. `known` lists origins
#   (`https://host`, `https://host:port`) and hosts (with a dot: what is below it) that need no approval.
#   Without data the rule is on; `enabled: false` switches it off. Malformed data denies everything.
# custom:
#   severity: high
#   owasp_asi: [ASI01, ASI02]
#   stops: An agent that fetches https://evil.example/?q=<what it just read>, because a page told it to.
#   example: fetch of https://docs.example.com asks once in a session; a person approves, and later fetches go through.
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
	not _says(name, value)
}

_says("enabled", value) if is_boolean(value)

_says("own_targets", value) if is_boolean(value)

_says("known", value) if {
	is_array(value)
	every known in value {
		is_string(known)
		count(known) > 1
	}
}
