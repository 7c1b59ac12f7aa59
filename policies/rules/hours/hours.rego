# METADATA
# title: A tool can be called only during its hours
# description: >-
#   For each entry of data.config.hours whose `tools` name the tool ("*" for all): outside its `open` windows, and on
#   its `holidays`, a call is denied, or asks with `outside: ask`. A window is open on `weekdays` (1 is Monday; all
#   when left out) from `from` until before `to`, by the local time of `zone`, which must also be listed in
#   data.config.zones. Where the local time is not known, the tool is closed. Without data a tool is open at all
#   hours. Malformed data denies everything, a malformed entry denies the tools that it names. An agent is told when
#   the tool opens next, where that is within two weeks.
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

until contains $"from {opening}" if {
	some entry in _closed
	object.get(entry, "outside", "deny") == "deny"
	opening := _next_opening(entry)
}

# The day with its date where its name alone would mean an earlier one.
_next_opening(entry) := $"{_weekday(entry, opening.day)} {opening.from} {entry.zone}" if {
	opening := _first_opening(entry)
	opening.day < 7
} else := $"{_weekday(entry, opening.day)} {_date_after(date, opening.day)} {opening.from} {entry.zone}" if {
	opening := _first_opening(entry)
	date := input.context.local[entry.zone].date
}

_first_opening(entry) := {"day": day, "from": from} if [day, _, from] := min(_openings(entry))

_openings(entry) := {[day, minute, window.from] |
	now := input.context.local[entry.zone]
	some day in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
	some window in entry.open
	_weekday_number(entry, day) in object.get(window, "weekdays", [1, 2, 3, 4, 5, 6, 7])
	minute := _minute(window.from)
	(day * 1440) + minute > now.minuteOfDay
	not _is_holiday(entry, _date_after(now.date, day))
}

_weekday_number(entry, days) := ((input.context.local[entry.zone].weekday + (days - 1)) % 7) + 1

_weekday(entry, days) := names[_weekday_number(entry, days) - 1] if {
	names := ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
}

# At most one month ends within two weeks.
_date_after(date, days) := _date(year, month, day) if {
	[year, month, last] := _month_of(date)
	day := _day_of(date) + days
	day <= last
} else := _date(year, month + 1, (_day_of(date) + days) - last) if {
	[year, month, last] := _month_of(date)
	month < 12
} else := _date(year + 1, 1, (_day_of(date) + days) - last) if {
	[year, _, last] := _month_of(date)
}

_month_of(date) := [year, month, last] if {
	year := to_number(substring(date, 0, 4))
	month := to_number(concat("", ["1", substring(date, 5, 2)])) - 100
	last := [31, _february(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
}

_day_of(date) := to_number(concat("", ["1", substring(date, 8, 2)])) - 100

_february(year) := 29 if {
	year % 4 == 0
	year % 100 != 0
} else := 28

_date(year, month, day) := concat("-", [format_int(year, 10), _two_digits(month), _two_digits(day)])

_two_digits(number) := substring(format_int(number + 100, 10), 1, 2)

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
