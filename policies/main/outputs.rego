# The outputs of every rule, by kind of output and rule. Each kind is gathered once: walking the rules is what a decision
# costs. A bundle is compiled with the walks written out, one for each rule that can have the output: compiled as it
# stands, a walk gathers the names of all rules in a set first, with every decision.
# The kinds are written in full: a variable in their place would make the compiler call the rules' own functions.
package interlock.main

_deny[rule] := output if {
	some rule
	output := data.interlock.rules[rule].deny
	output != set()
}

_ask[rule] := output if {
	some rule
	output := data.interlock.rules[rule].ask
	output != set()
}

_allow[rule] := output if {
	some rule
	output := data.interlock.rules[rule].allow
	output != set()
}

_note[rule] := output if {
	some rule
	output := data.interlock.rules[rule].notes
	output != set()
}

_oblige[rule] := output if {
	some rule
	output := data.interlock.rules[rule].obligations
	output != set()
}

_until[rule] := output if {
	some rule
	output := data.interlock.rules[rule].until
	output != set()
}

_offer[rule] := output if {
	some rule
	output := data.interlock.rules[rule].offers
	output != set()
}

_withhold[rule] := output if {
	some rule
	output := data.interlock.rules[rule].withholds
	output != set()
}
