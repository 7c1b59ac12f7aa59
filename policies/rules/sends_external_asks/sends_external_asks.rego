# METADATA
# title: Sending to an unknown recipient needs a person's approval
# description: >-
#   Asks before a tool with the label `sends-external` runs, unless every recipient is known. Recipients are the
#   addresses that a parser read (the tool's `parse: recipients`); one that it could not read is unknown. Known to
#   everybody are `addresses` and `domains` (with a leading dot: their subdomains); known to a user are the user's
#   own addresses (`self`), those of the user's teams (`teams`), and the user's `contacts`. `known` lists the values
#   of an argument that holds recipients of another kind. Without data nobody is known; `enabled: false` switches the
#   rule off. Malformed data denies everything.
# custom:
#   severity: high
#   owasp_asi: [ASI01, ASI02, ASI09]
#   stops: An agent that mails what it read to an address that a stranger gave it.
#   example: A mail to the user's own team is allowed; one that also goes to eve@example.net asks.
#   widens:
#     "/self/*": user
#     "/teams/*/users/*": user
#     "/contacts/*": user
#     "/known/*/tool": tool
#     "/known/*/argument": argument
#   data: |
#     sends_external_asks:
#       addresses: [office@example.com]
#       domains: [example.com, .example.org]
#       self: {ada: [ada@home.example]}
#       teams:
#         - {users: [ada, bob], addresses: [ada@partner.example], domains: [team.example]}
#       contacts: {ada: [supplier@example.net]}
#       known:
#         - {tool: post_message, argument: channel, values: ["#orders"]}
#       enabled: true
package interlock.rules.sends_external_asks

deny contains "The data of this rule is malformed." if _malformed

ask contains "This call sends something outward, so a person must approve it." if {
	not input.approval
	"sends-external" in input.tool.labels
	not _switched_off
	not _recipients_known
}

default _config := {}

_config := data.config.sends_external_asks

_switched_off if _config.enabled == false

_recipients_known if {
	count(_arguments) + count(input.facts.recipients) > 0
	every recipient in input.facts.recipients {
		_is_known(recipient)
	}
	every argument in _arguments {
		_is_settled(argument)
	}
}

_is_known(recipient) if {
	some list in _lists
	recipient.address in object.get(list, "addresses", [])
}

_is_known(recipient) if {
	some list in _lists
	some domain in object.get(list, "domains", [])
	_is_of(recipient.domain, domain)
}

# An argument whose every value is listed is known as it is.
_is_known(recipient) if {
	some argument in _arguments
	_is_in(recipient, argument)
	_is_listed(argument)
}

_is_of(name, domain) if name == domain

_is_of(name, domain) if {
	startswith(domain, ".")
	endswith(name, domain)
}

_lists contains {"addresses": _config.addresses}

_lists contains {"domains": _config.domains}

_lists contains {"addresses": _config.self[input.subject.user]}

_lists contains {"addresses": _config.contacts[input.subject.user]}

_lists contains team if {
	some team in _config.teams
	input.subject.user in team.users
}

_arguments contains entry.argument if {
	some entry in _config.known
	entry.tool == input.tool.name
}

_is_settled(argument) if _is_listed(argument)

# Every recipient that was read is known, so those of this argument are too.
_is_settled(argument) if {
	some recipient in input.facts.recipients
	_is_in(recipient, argument)
}

_is_in(recipient, argument) if recipient.at == $"/{argument}"

_is_in(recipient, argument) if startswith(recipient.at, $"/{argument}/")

_is_listed(argument) if {
	values := {value |
		some entry in _config.known
		entry.tool == input.tool.name
		entry.argument == argument
		some value in entry.values
	}
	recipients := _texts(input.arguments[argument])
	count(recipients) > 0
	every recipient in recipients {
		recipient in values
	}
}

_texts(value) := [value] if is_string(value)

_texts(value) := value if is_array(value)

_malformed if not is_object(_config)

_malformed if {
	some name, value in _config
	not _is_valid(name, value)
}

_is_valid("enabled", value) if is_boolean(value)

_is_valid("addresses", value) if _is_texts(value)

_is_valid("domains", value) if _is_texts(value)

_is_valid("self", lists) if _is_lists(lists)

_is_valid("contacts", lists) if _is_lists(lists)

_is_valid("teams", teams) if {
	is_array(teams)
	every team in teams {
		_is_texts(team.users)
		count(object.keys(team) - {"users", "addresses", "domains"}) == 0
		_is_texts(object.get(team, "addresses", []))
		_is_texts(object.get(team, "domains", []))
	}
}

_is_valid("known", entries) if {
	is_array(entries)
	every entry in entries {
		count(entry) == 3
		is_string(entry.tool)
		is_string(entry.argument)
		_is_texts(entry.values)
	}
}

_is_lists(lists) if {
	is_object(lists)
	every list in lists {
		_is_texts(list)
	}
}

_is_texts(list) if {
	is_array(list)
	every text in list {
		is_string(text)
		text != ""
	}
}
