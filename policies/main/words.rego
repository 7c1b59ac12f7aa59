# What every rule says, by word and rule. Each word is gathered once: to walk the rules is what a decision costs.
# A bundle is compiled with these rules written out, one for each rule that can say the word: compiled as it stands, a
# walk gathers the names of all rules in a set first, with every decision.
# The words are spelt out: a variable in their place would make the compiler call the rules' own functions.
package interlock.main

_deny[rule] := said if {
	some rule
	said := data.interlock.rules[rule].deny
	said != set()
}

_ask[rule] := said if {
	some rule
	said := data.interlock.rules[rule].ask
	said != set()
}

_allow[rule] := said if {
	some rule
	said := data.interlock.rules[rule].allow
	said != set()
}

_note[rule] := said if {
	some rule
	said := data.interlock.rules[rule].notes
	said != set()
}

_oblige[rule] := said if {
	some rule
	said := data.interlock.rules[rule].obligations
	said != set()
}
