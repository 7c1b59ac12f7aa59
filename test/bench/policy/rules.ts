/** Rules as installations have them, in eight kinds, so that a library of any size can be made. */
import type { Json } from '@interlock/contracts';

/** One rule: its module without the package line, and its data under `config.<name>`. */
export interface MadeRule {
  name: string;
  text: string;
  settings: Json;
}

/** Tools and users that calls and rules share. */
export const TOOLS = Array.from({ length: 40 }, (_, index) => `tool_${index}`);
export const USERS = Array.from({ length: 200 }, (_, index) => `user_${index}`);
export const DOMAINS = Array.from({ length: 50 }, (_, index) => `d${index}.example`);
export const TABLES = Array.from({ length: 30 }, (_, index) => `public.table_${index}`);
export const ZONES = ['Europe/Berlin', 'America/New_York'];
const TOOLS_PER_RULE = 4;

/** Returns `count` rules whose data has about `bytes` bytes together. */
export function makeRules(count: number, bytes: number): MadeRule[] {
  const share = bytes / Math.max(1, Math.ceil(count / KINDS.length));
  return Array.from({ length: count }, (_, index) => {
    const name = `made_${index}`;
    const tools = Array.from(
      { length: TOOLS_PER_RULE },
      (__, step) => TOOLS[(index * 7 + step * 11) % TOOLS.length] ?? '',
    );
    const kind = KINDS[index % KINDS.length] ?? KINDS[0];
    return { name, ...kind({ config: `data.config.${name}`, tools, index, bytes: share }) };
  });
}

interface Making {
  /** Where its settings stand. */
  config: string;
  tools: string[];
  index: number;
  /** How large the settings may get; only contacts use it. */
  bytes: number;
}

type Kind = (making: Making) => Omit<MadeRule, 'name'>;

const contacts: Kind = ({ config, index, bytes }) => {
  const each = Math.max(1, Math.floor(bytes / USERS.length / CONTACT_BYTES));
  return {
    text: `deny contains "This recipient is nobody the user knows." if {
	"sends-external" in input.tool.labels
	some recipient in input.facts.recipients
	not _known(recipient)
}

_known(recipient) if recipient.address in ${config}.contacts[input.subject.user]

_known(recipient) if recipient.domain in ${config}.domains

_known(_) if input.approval
`,
    settings: {
      domains: DOMAINS.slice(0, 45),
      contacts: Object.fromEntries(
        USERS.map((user) => [
          user,
          Array.from({ length: each }, (_, step) => `contact.${index}.${step}@d${step % 50}.example`),
        ]),
      ),
    },
  };
};
/** What one address takes in the data. */
const CONTACT_BYTES = 28;

const caps: Kind = ({ config, tools, index }) => ({
  text: `ask contains "This is more than an agent may spend alone." if {
	input.tool.name in ${config}.tools
	not input.approval
	input.spends > ${config}.ask_above
}

deny contains "This is more than anybody may spend." if {
	input.tool.name in ${config}.tools
	input.spends > ${config}.deny_above
}
`,
  settings: { tools, ask_above: 900 + index, deny_above: 990 + index },
});

const paths: Kind = ({ config, tools }) => ({
  text: `deny contains "This path is outside of what the tool may touch." if {
	input.tool.name in ${config}.tools
	some path in input.facts.paths
	not _inside(path)
}

_inside(path) if {
	path.readable
	not path.traverses
	some root in ${config}.roots
	startswith(path.normalized, root)
}
`,
  settings: { tools, roots: ['srv/', 'home/', 'tmp/'] },
});

const statements: Kind = ({ config, tools, index }) => ({
  text: `deny contains "This statement touches a table that is not for agents." if {
	input.tool.name in ${config}.tools
	some query in input.facts.sql
	some statement in query.statements
	some table in statement.tables
	table in ${config}.tables
}

ask contains "This statement changes every row." if {
	not input.approval
	input.tool.name in ${config}.tools
	some query in input.facts.sql
	some statement in query.statements
	statement.conditioned == false
}
`,
  settings: { tools, tables: [TABLES[index % TABLES.length] ?? ''] },
});

const destinations: Kind = ({ config }) => ({
  text: `ask contains "Nobody has sent anything there yet." if {
	not input.approval
	some destination in input.facts.destinations
	destination.carries
	destination.firstUse
	not destination.host in ${config}.hosts
}
`,
  settings: { hosts: DOMAINS.slice(0, 48) },
});

const hours: Kind = ({ config, tools }) => ({
  text: `ask contains "It is outside of working hours." if {
	input.tool.name in ${config}.tools
	not input.approval
	local := input.context.local[${config}.zone]
	_outside(local)
}

_outside(local) if local.weekday > 5

_outside(local) if local.minuteOfDay < ${config}.from

_outside(local) if local.minuteOfDay >= ${config}.to
`,
  settings: { tools, zone: 'Europe/Berlin', from: 300, to: 1_380 },
});

const roles: Kind = ({ config, tools }) => ({
  text: `deny contains "This tool is for other roles." if {
	input.tool.name in ${config}.tools
	every role in input.subject.roles {
		not role in ${config}.roles
	}
}
`,
  settings: { tools, roles: ['support', 'sales', 'finance'] },
});

const labels: Kind = ({ config, index }) => ({
  text: `ask contains "What was read may not be from whom it says, and this sends." if {
	not input.approval
	every label in ${config}.session {
		label in input.session.labels
	}
	some label in ${config}.tool
	label in input.tool.labels
	input.arguments.subject == ${config}.subject
}
`,
  settings: {
    session: ['read-private', 'saw-untrusted'],
    tool: ['sends-external'],
    subject: `word_${index}`,
  },
});

const KINDS: readonly [Kind, ...Kind[]] = [
  contacts,
  caps,
  paths,
  statements,
  destinations,
  hours,
  roles,
  labels,
];
