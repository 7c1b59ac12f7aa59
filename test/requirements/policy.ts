import type { Requirement } from './requirement.ts';

/** Policy: what decides, what may decide, and what an author is helped with. */
export const policyRequirements = {
  'P-unsure-means-no': {
    text: 'Interlock fails closed. No policy, a policy error, an undefined decision, a lost store, an expired approval or a changed argument: refused.',
    source: 'architecture: fail closed',
    layer: 'unit',
  },
  'P-default-deny': {
    text: 'What no rule allows is denied.',
    source: 'architecture: fail closed',
    layer: 'line',
  },
  'P-policy-agrees': {
    text: 'The compiled policy answers every call as OPA itself answers it.',
    source: 'packages/policy/README.md',
    layer: 'line',
  },
  'P-policy-bounded': {
    text: 'A policy that loops, traps, wants more memory than there is or gives no whole answer denies that call and no other.',
    source: 'packages/policy/README.md',
    layer: 'unit',
  },
  'P-policy-signed': {
    text: 'A policy bundle that does not carry the operator’s chain of signatures is not loaded.',
    source: 'services/decider/README.md',
    layer: 'unit',
  },
  'P-policy-refused': {
    text: 'A tampered, unsigned, older or canary-failing bundle is refused by the decider itself: the policy before it stays in force, and the audit and /readyz report it.',
    source: 'services/decider/README.md',
    layer: 'line',
  },
  'P-policy-newest': {
    text: 'Only the newest policy decides: an older one cannot be put in its place, and where the newest cannot be read or verified every call is refused.',
    source: 'services/decider/README.md',
    layer: 'line',
  },
  'P-policy-reload': {
    text: 'Publishing and rolling back under traffic loses no call and decides none twice, each by a policy that was in force.',
    source: 'services/decider/README.md',
    layer: 'line',
  },
  'P-policy-publish': {
    text: 'Policies are published, compared and rolled back from the command line, which ends when every decider has loaded them; a rollback is a new version of old content.',
    source: 'services/console/README.md',
    layer: 'line',
  },
  'P-policy-shadow': {
    text: 'A candidate decides beside the policy without effect, and only where it disagrees is that recorded.',
    source: 'services/decider/README.md',
    layer: 'line',
  },
  'P-policy-simulate': {
    text: 'A candidate is compared with recorded calls before it decides: which verdicts change, by rule and tool, and how people labelled them.',
    source: 'docs/policy-tutorial.md',
    layer: 'line',
  },
  'P-policy-suggest': {
    text: 'Suggested grants allow the recorded calls they are made from, and as little else as conditions can express.',
    source: 'docs/policy-tutorial.md',
    layer: 'line',
  },
  'P-policy-explain': {
    text: 'Of a recorded call it is shown what every rule of the very policy that decided it said, on which facts, and which single change leads to another verdict; each is tried, none is guessed.',
    source: 'docs/policy-tutorial.md',
    layer: 'line',
  },
  'P-policy-tutorial': {
    text: 'The tutorial leads from a first rule with a test over recorded traffic and a shadow to publishing and back, word for word.',
    source: 'docs/policy-tutorial.md',
    layer: 'line',
  },
  'P-policy-eval': {
    text: 'Of a call that nobody made it is shown what a policy would say, by the folder or by what is published, with what the configuration or the installation knows of its tool and agent; nothing is called or recorded.',
    source: 'docs/policies.md',
    layer: 'unit',
  },
  'P-policy-build': {
    text: "Policies are compiled and signed on any machine with the author's key; the same rules have the same digest, and what no decider would load is not signed.",
    source: 'docs/policies.md',
    layer: 'unit',
  },
  'P-policy-tested': {
    text: 'A failed test of policy shows what was expected and what came with file and line, and which lines no test reaches; a rule without a test fails, and a case knows the tools, agents and settings of its configuration.',
    source: 'policies/README.md',
    layer: 'unit',
  },
  'P-policy-linted': {
    text: 'Where Regal is installed, its findings about the user’s own rules stand in the report of their tests, with file and line.',
    source: 'docs/policies.md',
    layer: 'unit',
  },
  'P-policy-markdown': {
    text: 'Reports of tests and of simulations can be had in Markdown for a pull request, in which nothing that an author or an agent wrote is more than text.',
    source: 'docs/policies.md',
    layer: 'unit',
  },
  'P-policy-watched': {
    text: 'Tests of policy can run again by themselves whenever a rule, a case or a file of the configuration changes.',
    source: 'docs/policies.md',
    layer: 'unit',
  },
  'P-rules-tested': {
    text: 'Each policy rule stands in its own folder with a test and says what it stops.',
    source: 'policies/README.md',
    layer: 'unit',
  },
  'P-facts-parsed': {
    text: 'Policy sees what arguments mean as parsers read them, within limits of time and size; what they cannot read is said to be unreadable.',
    source: 'packages/facts/README.md',
    layer: 'unit',
  },
  'P-rules-hold': {
    text: 'What a rule about arguments is meant to stop is found in every spelling that a grammar draws, or the argument counts as unreadable.',
    source: 'packages/facts/README.md',
    layer: 'unit',
  },
  'P-session-memory': {
    text: 'What a session used and what a person denied in it is durable before the call goes on, known to every replica, and lost by none.',
    source: 'services/decider/README.md',
    layer: 'unit',
  },
  'P-obligations': {
    text: 'A cap that policy sets on a call is charged with the configured limits, all or nothing; an unknown obligation refuses the call.',
    source: 'services/limiter/README.md',
    layer: 'unit',
  },
  'P-emergency': {
    text: 'Break-glass needs a person, a reason and an end within four hours; it never lifts a denial, and every call under it is announced.',
    source: 'docs/policies.md',
    layer: 'line',
  },
  'P-authzen': {
    text: 'Other enforcement points ask the same policy: the answer is on the ledger before it is returned, and only `allow` is yes.',
    source: 'OpenID AuthZEN Authorization API 1.0',
    layer: 'unit',
  },
} as const satisfies Record<`P-${string}`, Requirement>;
