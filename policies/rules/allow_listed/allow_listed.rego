# METADATA
# title: Nothing is allowed that was not granted
# description: >-
#   Allows a call that a grant in data.config.allow_listed covers. A grant names who (tenants, agents, users,
#   roles) and what (tools, labels), at least one of each; all that it names must hold, and "*" holds for all.
#   Labels hold when the tool has labels and the grant names every one of them.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI03]
package interlock.rules.allow_listed

allow contains "A grant covers this call." if {
	some grant in data.config.allow_listed
	_covers(grant)
}

_who := {"tenants", "agents", "users", "roles"}

_what := {"tools", "labels"}

# A condition with a misspelt name must not vanish: a grant with a name it does not know covers nothing.
_covers(grant) if {
	named := object.keys(grant)
	count(named - (_who | _what)) == 0
	count(named & _who) > 0
	count(named & _what) > 0
	every condition in named {
		_holds(condition, grant[condition])
	}
}

_holds("tenants", names) if _among(input.subject.tenant, names)

_holds("agents", names) if _among(input.subject.agent, names)

_holds("users", names) if _among(input.subject.user, names)

_holds("roles", names) if {
	some role in input.subject.roles
	_among(role, names)
}

_holds("tools", names) if _among(input.tool.name, names)

_holds("labels", names) if {
	count(input.tool.labels) > 0
	every label in input.tool.labels {
		_among(label, names)
	}
}

_among(name, names) if name in names

_among(_, names) if "*" in names
