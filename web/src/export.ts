// A conversation as a file. Every export says, to people and to programs, that its answers were made by AI.

import type { Language } from "./words.ts";
import { say } from "./words.ts";
import type { Node, Tree } from "./tree.ts";
import { path, titleOf } from "./tree.ts";

export interface Mark {
  /** What stands beside every answer, such as "AI가 만든 답변". */
  label: string;
  /** Who runs the service; "" where nobody is named. */
  operator: string;
}

export function markLine(mark: Mark, node: Pick<Node, "model" | "created_at">): string {
  const parts = [mark.label, node.model, mark.operator, new Date(node.created_at * 1000).toISOString()];
  return parts.filter((part) => part).join(" · ");
}

export function asMarkdown(tree: Tree, mark: Mark, language: Language): string {
  const parts = [`# ${titleOf(tree) || say(language, "untitled")}`];
  for (const node of path(tree)) parts.push(section(node, mark, language));
  return `${parts.join("\n\n")}\n`;
}

function section(node: Node, mark: Mark, language: Language): string {
  if (node.role === "assistant") {
    const thoughts = node.reasoning ? `> ${say(language, "thought")}: ${node.reasoning.replaceAll("\n", "\n> ")}\n\n` : "";
    const calls = (node.tool_calls ?? []).map((call) => `\`${call.name}(${call.arguments})\``).join("\n\n");
    const body = [node.content, calls].filter((part) => part).join("\n\n");
    return `## ${say(language, "assistant")}\n\n${thoughts}${body}\n\n*${markLine(mark, node)}*`;
  }
  const who = say(language, node.role === "tool" ? "result" : "you");
  return `## ${who}\n\n${node.content}`;
}

export function asJson(tree: Tree, mark: Mark): string {
  const messages = path(tree).map((node) => ({
    role: node.role,
    content: node.content,
    ...(node.reasoning ? { reasoning: node.reasoning } : {}),
    ...(node.tool_calls?.length ? { tool_calls: node.tool_calls } : {}),
    created_at: node.created_at,
    ...(node.role === "assistant" ? { made_by_ai: true, model: node.model ?? "", notice: markLine(mark, node) } : {}),
  }));
  const notice = { made_by_ai: true, label: mark.label, operator: mark.operator };
  return `${JSON.stringify({ title: titleOf(tree), notice, messages }, null, 2)}\n`;
}

/** The text of an answer to be pasted elsewhere, with its mark. */
export function asCopy(node: Node, mark: Mark): string {
  return node.role === "assistant" ? `${node.content}\n\n— ${markLine(mark, node)}` : node.content;
}
