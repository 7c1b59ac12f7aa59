# METADATA
# title: A tool can be called only during its hours
# description: >-
#   For each entry of data.config.hours whose `tools` name the tool ("*" for all): outside its `open` windows, and on
#   its `holidays`, a call is denied, or asks with `outside: ask`. A window is open on `weekdays` (1 is Monday; all
#   when left out) from `from` until before `to`, by the local time of `zone`, which must also be listed in
#   data.config.zones. Where the local time is not known, the tool is closed. Without data a tool is open at all
#   hours. Malformed data denies everything, a malformed entry denies the tools that it names.
# custom:
#   severity: medium
#   owasp_asi: [ASI02, ASI10]
#   stops: A transfer at three in the morning, when nobody would notice it.
#   example: Payments run on weekdays from 8 to 18 o'clock in Berlin, not on New Year's Day.
#   restricts: {"/*/tools/*": tool, "/*/zone": zone}
#   data: |
#     zones: [Europe/Berlin]
#     hours:
#       - tools: [pay]
#         zone: Europe/Berlin
#         open:
#           - {weekdays: [1, 2, 3, 4, 5], from: "08:00", to: "18:00"}
#           - {weekdays: [6], from: "09:00", to: "24:00"}
#         holidays: ["2026-01-01", "2026-12-25"]
#         outside: deny # or ask
package interlock.rules.hours

deny contains "This tool is not open at this hour." if {
	some entry in _closed
	object.get(entry, "outside", "deny") == "deny"
}

deny contains "The data of this rule is malformed." if _malformed

ask contains "This tool is not open at this hour, so a person must approve the call." if {
	not input.approval
	some entry in _closed
	entry.outside == "ask"
}

_closed contains entry if {
	some entry in _usable
	not _open(entry)
}

_open(entry) if {
	now := input.context.local[entry.zone]
	not _is_holiday(entry, now.date)
	some window in entry.open
	now.weekday in object.get(window, "weekdays", [1, 2, 3, 4, 5, 6, 7])
	now.minuteOfDay >= _minute(window.from)
	now.minuteOfDay < _minute(window.to)
}

_is_holiday(entry, date) if date in entry.holidays

# A 1 before the digits keeps the leading zeros: numbers in JSON have none.
_minute(time) := minute if {
	[hour, past] := split(time, ":")
	count(hour) == 2
	count(past) == 2
	trim(concat("", [hour, past]), "0123456789") == ""
	minute := ((to_number(concat("", ["1", hour])) - 100) * 60) + (to_number(concat("", ["1", past])) - 100)
}

_malformed if {
	entries := data.config.hours
	not is_array(entries)
}

_malformed if count(_usable) < count(_about)

# A rule without parameters is evaluated once for each decision, a function at each of its uses.
_usable := [entry | some entry in _about; _well_formed(entry)]

# An entry that does not name its tools applies to every tool.
_about := [entry | some entry in data.config.hours; not _of_others(entry)]

_of_others(entry) if {
	is_array(entry.tools)
	not input.tool.name in entry.tools
	not "*" in entry.tools
}

_well_formed(entry) if {
	count(object.keys(entry) - {"tools", "zone", "open", "holidays", "outside"}) == 0
	is_array(entry.tools)
	entry.zone in data.config.zones
	object.get(entry, "outside", "deny") in {"deny", "ask"}
	_is_dates(object.get(entry, "holidays", []))
	is_array(entry.open)
	every window in entry.open {
		_is_window(window)
	}
}

_is_window(window) if {
	count(object.keys(window) - {"weekdays", "from", "to"}) == 0
	_minute(window.from) < _minute(window.to)
	_minute(window.to) <= 1440
	weekdays := object.get(window, "weekdays", [])
	is_array(weekdays)
	every weekday in weekdays {
		weekday in {1, 2, 3, 4, 5, 6, 7}
	}
}

_is_dates(dates) if {
	is_array(dates)
	every date in dates {
		[year, month, day] := split(date, "-")
		[count(year), count(month), count(day)] == [4, 2, 2]
	}
}
