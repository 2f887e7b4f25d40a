// A conversation as a tree: an edited question or another answer is a sibling, so nothing that was said is lost.

export type Role = "system" | "user" | "assistant" | "tool";

export interface Call {
  id: string;
  name: string;
  arguments: string;
}

/** Whether a call was written to its end: one that was cut off can be neither answered nor sent again. */
export function whole(call: Call): boolean {
  try {
    JSON.parse(call.arguments || "{}");
    return true;
  } catch {
    return false;
  }
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  reasoning_tokens: number;
  seconds: number;
}

export interface Attachment {
  name: string;
  text: string;
}

export interface Node {
  id: string;
  parent: string | null;
  children: string[];
  role: Role;
  content: string;
  reasoning?: string;
  tool_calls?: Call[] | undefined;
  tool_call_id?: string;
  attachments?: Attachment[];
  model?: string;
  created_at: number;
  usage?: Usage;
  stopped?: boolean;
  error?: string;
}

export interface Tree {
  root: string;
  nodes: Record<string, Node>;
  current: string;
}

export function emptyTree(now: number, id: string): Tree {
  const root: Node = { id, parent: null, children: [], role: "system", content: "", created_at: now };
  return { root: id, nodes: { [id]: root }, current: id };
}

/** The nodes from the first message to the current one. */
export function path(tree: Tree): Node[] {
  const found: Node[] = [];
  for (let id: string | null = tree.current; id !== null && id !== tree.root; ) {
    const node: Node | undefined = tree.nodes[id];
    if (!node) break;
    found.unshift(node);
    id = node.parent;
  }
  return found;
}

/** The tree with one more node, which becomes the current one. */
export function added(tree: Tree, node: Omit<Node, "children">): Tree {
  const parent = tree.nodes[node.parent ?? tree.root];
  if (!parent) throw new Error(`no node ${node.parent}`);
  const nodes = {
    ...tree.nodes,
    [parent.id]: { ...parent, children: [...parent.children, node.id] },
    [node.id]: { ...node, parent: parent.id, children: [] },
  };
  return { ...tree, nodes, current: node.id };
}

/** The tree with a node changed. */
export function changed(tree: Tree, id: string, change: Partial<Node>): Tree {
  const node = tree.nodes[id];
  return node ? { ...tree, nodes: { ...tree.nodes, [id]: { ...node, ...change } } } : tree;
}

/** Where a node stands among its siblings, from 0, and how many there are. */
export function place(tree: Tree, id: string): { at: number; of: number } {
  const parent = tree.nodes[tree.nodes[id]?.parent ?? ""];
  return parent ? { at: parent.children.indexOf(id), of: parent.children.length } : { at: 0, of: 1 };
}

/** The tree as seen along the sibling `step` places on, down to where that branch was last continued. */
export function turned(tree: Tree, id: string, step: number): Tree {
  const parent = tree.nodes[tree.nodes[id]?.parent ?? ""];
  if (!parent) return tree;
  let next = parent.children[parent.children.indexOf(id) + step];
  if (next === undefined) return tree;
  for (let last = tree.nodes[next]?.children.at(-1); last !== undefined; last = tree.nodes[next]?.children.at(-1)) {
    next = last;
  }
  return { ...tree, current: next };
}

/** The first line of what was asked first, short. */
export function titleOf(tree: Tree): string {
  const first = Object.values(tree.nodes).find((node) => node.role === "user" && node.content.trim() !== "");
  const line = first?.content.trim().split("\n")[0] ?? "";
  return [...line].length > 60 ? `${[...line].slice(0, 60).join("")}…` : line;
}
