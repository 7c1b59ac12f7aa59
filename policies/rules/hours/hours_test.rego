package interlock.rules.hours_test

import data.interlock.rules.hours

_entry := {
	"tools": ["pay"],
	"zone": "Europe/Berlin",
	"open": [
		{"weekdays": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:30"},
		{"weekdays": [6], "from": "09:00", "to": "24:00"},
	],
	"holidays": ["2026-01-01"],
}

_at(date, weekday, minute) := {
	"tool": {"name": "pay"},
	"context": {"local": {"Europe/Berlin": {"date": date, "weekday": weekday, "minuteOfDay": minute}}},
}

_result(call, entries) := result if {
	result := {"deny": hours.deny, "ask": hours.ask} with input as call
		with data.config as {"zones": ["Europe/Berlin"], "hours": entries}
}

_closed := {"deny": {"This tool is not open at this hour."}, "ask": set()}

_asked := {"deny": set(), "ask": {"This tool is not open at this hour, so a person must approve the call."}}

_silent := {"deny": set(), "ask": set()}

_malformed := {"deny": {"The data of this rule is malformed."}, "ask": set()}

test_denies_outside_its_hours if {
	_result(_at("2026-01-14", 3, 479), [_entry]) == _closed
	_result(_at("2026-01-14", 3, 1110), [_entry]) == _closed
	_result(_at("2026-01-17", 6, 539), [_entry]) == _closed
	_result(_at("2026-01-18", 7, 720), [_entry]) == _closed
}

_until(call, entries) := texts if {
	texts := hours.until with input as call with data.config as {"zones": ["Europe/Berlin"], "hours": entries}
}

_opens(text) := {concat(" ", ["from", text, "Europe/Berlin"])}

test_says_when_it_opens_next if {
	_until(_at("2026-01-14", 3, 479), [_entry]) == _opens("Wednesday 08:00")
	_until(_at("2026-01-14", 3, 1110), [_entry]) == _opens("Thursday 08:00")
	_until(_at("2026-01-17", 6, 539), [_entry]) == _opens("Saturday 09:00")
	_until(_at("2026-01-18", 7, 720), [_entry]) == _opens("Monday 08:00")
	every_day := object.union(_entry, {"open": [{"from": "10:00", "to": "11:00"}]})
	_until(_at("2026-01-18", 7, 720), [every_day]) == _opens("Monday 10:00")
}

test_says_nothing_of_a_tool_that_is_open_or_asks_or_never_opens if {
	_until(_at("2026-01-14", 3, 480), [_entry]) == set()
	_until(_at("2026-01-18", 7, 720), [object.union(_entry, {"outside": "ask"})]) == set()
	_until(_at("2026-01-18", 7, 720), [object.union(_entry, {"open": []})]) == set()
	_until({"tool": {"name": "pay"}, "context": {"local": {}}}, [_entry]) == set()
}

test_passes_over_holidays_across_the_ends_of_months if {
	_until(_at("2025-12-31", 3, 1200), [_entry]) == _opens("Friday 08:00")
	leap := object.union(_entry, {"holidays": ["2028-02-29"]})
	_until(_at("2028-02-28", 1, 1200), [leap]) == _opens("Wednesday 08:00")
	spring := object.union(_entry, {"holidays": ["2026-03-02"]})
	_until(_at("2026-02-28", 6, 1440), [spring]) == _opens("Tuesday 08:00")
}

test_names_the_date_where_the_next_day_of_that_name_is_closed if {
	mondays := object.union(_entry, {
		"open": [{"weekdays": [1], "from": "08:00", "to": "18:00"}],
		"holidays": ["2026-01-19"],
	})
	_until(_at("2026-01-18", 7, 720), [mondays]) == _opens("Monday 2026-01-26 08:00")
}

test_denies_on_a_holiday if {
	_result(_at("2026-01-01", 4, 720), [_entry]) == _closed
}

test_denies_without_a_local_time if {
	_result({"tool": {"name": "pay"}, "context": {"local": {}}}, [_entry]) == _closed
	_result({"tool": {"name": "pay"}}, [_entry]) == _closed
}

test_every_entry_of_the_tool_must_be_open if {
	_result(_at("2026-01-14", 3, 720), [_entry, object.union(_entry, {"tools": ["*"], "open": []})]) == _closed
}

test_asks_outside_its_hours_where_that_is_wanted if {
	entry := object.union(_entry, {"outside": "ask"})
	_result(_at("2026-01-18", 7, 720), [entry]) == _asked
	approved := object.union(_at("2026-01-18", 7, 720), {"approval": {"person": "bob", "resolvedAt": 1}})
	_result(approved, [entry]) == _silent
}

test_denies_everything_while_its_data_is_malformed if {
	call := object.union(_at("2026-01-14", 3, 720), {"tool": {"name": "read_order"}})
	_result(call, {"pay": []}) == _malformed
	_result(call, ["pay"]) == _malformed
	_result(call, [object.remove(_entry, ["tools"])]) == _malformed
	_result(call, [object.union(_entry, {"tools": "pay"})]) == _malformed
}

test_denies_a_tool_while_its_entry_is_malformed if {
	call := _at("2026-01-14", 3, 720)
	_result(call, [object.remove(_entry, ["open"])]) == _malformed
	_result(call, [object.union(_entry, {"tools": ["*"], "open": [{}]})]) == _malformed
	_result(call, [object.union(_entry, {"zone": "Europe/Paris"})]) == _malformed
	_result(call, [object.union(_entry, {"outside": "allow"})]) == _malformed
	_result(call, [object.union(_entry, {"holiday": []})]) == _malformed
	_result(call, [object.union(_entry, {"holidays": ["1.1.2026"]})]) == _malformed
	every window in [
		{},
		{"from": "8:00", "to": "18:00"},
		{"from": "08:00"},
		{"from": "18:00", "to": "08:00"},
		{"from": "08:00", "to": "24:01"},
		{"from": "08:00", "to": "1x:00"},
		{"from": 8, "to": 18},
		{"from": "08:00", "to": "18:00", "weekdays": [0]},
		{"from": "08:00", "to": "18:00", "days": [1]},
	] {
		_result(call, [object.union(_entry, {"open": [window]})]) == _malformed
	}
}

test_returns_nothing_while_open if {
	_result(_at("2026-01-14", 3, 480), [_entry]) == _silent
	_result(_at("2026-01-14", 3, 1109), [_entry]) == _silent
	_result(_at("2026-01-17", 6, 1439), [_entry]) == _silent
	_result(_at("2026-01-18", 7, 0), [object.union(_entry, {"open": [{"from": "00:00", "to": "24:00"}]})]) == _silent
}

test_returns_nothing_for_other_tools_or_without_data if {
	other := object.union(_at("2026-01-18", 7, 720), {"tool": {"name": "read_order"}})
	_result(other, [_entry]) == _silent
	_result(other, [object.remove(_entry, ["open"])]) == _silent
	hours.deny == set() with input as _at("2026-01-18", 7, 720) with data.config as {}
}
