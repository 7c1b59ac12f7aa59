/** A node of a syntax tree as a parser makes it: values by name. */
export type Tree = Record<string, unknown>;

/** The tree of a text within the parsers' limits is far smaller. */
const NODES_MAX = 200_000;

/** True for an object that is neither null nor an array. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Calls `visit` for every name in a tree with its value, at any depth, without recursion.
 * Returns false when the tree is too large to be visited whole.
 */
export function walk(root: unknown, visit: (name: string, value: unknown) => void): boolean {
  const ahead: unknown[] = [root];
  let seen = 0;
  while (ahead.length > 0) {
    const node = ahead.pop();
    if (Array.isArray(node)) {
      for (let index = node.length - 1; index >= 0; index -= 1) ahead.push(node[index]);
    } else if (isTree(node)) {
      const entries = Object.entries(node);
      seen += entries.length;
      if (seen > NODES_MAX) return false;
      for (const [name, value] of entries) visit(name, value);
      for (const [, value] of entries.reverse()) ahead.push(value);
    }
  }
  return true;
}
