package interlock.rules.server_values_test

import data.interlock.rules.server_values

_config := {
	"tools": {"place_order": [
		{"at": "/customer/id", "subject": "user"},
		{"at": "/currency", "is": "EUR"},
		{"each": "/items", "at": "/unit_price", "catalogue": "prices", "key": "/sku"},
	]},
	"catalogues": {"prices": {"A-1": 19.9, "B-2": 5, "free": false}},
}

_order := {
	"customer": {"id": "ada"},
	"currency": "EUR",
	"items": [{"sku": "A-1", "unit_price": 19.90}, {"sku": "B-2", "unit_price": 5}],
}

_call(arguments) := {
	"subject": {"agent": "shop", "user": "ada", "tenant": "acme"},
	"tool": {"name": "place_order"},
	"arguments": arguments,
}

_with(change) := _call(object.union(_order, change))

_result(call, config) := result if result := server_values.deny with input as call with data.config.server_values as config

_denied := {"An argument is missing, or is not the server's own value."}

_malformed := {"The data of this rule is malformed."}

_field(field) := {"tools": {"place_order": [field]}, "catalogues": {"prices": {"A-1": 19.9}}}

test_denies_a_price_that_the_model_chose if {
	_result(_with({"items": [{"sku": "A-1", "unit_price": 0.01}]}), _config) == _denied
	_result(_with({"items": [{"sku": "A-1", "unit_price": "19.9"}]}), _config) == _denied
	_result(_with({"items": [{"sku": "B-2", "unit_price": 5}, {"sku": "A-1", "unit_price": 5}]}), _config) == _denied
}

test_denies_what_the_catalogue_does_not_hold if {
	_result(_with({"items": [{"sku": "C-3", "unit_price": 0}]}), _config) == _denied
	_result(_with({"items": [{"sku": ["A-1"], "unit_price": 19.9}]}), _config) == _denied
	_result(_with({"items": [{"unit_price": 19.9}]}), _config) == _denied
}

test_denies_another_identity_than_the_callers if {
	_result(_with({"customer": {"id": "eve"}}), _config) == _denied
	_result(_with({"customer": {"id": ["ada"]}}), _config) == _denied
	_result(_with({"customer": {"id": "ADA"}}), _config) == _denied
}

test_denies_a_field_that_is_missing_or_of_another_shape if {
	every name in ["customer", "currency", "items"] {
		_result(_call(object.remove(_order, [name])), _config) == _denied
	}
	_result(_with({"currency": null}), _config) == _denied
	_result(_with({"items": [{"sku": "A-1"}]}), _config) == _denied
	_result(_with({"items": {"sku": "A-1", "unit_price": 19.9}}), _config) == _denied
	_result(_with({"items": ["A-1"]}), _config) == _denied
	_result({"tool": {"name": "place_order"}, "arguments": _order}, _config) == _denied
	_result({"tool": {"name": "place_order"}}, _config) == _denied
}

test_denies_everything_while_its_data_is_malformed if {
	other := object.union(_call({}), {"tool": {"name": "other"}})
	every config in [
		[],
		"place_order",
		{"catalogues": {}},
		{"tools": []},
		{"tools": {}, "catalogs": {}},
		{"tools": {}, "catalogues": {"prices": [19.9]}},
	] {
		_result(other, config) == _malformed
	}
}

test_denies_a_tool_while_one_of_its_fields_is_malformed if {
	every field in [
		"/customer",
		{"at": "/customer"},
		{"at": "customer", "is": "ada"},
		{"at": 7, "is": "ada"},
		{"at": "/customer", "subject": "roles"},
		{"at": "/customer", "is": "ada", "subject": "user"},
		{"at": "/price", "catalogue": "prices"},
		{"at": "/price", "catalogue": "others", "key": "/sku"},
		{"at": "/price", "catalogue": "prices", "key": "sku"},
		{"each": "items", "at": "/price", "is": 1},
	] {
		_result(_call(_order), _field(field)) == _malformed
	}
	_result(_call(_order), {"tools": {"place_order": {"at": "/currency", "is": "EUR"}}}) == _malformed
}

test_returns_nothing_for_the_servers_own_values if {
	_result(_call(_order), _config) == set()
	_result(_with({"items": []}), _config) == set()
	_result(_with({"items": [{"sku": "free", "unit_price": false}]}), _config) == set()
	_result(_with({"a/b": {"~": null}}), _field({"at": "/a~1b/~0", "is": null})) == set()
	_result(_call(_order), _field({"at": "/currency", "is": "EUR"})) == set()
}

test_returns_nothing_for_other_tools if {
	other := object.union(_call({}), {"tool": {"name": "list_orders"}})
	_result(other, _config) == set()
	server_values.deny == set() with input as _call({}) with data.config as {}
}
