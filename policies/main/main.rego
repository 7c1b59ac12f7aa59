# METADATA
# title: The decision
# description: >-
#   Composes every rule under data.interlock.rules and lists none. A rule says `deny`, `ask` or `allow` as a
#   set of texts and `obligations` as a set of objects. Deny beats ask beats allow. An ask narrows what some
#   rule allows and never widens it; where no rule allows, the answer is deny with no reasons.
package interlock.main

default decision := {"verdict": "deny", "reasons": [], "obligations": []}

decision := {"verdict": "deny", "reasons": _listed(_denials), "obligations": []} if {
	count(_denials) > 0
} else := {"verdict": "ask", "reasons": _listed(_asks), "obligations": _listed(_obligations)} if {
	count(_allowances) > 0
	count(_asks) > 0
} else := {"verdict": "allow", "reasons": _listed(_allowances), "obligations": _listed(_obligations)} if {
	count(_allowances) > 0
}

_denials contains {"rule": rule, "text": text} if some text in data.interlock.rules[rule].deny

# A word that is not a set would otherwise be passed over in silence.
# The words are spelt out: a variable in their place would make the compiler call the rules' own functions.
_denials contains {"rule": rule, "text": _malformed} if {
	said := data.interlock.rules[rule].deny
	not is_set(said)
}

_denials contains {"rule": rule, "text": _malformed} if {
	said := data.interlock.rules[rule].ask
	not is_set(said)
}

_denials contains {"rule": rule, "text": _malformed} if {
	said := data.interlock.rules[rule].allow
	not is_set(said)
}

_denials contains {"rule": rule, "text": _malformed} if {
	said := data.interlock.rules[rule].obligations
	not is_set(said)
}

_malformed := "This rule is malformed: what it says is not a set."

_asks contains {"rule": rule, "text": text} if some text in data.interlock.rules[rule].ask

_allowances contains {"rule": rule, "text": text} if some text in data.interlock.rules[rule].allow

_obligations contains obligation if some obligation in data.interlock.rules[_].obligations

# Sets iterate in order, so the same words make the same document.
_listed(things) := [thing | some thing in things]
