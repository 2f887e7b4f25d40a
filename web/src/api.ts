// The server's API as the page uses it.

import { eventsOf } from "./sse.ts";
import type { Call, Node, Usage } from "./tree.ts";

export interface Config {
  models: string[];
  keys: boolean;
  operator: string;
  notice: { ko: string; en: string };
  label: { ko: string; en: string };
}

/** How long the model may think; "" = as the server has it. */
export type Effort = "" | "low" | "medium" | "high";

export interface Sampling {
  temperature: number;
  top_p: number;
  top_k: number;
  max_tokens: number | null;
  seed: number | null;
  thinking: boolean;
  effort: Effort;
  thinking_budget: number | null;
}

export interface Piece {
  content?: string;
  reasoning?: string;
  call?: { index: number; id?: string; name?: string; arguments?: string };
  finish?: string;
  usage?: Omit<Usage, "seconds">;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
  ) {
    super(message);
  }
}

export function headers(key: string): Record<string, string> {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

export async function failed(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => null);
  return new ApiError(response.status, body?.error?.message ?? response.statusText, body?.error?.code ?? null);
}

export async function readConfig(): Promise<Config> {
  const response = await fetch("/web/api/config");
  if (!response.ok) throw await failed(response);
  return response.json();
}

/** How many tokens a text has. */
export async function countTokens(key: string, model: string, text: string): Promise<number> {
  const body = JSON.stringify({ model, prompt: text });
  const response = await fetch("/tokenize", {
    method: "POST",
    headers: { ...headers(key), "Content-Type": "application/json" },
    body,
  });
  if (!response.ok) throw await failed(response);
  return (await response.json()).count;
}

/** Messages as the API has them: attachments stand before what was said with them. */
export function messagesOf(nodes: Node[], system: string): object[] {
  const messages: object[] = system.trim() ? [{ role: "system", content: system }] : [];
  for (const node of nodes) {
    if (node.role === "assistant") messages.push(assistantMessage(node));
    else if (node.role === "tool")
      messages.push({ role: "tool", tool_call_id: node.tool_call_id, content: node.content });
    else messages.push({ role: node.role, content: withAttachments(node) });
  }
  return messages;
}

function assistantMessage(node: Node): object {
  const message: Record<string, unknown> = { role: "assistant", content: node.content };
  if (node.reasoning) message.reasoning = node.reasoning;
  if (node.tool_calls?.length) {
    message.tool_calls = node.tool_calls.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: call.arguments },
    }));
  }
  return message;
}

function withAttachments(node: Node): string {
  const files = (node.attachments ?? []).map((file) => `${file.name}:\n\`\`\`\n${file.text}\n\`\`\``);
  return [...files, node.content].join("\n\n");
}

export async function* stream(
  key: string,
  model: string,
  messages: object[],
  sampling: Sampling,
  tools: object[],
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const body: Record<string, unknown> = {
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    temperature: sampling.temperature,
    top_p: sampling.top_p,
    chat_template_kwargs: { enable_thinking: sampling.thinking },
  };
  if (sampling.top_k > 0) body.top_k = sampling.top_k;
  if (sampling.max_tokens !== null) body.max_tokens = sampling.max_tokens;
  if (sampling.seed !== null) body.seed = sampling.seed;
  if (sampling.thinking && sampling.effort) body.reasoning_effort = sampling.effort;
  if (sampling.thinking && sampling.thinking_budget !== null) body.thinking_budget = sampling.thinking_budget;
  if (tools.length) body.tools = tools;
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { ...headers(key), "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok || !response.body) throw await failed(response);
  for await (const event of eventsOf(response.body)) {
    if (event.data === "[DONE]") return;
    yield* piecesOf(JSON.parse(event.data));
  }
  throw new TypeError("the stream ended before the answer did");
}

export function* piecesOf(chunk: any): Generator<Piece> {
  if (chunk.error) throw new ApiError(503, chunk.error.message, chunk.error.code);
  for (const choice of chunk.choices ?? []) {
    const delta = choice.delta ?? {};
    if (delta.reasoning) yield { reasoning: delta.reasoning };
    if (delta.content) yield { content: delta.content };
    for (const call of delta.tool_calls ?? []) {
      yield {
        call: { index: call.index, id: call.id, name: call.function?.name, arguments: call.function?.arguments },
      };
    }
    if (choice.finish_reason) yield { finish: choice.finish_reason };
  }
  if (chunk.usage) {
    yield {
      usage: {
        prompt_tokens: chunk.usage.prompt_tokens,
        completion_tokens: chunk.usage.completion_tokens,
        reasoning_tokens: chunk.usage.completion_tokens_details?.reasoning_tokens ?? 0,
      },
    };
  }
}

/** The calls of an answer with one more piece. */
export function withCall(calls: Call[], piece: NonNullable<Piece["call"]>): Call[] {
  const next = [...calls];
  const call = next[piece.index] ?? { id: piece.id ?? "", name: piece.name ?? "", arguments: "" };
  next[piece.index] = { ...call, arguments: call.arguments + (piece.arguments ?? "") };
  return next;
}
