# METADATA
# title: An agent calls only from its own networks
# description: >-
#   Where entries of data.config.origin_allowed name the agent ("*" for all; narrowed by `tenants`), denies a call
#   whose network address is in none of their `networks` (CIDR, IPv4 and IPv6), or is not known. An IPv4 address that
#   is written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address. Agents that no entry names may call from everywhere.
#   Without data the rule returns nothing. Malformed data denies everything, a malformed entry denies the agents that
#   it names.
# custom:
#   severity: high
#   owasp_asi: [ASI03]
#   stops: A stolen agent key that is used from another network.
#   example: The clerk's key works from the office network and from nowhere else.
#   restricts: {"/*/agents/*": agent, "/*/tenants/*": tenant}
#   data: |
#     origin_allowed:
#       - agents: [clerk]
#         networks: [192.0.2.0/24, "2001:db8::/32"]
#       - agents: ["*"]
#         tenants: [acme]
#         networks: [10.0.0.0/8]
package interlock.rules.origin_allowed

deny contains "Calls of this agent are not allowed from here." if {
	count(_entries) > 0
	not _allowed
}

deny contains "The data of this rule is malformed." if _malformed

_entries := [entry | some entry in _usable; _among(input.subject.tenant, object.get(entry, "tenants", ["*"]))]

_usable := [entry | some entry in _about; _well_formed(entry)]

# An entry that does not name its agents applies to every agent.
_about := [entry | some entry in data.config.origin_allowed; not _of_others(entry)]

_of_others(entry) if {
	is_array(entry.agents)
	not _among(input.subject.agent, entry.agents)
}

_allowed if {
	some entry in _entries
	some network in entry.networks
	net.cidr_contains(network, _address)
}

_address := trim_prefix(lower(input.context.origin.address), "::ffff:") if contains(input.context.origin.address, ".")

_address := input.context.origin.address if not contains(input.context.origin.address, ".")

_malformed if {
	entries := data.config.origin_allowed
	not is_array(entries)
}

_malformed if count(_usable) < count(_about)

_well_formed(entry) if {
	count(object.keys(entry) - {"agents", "tenants", "networks"}) == 0
	is_array(entry.agents)
	is_array(object.get(entry, "tenants", []))
	is_array(entry.networks)
	every network in entry.networks {
		_is_network(network)
	}
}

# A network contains itself; a text that is not a network contains nothing.
_is_network(network) if {
	net.cidr_contains(network, network)
	not startswith(lower(network), "::ffff:")
}

_among(name, names) if name in names

_among(_, names) if "*" in names
