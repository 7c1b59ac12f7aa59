# METADATA
# title: What leaves the house needs a person's approval
# description: >-
#   Asks before a tool with the label `sends-external` runs, unless every recipient is known. Recipients are the
#   addresses that a parser read (the tool's `parse: recipients`); one that it could not read is unknown. Known are
#   `addresses` and `domains` (with a dot: what is below it) to everybody, the user's own addresses (`self`), those of a
#   team the user is in (`teams`), and the user's `contacts`. `known` lists the values an argument may have that holds
#   recipients of another kind. Without data nobody is known; `enabled: false` switches the rule off. Malformed data
#   denies everything.
# custom:
#   severity: high
#   owasp_asi: [ASI01, ASI02, ASI09]
#   stops: An agent that mails what it read to somebody it was told about by a stranger.
#   example: A mail to the user's own team goes out; one that also goes to eve@example.net asks.
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

# What stands in an argument whose every value is listed is known as it stands there.
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

# All recipients that were read are known one by one, so also those of this argument.
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
	not _says(name, value)
}

_says("enabled", value) if is_boolean(value)

_says("addresses", value) if _is_texts(value)

_says("domains", value) if _is_texts(value)

_says("self", lists) if _is_lists(lists)

_says("contacts", lists) if _is_lists(lists)

_says("teams", teams) if {
	is_array(teams)
	every team in teams {
		_is_texts(team.users)
		count(object.keys(team) - {"users", "addresses", "domains"}) == 0
		_is_texts(object.get(team, "addresses", []))
		_is_texts(object.get(team, "domains", []))
	}
}

_says("known", entries) if {
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
