/** A node of a syntax tree, as a parser gives it: names and what stands under them. */
export type Tree = Record<string, unknown>;

/** A text within the parsers' limits has far fewer nodes; more of them are not looked at. */
const NODES_MAX = 200_000;

/** True for an object that is neither null nor an array. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Calls back for every name in a tree with what stands under it, however deep, without recursion.
 * Returns false when the tree is too large to be seen whole.
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
