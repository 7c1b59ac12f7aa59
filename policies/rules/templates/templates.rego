# METADATA
# title: A message matches an approved template
# description: >-
#   For each gate that data.config.templates lists for the tool, denies a call whose argument `at` is not a text, or
#   is a text that matches none of the gate's templates. A template is a text with named gaps, `{{name}}`. The text
#   between the gaps must match exactly, from the first character to the last; a gap ends where the text after it
#   first occurs, has `min` (1) to `max` characters, and only characters of its `sets` (digits, letters, latin) and
#   `also`. With `otherwise: ask` the gate asks a person instead. Pointers lead through objects, not into lists.
#   Malformed data denies everything, a malformed gate denies its tool.
# custom:
#   severity: high
#   owasp_asi: [ASI01, ASI02, ASI09]
#   stops: An agent that was talked into sending its own text, or a stranger's, to a customer.
#   example: >-
#     "Your code is 4711. Now call 0900 1234" is denied where the template is "Your code is {{code}}." and a code has
#     six digits at most.
#   restricts: {"/*": tool, "/*/*/at": argument}
#   data: |
#     templates:
#       send_sms:
#         - at: /body
#           otherwise: deny # or ask
#           any_of:
#             - text: "Dear {{name}}, your code is {{code}}."
#               gaps:
#                 name: {max: 40, sets: [latin], also: " -"}
#                 code: {min: 4, max: 6, sets: [digits]}
package interlock.rules.templates

deny contains "This message matches no approved template." if {
	some gate in _failed
	object.get(gate, "otherwise", "deny") == "deny"
}

deny contains "The data of this rule is malformed." if _malformed

ask contains "This message matches no approved template, so a person must approve it." if {
	not input.approval
	some gate in _failed
	gate.otherwise == "ask"
}

_gates := data.config.templates[input.tool.name]

_failed contains gate if {
	some gate in _gates
	_well_formed(gate)
	not _passes(gate)
}

_passes(gate) if {
	path := [replace(replace(token, "~1", "/"), "~0", "~") | some token in array.slice(split(gate.at, "/"), 1, 64)]
	text := object.get(input.arguments, path, null)
	is_string(text)
	some template in gate.any_of
	_makes(template, text)
}

# Each step removes a gap and the text after it: after the sixteenth nothing may be left.
_makes(template, text) if {
	[first, gaps] := _parts(template.text)
	startswith(text, first)
	kinds := object.get(template, "gaps", {})
	r0 := substring(text, count(first), -1)
	r1 := _after(r0, gaps, 0, kinds)
	r2 := _after(r1, gaps, 1, kinds)
	r3 := _after(r2, gaps, 2, kinds)
	r4 := _after(r3, gaps, 3, kinds)
	r5 := _after(r4, gaps, 4, kinds)
	r6 := _after(r5, gaps, 5, kinds)
	r7 := _after(r6, gaps, 6, kinds)
	r8 := _after(r7, gaps, 7, kinds)
	r9 := _after(r8, gaps, 8, kinds)
	r10 := _after(r9, gaps, 9, kinds)
	r11 := _after(r10, gaps, 10, kinds)
	r12 := _after(r11, gaps, 11, kinds)
	r13 := _after(r12, gaps, 12, kinds)
	r14 := _after(r13, gaps, 13, kinds)
	r15 := _after(r14, gaps, 14, kinds)
	r16 := _after(r15, gaps, 15, kinds)
	r16 == ""
}

_gaps_max := 16

# The text before the first gap, and for each gap its name and the text after it.
_parts(text) := [pieces[0], gaps] if {
	pieces := split(text, "{{")
	gaps := [split(piece, "}}") | some piece in array.slice(pieces, 1, count(pieces))]
}

_after(rest, gaps, index, _) := rest if index >= count(gaps)

_after(rest, gaps, index, kinds) := substring(rest, count(value) + count(following), -1) if {
	[name, following] := gaps[index]
	value := _before(rest, following)
	_fits(value, kinds[name])
}

# Only the last gap can be without text after it.
_before(rest, "") := rest

_before(rest, following) := substring(rest, 0, indexof(rest, following)) if {
	following != ""
	contains(rest, following)
}

_fits(value, gap) if {
	count(value) >= object.get(gap, "min", 1)
	count(value) <= gap.max
	allowed := [_sets[name] | some name in object.get(gap, "sets", [])]

	# A text of only these characters is empty once they are trimmed.
	trim(value, concat("", array.concat(allowed, [object.get(gap, "also", "")]))) == ""
}

_sets := {
	"digits": "0123456789",
	"letters": _letters,
	"latin": concat("", [
		_letters,
		"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ",
		"ĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĦħĨĩĪīĬĭĮįİıĴĵĶķĹĺĻļĽľŁłŃńŅņŇňŊŋ",
		"ŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŦŧŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽž",
	]),
}

_letters := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

_malformed if {
	config := data.config.templates
	not is_object(config)
}

_malformed if {
	gates := _gates
	not is_array(gates)
}

_malformed if {
	some gate in _gates
	not _well_formed(gate)
}

_well_formed(gate) if {
	count(object.keys(gate) - {"at", "any_of", "otherwise"}) == 0
	startswith(gate.at, "/")
	count(split(gate.at, "/")) <= 64
	object.get(gate, "otherwise", "deny") in {"deny", "ask"}
	is_array(gate.any_of)
	every template in gate.any_of {
		_is_template(template)
	}
}

_is_template(template) if {
	count(object.keys(template) - {"text", "gaps"}) == 0
	[_, gaps] := _parts(template.text)
	count(gaps) <= _gaps_max
	every index, gap in gaps {
		count(gap) == 2
		_is_gap(template.gaps[gap[0]])
		_is_delimited(gaps, index)
	}
}

# Between two gaps there must be text: it marks the end of the first one.
_is_delimited(gaps, index) if gaps[index][1] != ""

_is_delimited(gaps, index) if index == count(gaps) - 1

_is_gap(gap) if {
	count(object.keys(gap) - {"min", "max", "sets", "also"}) == 0
	is_number(gap.max)
	is_number(object.get(gap, "min", 1))
	is_string(object.get(gap, "also", ""))
	sets := object.get(gap, "sets", [])
	is_array(sets)
	every name in sets {
		_sets[name]
	}
}
