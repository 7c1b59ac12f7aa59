# METADATA
# title: The decision
# description: >-
#   Composes every rule under data.interlock.rules and lists none. A rule says `deny`, `ask`, `allow` or `notes` as a
#   set of texts and `obligations` as a set of objects. Deny beats ask beats allow. An ask narrows what some rule
#   allows and never widens it; where no rule allows, the answer is deny with no reasons. An emergency answers every
#   ask, and a note says which. Notes are for the audit alone.
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

default explanation := {"deny": [], "ask": [], "allow": [], "notes": []}

explanation := {
	"deny": _listed(_denials),
	"ask": _listed(_asks),
	"allow": _listed(_allowances),
	"notes": _listed(_notes),
}

_emergency if is_object(input.emergency)

_denials contains {"rule": rule, "text": text} if {
	some rule, said in _deny
	some text in said
}

# A word that is not a set would otherwise be passed over in silence.
_denials contains {"rule": rule, "text": "This rule is malformed: what it says is not a set."} if {
	some word in [_deny, _ask, _allow, _note, _oblige]
	some rule, said in word
	not is_set(said)
}

_asks contains {"rule": rule, "text": text} if {
	some rule, said in _ask
	some text in said
}

_allowances contains {"rule": rule, "text": text} if {
	some rule, said in _allow
	some text in said
}

_notes contains {"rule": rule, "text": text} if {
	some rule, said in _note
	some text in said
}

_passed_over contains {"rule": rule, "text": concat("", ["An emergency answered this: ", text])} if {
	some {"rule": rule, "text": text} in _asks
}

_obligations contains obligation if some obligation in _oblige[_]

# As many reasons as an answer holds.
_listed(things) := array.slice(_all(things), 0, 64)

# In WebAssembly a set iterates in no order of its own: sorted, the same words make the same document.
_all(things) := sort(things)
