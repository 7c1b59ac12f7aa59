# METADATA
# title: Prices and identities come from the server, not from the model
# description: >-
#   For each field that data.config.server_values.tools lists for the tool, denies a call whose argument is missing
#   or differs from the server's own value: a property of the authenticated caller (`subject`: agent, user or
#   tenant), a fixed value (`is`), or an entry of a catalogue (`catalogue`, found by the argument `key`). With
#   `each`, a JSON Pointer to a list, `at` and `key` start at each of its elements. Pointers lead through objects,
#   not into lists. A key that the catalogue does not have is denied. Malformed data denies everything, a malformed
#   field denies its tool.
# custom:
#   severity: critical
#   owasp_asi: [ASI02, ASI03]
#   stops: A model that was talked into another price, customer or account than the server knows.
#   example: >-
#     An order for sku A-1 at a unit price of 0.01 is denied, because the catalogue says 19.90; an order for another
#     customer than the one the agent acts for is denied as well.
#   restricts: {"/tools/*": tool, "/tools/*/*/at": argument, "/tools/*/*/each": argument}
#   data: |
#     server_values:
#       tools:
#         place_order:
#           - {at: /customer, subject: user}
#           - {at: /currency, is: EUR}
#           - {each: /items, at: /unit_price, catalogue: prices, key: /sku}
#       catalogues:
#         prices: {A-1: 19.90, B-2: 5}
package interlock.rules.server_values

deny contains "An argument is missing, or is not the server's own value." if {
	some field in _fields
	_well_formed(field)
	not _holds(field)
}

deny contains "The data of this rule is malformed." if _malformed

_fields := data.config.server_values.tools[input.tool.name]

_holds(field) if {
	elements := _elements(field)
	is_array(elements)
	at := _path(field.at)
	key := _path(object.get(field, "key", "/"))
	every element in elements {
		_value(element, at) == _own(field, element, key)
	}
}

_elements(field) := [input.arguments] if not field.each

_elements(field) := _value(input.arguments, _path(field.each))

_own(field, _, _) := input.subject[field.subject]

_own(field, _, _) := field.is

_own(field, element, key) := data.config.server_values.catalogues[field.catalogue][_value(element, key)]

_value(element, path) := value if {
	# Arguments are JSON, which has no sets: a set stands for an absent value.
	value := object.get(element, path, set())
	not is_set(value)
}

_path(pointer) := [token |
	some escaped in array.slice(split(pointer, "/"), 1, 64)
	token := replace(replace(escaped, "~1", "/"), "~0", "~")
]

_malformed if {
	config := data.config.server_values
	not _is_config(config)
}

_malformed if {
	fields := _fields
	not is_array(fields)
}

_malformed if {
	some field in _fields
	not _well_formed(field)
}

_is_config(config) if {
	count(object.keys(config) - {"tools", "catalogues"}) == 0
	is_object(config.tools)
	every _, catalogue in object.get(config, "catalogues", {}) {
		is_object(catalogue)
	}
}

_well_formed(field) if {
	_is_pointer(field.at)
	_is_pointer(object.get(field, "each", "/"))
	_is_source(object.remove(field, ["at", "each"]))
}

_is_source({"subject": name}) if name in {"agent", "user", "tenant"}

_is_source(source) if object.keys(source) == {"is"}

_is_source(source) if {
	object.keys(source) == {"catalogue", "key"}
	data.config.server_values.catalogues[source.catalogue]
	_is_pointer(source.key)
}

_is_pointer(pointer) if {
	startswith(pointer, "/")
	count(split(pointer, "/")) <= 64
}
