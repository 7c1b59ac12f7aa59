# METADATA
# title: A call is allowed only where a grant covers it
# description: >-
#   Allows a call that a grant in data.config.allow_listed covers. A grant names who (tenants, agents, users, roles)
#   and what (tools, labels), at least one of each; the call must match all that it names, and "*" matches
#   everything. Labels match when the tool has labels and the grant names every one of them. `where` narrows the
#   grant to arguments: each of its conditions points `at` an argument (a JSON Pointer through objects) and says what
#   its value must be: `equals`, `one_of`, `min`, `max`, `prefix` (of a text without "..", "\" and "%"), `domain_of`
#   (of addresses and URLs that a parser read there) or `only` (the object has no other members). `equals` compares a
#   list as a whole; every other condition must hold for each value of a list, and the list must not be empty. A
#   condition on an absent argument holds only with `optional: true`. A grant with an unknown member covers nothing.
#   Without data nothing is allowed.
# custom:
#   severity: high
#   owasp_asi: [ASI02, ASI03]
#   stops: An agent that calls a tool, or passes an argument, that was not granted to it.
#   example: The clerk may pay up to 50 euros to two suppliers, and nothing else.
#   restricts: {"/*/where/*/at": argument}
#   widens:
#     "/*/tools/*": tool
#     "/*/labels/*": label
#     "/*/tenants/*": tenant
#     "/*/agents/*": agent
#     "/*/users/*": user
#     "/*/roles/*": role
#   data: |
#     allow_listed:
#       - roles: [support]
#         labels: [reads-private]
#       - agents: [clerk]
#         tools: [pay]
#         where:
#           - {at: "", only: [payee, amount, reference]}
#           - {at: /payee, one_of: [ACME Ltd, Paper & Co]}
#           - {at: /amount, min: 0, max: 50}
#           - {at: /reference, prefix: INV-, optional: true}
#       - agents: [clerk]
#         tools: [send_mail]
#         where:
#           - {at: /to, domain_of: [example.com, .example.org]} # with a dot: what is below it
package interlock.rules.allow_listed

allow contains "A grant covers this call." if {
	some grant in data.config.allow_listed
	_covers(grant)
}

# What a grant says about arguments is not looked at: some call of this tool may be covered.
offers contains "A grant covers this tool." if {
	some grant in data.config.allow_listed
	is_object(grant)
	_covers(object.remove(grant, ["where"]))
}

# A condition with a misspelt name must not be ignored: only the names below are valid.
_covers(grant) if {
	_has_who(grant)
	_has_what(grant)
	every condition, names in grant {
		_holds(condition, names)
	}
}

_has_who(grant) if grant.tenants

_has_who(grant) if grant.agents

_has_who(grant) if grant.users

_has_who(grant) if grant.roles

_has_what(grant) if grant.tools

_has_what(grant) if grant.labels

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

_holds("where", conditions) if {
	is_array(conditions)
	every condition in conditions {
		_is_met(condition)
	}
}

_among(name, names) if name in names

_among(_, names) if "*" in names

_is_met(condition) if {
	checks := object.remove(condition, ["at", "optional"])
	count(checks) > 0
	value := _at(condition.at)
	not is_set(value)
	every check, wanted in checks {
		_fits(check, wanted, value, condition.at)
	}
}

_is_met(condition) if {
	checks := object.remove(condition, ["at", "optional"])
	count(checks) > 0
	object.keys(checks) - _checks == set()
	condition.optional == true
	is_set(_at(condition.at))
}

_checks := {"equals", "one_of", "min", "max", "prefix", "domain_of", "only"}

# Arguments are JSON, which has no sets: a set stands for an absent value.
_at("") := input.arguments

_at(pointer) := object.get(input.arguments, path, set()) if {
	startswith(pointer, "/")
	count(split(pointer, "/")) <= 64
	path := [replace(replace(token, "~1", "/"), "~0", "~") | some token in array.slice(split(pointer, "/"), 1, 64)]
}

_fits("equals", wanted, value, _) if value == wanted

_fits("domain_of", domains, value, at) if {
	_is_all_text(value)
	_stays_within(domains, at)
}

_fits(check, wanted, value, _) if {
	check in {"one_of", "min", "max", "prefix", "only"}
	not is_array(value)
	_fits_one(check, wanted, value)
}

_fits(check, wanted, values, _) if {
	check in {"one_of", "min", "max", "prefix", "only"}
	is_array(values)
	count(values) > 0
	every value in values {
		_fits_one(check, wanted, value)
	}
}

_fits_one("one_of", wanted, value) if {
	is_array(wanted)
	value in wanted
}

_fits_one("min", bound, value) if {
	is_number(bound)
	is_number(value)
	value >= bound
}

_fits_one("max", bound, value) if {
	is_number(bound)
	is_number(value)
	value <= bound
}

# A text with "..", "\" or "%" may lead to another place than its prefix says.
_fits_one("prefix", prefix, value) if {
	_is_whole(prefix)
	startswith(value, prefix)
	not contains(value, "..")
	not contains(value, "\\")
	not contains(value, "%")
}

_fits_one("only", names, value) if {
	is_object(value)
	is_array(names)
	object.keys(value) - {name | some name in names} == set()
}

# "https://example.com" is also a prefix of "https://example.com.evil.net".
_is_whole(prefix) if not contains(prefix, "://")

_is_whole(prefix) if count(split(prefix, "/")) > 3

_stays_within(domains, at) if {
	facts := [fact | some fact in array.concat(input.facts.recipients, input.facts.destinations); _is_at(fact, at)]
	count(facts) > 0
	every fact in facts {
		some domain in domains
		_is_of(object.get(fact, "domain", object.get(fact, "host", "")), domain)
	}
}

# A parser reads texts and ignores any other value.
_is_all_text(value) if is_string(value)

_is_all_text(values) if {
	is_array(values)
	every value in values {
		is_string(value)
	}
}

_is_at(fact, at) if fact.at == at

_is_at(fact, at) if startswith(fact.at, $"{at}/")

_is_of(name, domain) if {
	name != ""
	name == domain
}

_is_of(name, domain) if {
	startswith(domain, ".")
	endswith(name, domain)
}
