// What the page knows, and everything that can be done with it.

import { computed, signal } from "@preact/signals";
import * as api from "./api.ts";
import { ApiError } from "./api.ts";
import type { Mark } from "./export.ts";
import { BrowserHistory, ServerHistory } from "./history.ts";
import type { Entry, History } from "./history.ts";
import { newId } from "./ids.ts";
import * as trees from "./tree.ts";
import type { Attachment, Node, Tree } from "./tree.ts";
import { say as word } from "./words.ts";
import type { Language, Word } from "./words.ts";

export interface Preferences {
  language: Language;
  theme: "auto" | "light" | "dark";
  where: "browser" | "server";
  model: string;
  system: string;
  tools: string;
  sampling: api.Sampling;
}

const PREFERENCES = "axk1.preferences";
const KEY = "axk1.key";
const NOTICE = "axk1.notice";

const DEFAULTS: Preferences = {
  language: navigator.language.toLowerCase().startsWith("en") ? "en" : "ko",
  theme: "auto",
  where: "browser",
  model: "",
  system: "",
  tools: "",
  sampling: { temperature: 0.6, top_p: 0.95, top_k: 0, max_tokens: null, seed: null, thinking: false, effort: "", thinking_budget: null },
};

function remembered(): Preferences {
  try {
    const found = JSON.parse(localStorage.getItem(PREFERENCES) ?? "{}");
    return { ...DEFAULTS, ...found, sampling: { ...DEFAULTS.sampling, ...found.sampling } };
  } catch {
    return DEFAULTS;
  }
}

export const preferences = signal<Preferences>(remembered());
export const config = signal<api.Config | null>(null);
export const key = signal(sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "");
export const tree = signal<Tree>(trees.emptyTree(now(), newId()));
export const conversation = signal<{ id: string; revision?: number | string }>({ id: newId() });
export const entries = signal<Entry[]>([]);
export const query = signal("");
export const running = signal<AbortController | null>(null);
export const online = signal(navigator.onLine);
export const notice = signal("");
/** For screen readers: said once, politely. */
export const spoken = signal("");
export const noticeSeen = signal(localStorage.getItem(NOTICE) !== null);

let underway: Promise<void> = Promise.resolve();
let saving: Promise<void> = Promise.resolve();

export const language = computed(() => preferences.value.language);
export const shown = computed(() => trees.path(tree.value));
export const needsKey = computed(() => config.value?.keys === true && key.value === "");
export const mark = computed<Mark>(() => ({
  label: config.value?.label[language.value] || say("madeByAi"),
  operator: config.value?.operator ?? "",
}));

export function say(name: Word): string {
  return word(language.value, name);
}

export function prefer(change: Partial<Preferences>): void {
  preferences.value = { ...preferences.value, ...change };
  localStorage.setItem(PREFERENCES, JSON.stringify(preferences.value));
  if (change.where) refresh();
}

export function preferSampling(change: Partial<api.Sampling>): void {
  prefer({ sampling: { ...preferences.value.sampling, ...change } });
}

export function useKey(value: string, keep: boolean): void {
  key.value = value.trim();
  sessionStorage.setItem(KEY, key.value);
  if (keep) localStorage.setItem(KEY, key.value);
  else localStorage.removeItem(KEY);
  refresh();
}

export function seeNotice(): void {
  noticeSeen.value = true;
  localStorage.setItem(NOTICE, String(Date.now()));
}

export async function begin(): Promise<void> {
  window.addEventListener("online", () => void connect());
  window.addEventListener("offline", () => (online.value = false));
  await refresh();
  await connect();
  const id = location.hash.slice(1);
  if (id) await open(id);
}

/** Asks what the server has, again and again until it says so: it may be away, or still open its model. */
async function connect(): Promise<void> {
  try {
    config.value ??= await api.readConfig();
    online.value = true;
    const { models } = config.value;
    if (!models.includes(preferences.value.model)) prefer({ model: models[0] ?? "" });
  } catch {
    online.value = false;
    setTimeout(() => void connect(), 3000);
  }
}

function history(): History {
  return preferences.value.where === "server" ? new ServerHistory(key.value) : new BrowserHistory();
}

export async function refresh(): Promise<void> {
  try {
    entries.value = await history().list(query.value);
  } catch {
    entries.value = [];
  }
}

/** Ends the answer under way and waits until it is saved where it belongs. */
async function leave(): Promise<void> {
  stop();
  await underway;
  await saving;
}

export async function fresh(): Promise<void> {
  await leave();
  tree.value = trees.emptyTree(now(), newId());
  conversation.value = { id: newId() };
  notice.value = "";
  window.history.replaceState(null, "", location.pathname);
}

export async function open(id: string): Promise<void> {
  await leave();
  try {
    const kept = await history().get(id);
    tree.value = kept.tree;
    conversation.value = { id: kept.id, ...(kept.revision === undefined ? {} : { revision: kept.revision }) };
    window.history.replaceState(null, "", `#${id}`);
    notice.value = "";
  } catch {
    await fresh();
  }
}

export async function remove(id: string): Promise<void> {
  if (conversation.value.id === id) await fresh();
  await history().delete(id);
  await refresh();
}

/** One after the other: each needs the revision that the one before got. */
function save(): Promise<void> {
  saving = saving.then(write);
  return saving;
}

async function write(): Promise<void> {
  const { id, revision } = conversation.value;
  const kept = { id, title: trees.titleOf(tree.value), tree: tree.value, ...(revision === undefined ? {} : { revision }) };
  try {
    const saved = await history().put(kept);
    conversation.value = { id, ...(saved === undefined ? {} : { revision: saved }) };
    window.history.replaceState(null, "", `#${id}`);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 412) {
      notice.value = say("notSaved");
      return;
    }
    // changed elsewhere: neither is lost, ours becomes a conversation of its own
    conversation.value = { id: newId() };
    notice.value = say("conflict");
    await write();
  }
  await refresh();
}

/** The user says something behind the current message. */
export async function send(content: string, attachments: Attachment[]): Promise<void> {
  add({ role: "user", content, ...(attachments.length ? { attachments } : {}) }, tree.value.current);
  await answer();
}

/** The same question in other words, as another branch. */
export async function edit(id: string, content: string): Promise<void> {
  const node = tree.value.nodes[id];
  if (!node) return;
  add({ role: "user", content, ...(node.attachments ? { attachments: node.attachments } : {}) }, node.parent);
  await answer();
}

/** Another answer to the same question. */
export async function again(id: string): Promise<void> {
  const parent = tree.value.nodes[id]?.parent;
  if (parent == null) return;
  tree.value = { ...tree.value, current: parent };
  await answer();
}

/** The result of one call; when all calls have theirs, the model goes on. */
export async function giveResult(callId: string, content: string): Promise<void> {
  add({ role: "tool", content, tool_call_id: callId }, tree.value.current);
  if (openCalls().length === 0) await answer();
  else await save();
}

/** Calls of the last answer that have no result yet. */
export function openCalls(): string[] {
  const nodes = shown.value;
  const last = nodes.findLastIndex((node) => node.role === "assistant");
  const given = new Set(nodes.slice(last + 1).map((node) => node.tool_call_id));
  return (nodes[last]?.tool_calls ?? []).map((call) => call.id).filter((id) => !given.has(id));
}

export function turn(id: string, step: number): void {
  tree.value = trees.turned(tree.value, id, step);
  void save();
}

export function stop(): void {
  running.value?.abort();
}

function add(node: Partial<Node> & Pick<Node, "role" | "content">, parent: string | null): string {
  const id = newId();
  tree.value = trees.added(tree.value, { ...node, id, parent, created_at: now() });
  return id;
}

export function tools(): object[] {
  const text = preferences.value.tools.trim();
  if (!text) return [];
  const found: unknown = JSON.parse(text);
  if (!Array.isArray(found)) throw new Error(say("toolsWrong"));
  return found.map((tool) => ("function" in tool ? tool : { type: "function", function: tool }));
}

async function answer(): Promise<void> {
  await leave();
  underway = answering();
  await underway;
}

async function answering(): Promise<void> {
  const { model, system, sampling } = preferences.value;
  const asked = api.messagesOf(shown.value, system);
  const id = add({ role: "assistant", content: "", model }, tree.value.current);
  const controller = new AbortController();
  running.value = controller;
  notice.value = "";
  spoken.value = say("answering");
  const began = performance.now();
  const draft = { content: "", reasoning: "", calls: [] as trees.Call[] };
  let painted = 0;
  const paint = () => {
    painted = 0;
    tree.value = trees.changed(tree.value, id, {
      content: draft.content,
      ...(draft.reasoning ? { reasoning: draft.reasoning } : {}),
      tool_calls: draft.calls.length ? draft.calls : undefined,
    });
  };
  try {
    for await (const piece of api.stream(key.value, model, asked, sampling, tools(), controller.signal)) {
      draft.content += piece.content ?? "";
      draft.reasoning += piece.reasoning ?? "";
      if (piece.call) draft.calls = api.withCall(draft.calls, piece.call);
      if (piece.finish === "length") tree.value = trees.changed(tree.value, id, { stopped: true });
      if (piece.usage) {
        const seconds = (performance.now() - began) / 1000;
        tree.value = trees.changed(tree.value, id, { usage: { ...piece.usage, seconds } });
      }
      painted ||= requestAnimationFrame(paint);
    }
    spoken.value = say("answered");
  } catch (error) {
    const stopped = controller.signal.aborted;
    tree.value = trees.changed(tree.value, id, stopped ? { stopped: true } : { error: explained(error) });
    spoken.value = stopped ? say("stopped") : explained(error);
  } finally {
    if (painted) cancelAnimationFrame(painted);
    draft.calls = draft.calls.filter(trees.whole);
    paint();
    if (running.value === controller) running.value = null;
    await save();
  }
}

/** What went wrong, in the user's language, with what to do. */
export function explained(error: unknown): string {
  if (!(error instanceof ApiError)) {
    return error instanceof TypeError ? say("errorNetwork") : `${say("errorOther")}: ${String(error)}`;
  }
  if (error.code === "context_length_exceeded") return say("errorContext");
  if (error.status === 401) return say("error401");
  if (error.status === 429) return say("error429");
  if (error.status === 503) return say("error503");
  return `${say("errorOther")}: ${error.message}`;
}

function now(): number {
  return Date.now() / 1000;
}
