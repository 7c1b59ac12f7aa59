/** The differences of two policies: their rules, their data, and every line. */
import { canonicalJson } from '@interlock/contracts';
import type { BundleSources } from '@interlock/policy';
import { z } from 'zod';
import { unifiedDiff } from './unified-diff.ts';

/** Names that were added or removed, and names whose content changed. */
export interface Changes {
  added: string[];
  removed: string[];
  changed: string[];
}

export interface PolicyComparison {
  /** By the rule's name; `main` for the composition of the rules. */
  rules: Changes;
  /** By the name below `data`, and below `data.config` by the name of the rule. */
  data: Changes;
  /** Unified difference of all Rego and data. */
  text: string;
}

const objectSchema = z.record(z.string(), z.unknown());
const DATA_NAME = 'data.json';

/** Compares two policies' sources. */
export function comparePolicies(before: BundleSources, after: BundleSources): PolicyComparison {
  const files = [...new Set([...before.rego.keys(), ...after.rego.keys()])].sort();
  const texts = [
    ...files.map((name) => unifiedDiff(name, before.rego.get(name), after.rego.get(name))),
    unifiedDiff(DATA_NAME, jsonText(before.data), jsonText(after.data)),
  ];
  return {
    rules: changesOf(rulesIn(before), rulesIn(after)),
    data: changesOf(partsOf(before.data), partsOf(after.data)),
    text: texts.filter((text) => text !== '').join('\n'),
  };
}

function rulesIn({ rego }: BundleSources): Map<string, string> {
  const rules = new Map<string, string>();
  for (const name of [...rego.keys()].sort()) {
    const [, rule = name] = /^(?:rules\/)?([^/]+)\//.exec(name) ?? [];
    rules.set(rule, `${rules.get(rule) ?? ''}${name}\n${rego.get(name)}\n`);
  }
  return rules;
}

/** Data has its own name, the configuration of a rule `config.<rule>`. */
function partsOf(data: unknown): Map<string, string> {
  const parts = new Map<string, string>();
  for (const [name, value] of entriesOf(data)) {
    if (name !== 'config') parts.set(name, canonicalJson(value));
    else for (const [rule, tuned] of entriesOf(value)) parts.set(`config.${rule}`, canonicalJson(tuned));
  }
  return parts;
}

function entriesOf(value: unknown): [string, unknown][] {
  const parsed = objectSchema.safeParse(value);
  return parsed.success ? Object.entries(parsed.data) : [];
}

function changesOf(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Changes {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return {
    added: names.filter((name) => !before.has(name)),
    removed: names.filter((name) => !after.has(name)),
    changed: names.filter(
      (name) => before.has(name) && after.has(name) && before.get(name) !== after.get(name),
    ),
  };
}

/** JSON with its members in order, so that only real differences are shown. */
function jsonText(value: unknown): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(value)), null, 2)}\n`;
}
