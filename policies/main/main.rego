# METADATA
# title: The decision
# description: >-
#   Composes every rule under data.interlock.rules and lists none. A rule returns `deny`, `ask`, `allow` and `notes` as
#   sets of texts and `obligations` as a set of objects. Deny beats ask beats allow. An ask narrows what some rule
#   allows and never widens it; where no rule allows, the answer is deny with no reasons. In an emergency every ask is
#   passed over, with a note for each. Notes are for the audit alone. Beside the decision, `explanation` has every
#   output: also `until`, when a denial ends by itself, and `offers` and `withholds`, from which an agent is shown tools.
package interlock.main

# Why an ask never grants: docs/decisions/006.

default decision := {"verdict": "deny", "reasons": [], "obligations": [], "notes": []}

decision := {"verdict": "deny", "reasons": _listed(_denials), "obligations": [], "notes": _listed(_notes)} if {
	count(_denials) > 0
} else := {"verdict": "deny", "reasons": [], "obligations": [], "notes": _listed(_notes)} if {
	count(_allowances) == 0
} else := {"verdict": "ask", "reasons": _listed(_asks), "obligations": _all(_obligations), "notes": _listed(_notes)} if {
	count(_asks) > 0
	not _emergency
} else := {
	"verdict": "allow",
	"reasons": _listed(_allowances),
	"obligations": _all(_obligations),
	"notes": _listed(_notes | _passed_over),
}

default explanation := {
	"deny": [],
	"ask": [],
	"allow": [],
	"notes": [],
	"until": [],
	"offers": [],
	"withholds": [],
}

explanation := {
	"deny": _listed(_denials),
	"ask": _listed(_asks),
	"allow": _listed(_allowances),
	"notes": _listed(_notes),
	"until": _listed(_ends),
	"offers": _listed(_offers),
	"withholds": _listed(_withholdings),
}

_emergency if is_object(input.emergency)

_denials contains {"rule": rule, "text": text} if {
	some rule, texts in _deny
	some text in texts
}

# An output that is not a set would otherwise be ignored without a word.
_denials contains {"rule": rule, "text": "This rule is malformed: one of its outputs is not a set."} if {
	some outputs in [_deny, _ask, _allow, _note, _oblige]
	some rule, output in outputs
	not is_set(output)
}

_asks contains {"rule": rule, "text": text} if {
	some rule, texts in _ask
	some text in texts
}

_allowances contains {"rule": rule, "text": text} if {
	some rule, texts in _allow
	some text in texts
}

_notes contains {"rule": rule, "text": text} if {
	some rule, texts in _note
	some text in texts
}

_ends contains {"rule": rule, "text": text} if {
	some rule, texts in _until
	some text in texts
}

_offers contains {"rule": rule, "text": text} if {
	some rule, texts in _offer
	some text in texts
}

_withholdings contains {"rule": rule, "text": text} if {
	some rule, texts in _withhold
	some text in texts
}

_passed_over contains {"rule": rule, "text": concat("", ["Passed over in an emergency: ", text])} if {
	some {"rule": rule, "text": text} in _asks
}

_obligations contains obligation if some obligation in _oblige[_]

# An answer has at most 64 reasons.
_listed(things) := array.slice(_all(things), 0, 64)

# In WebAssembly the order of a set is undefined: sorted, the same outputs make the same document.
_all(things) := sort(things)
