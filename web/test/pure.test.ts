// The parts of the page that need no browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { messagesOf, piecesOf, withCall } from "../src/api.ts";
import { asCopy, asJson, asMarkdown } from "../src/export.ts";
import { found } from "../src/history.ts";
import { EventReader } from "../src/sse.ts";
import { added, changed, emptyTree, path, place, titleOf, turned, whole } from "../src/tree.ts";
import type { Node, Tree } from "../src/tree.ts";

const MARK = { label: "AI가 만든 답변", operator: "시험 회사" };

function say(tree: Tree, id: string, role: Node["role"], content: string, parent = tree.current): Tree {
  return added(tree, { id, parent, role, content, created_at: 0, model: "nano" });
}

test("events are the same however their text is cut", () => {
  const text = ': hello\r\n\r\nevent: error\ndata: {"가":1}\ndata: 나\n\ndata: [DONE]\r\n\r\n';
  const whole = new EventReader().push(text);
  assert.deepEqual(whole, [
    { event: "error", data: '{"가":1}\n나' },
    { event: "message", data: "[DONE]" },
  ]);
  for (let cut = 0; cut <= text.length; cut++) {
    const reader = new EventReader();
    assert.deepEqual([...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))], whole);
  }
});

test("editing and answering again make branches, and nothing is lost", () => {
  let tree = say(emptyTree(0, "r"), "q1", "user", "하나");
  tree = say(tree, "a1", "assistant", "답");
  tree = say(tree, "q2", "user", "둘", tree.root);
  assert.deepEqual(path(tree).map((node) => node.id), ["q2"]);
  assert.deepEqual(place(tree, "q2"), { at: 1, of: 2 });
  tree = turned(tree, "q2", -1);
  assert.deepEqual(path(tree).map((node) => node.id), ["q1", "a1"]);
  assert.equal(turned(tree, "q1", -1), tree);
  assert.equal(changed(tree, "a1", { content: "새 답" }).nodes.a1?.content, "새 답");
  assert.equal(tree.nodes.a1?.content, "답");
});

test("a title is the first question's first line, cut between characters", () => {
  assert.equal(titleOf(say(emptyTree(0, "r"), "q", "user", "안녕\n하세요")), "안녕");
  assert.equal(titleOf(say(emptyTree(0, "r"), "q", "user", "👍".repeat(80))), `${"👍".repeat(60)}…`);
});

test("every export says that AI made its answers", () => {
  const tree = say(say(emptyTree(0, "r"), "q", "user", "하나"), "a", "assistant", "답");
  assert.match(asMarkdown(tree, MARK, "ko"), /AI가 만든 답변 · nano · 시험 회사 · 1970/);
  const json = JSON.parse(asJson(tree, MARK));
  assert.equal(json.notice.made_by_ai, true);
  assert.equal(json.messages[1].made_by_ai, true);
  assert.equal(json.messages[0].made_by_ai, undefined);
  assert.match(asCopy(tree.nodes.a!, MARK), /^답\n\n— AI가 만든 답변/);
  assert.equal(asCopy(tree.nodes.q!, MARK), "하나");
});

test("tool calls are put together from their pieces", () => {
  const chunks = [
    { choices: [{ delta: { tool_calls: [{ index: 0, id: "c1", function: { name: "f", arguments: "" } }] } }] },
    { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] } }] },
    { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: "1}" } }] }, finish_reason: "tool_calls" }] },
  ];
  let calls: ReturnType<typeof withCall> = [];
  for (const piece of chunks.flatMap((chunk) => [...piecesOf(chunk)])) {
    if (piece.call) calls = withCall(calls, piece.call);
  }
  assert.deepEqual(calls, [{ id: "c1", name: "f", arguments: '{"a":1}' }]);
  assert.throws(() => [...piecesOf({ error: { message: "멈춤", code: null } })], /멈춤/);
});

test("attachments stand before what was said with them", () => {
  const node = { role: "user", content: "요약해 줘", attachments: [{ name: "글.txt", text: "가나다" }] } as Node;
  assert.deepEqual(messagesOf([node], " "), [{ role: "user", content: "글.txt:\n```\n가나다\n```\n\n요약해 줘" }]);
});

test("search finds Hangul in any Unicode form, newest first", () => {
  const kept = (id: string, content: string, updated_at: number) => ({
    id, title: id, updated_at, tree: say(emptyTree(0, "r"), "q", "user", content),
  });
  const all = [kept("old", "서울 날씨", 1), kept("new", "서울 지도".normalize("NFD"), 2), kept("other", "부산", 3)];
  assert.deepEqual(found(all, "서울").map((entry) => entry.id), ["new", "old"]);
  assert.equal(found(all, "").length, 3);
});

test("a call that was cut off is known", () => {
  const call = (text: string) => whole({ id: "c", name: "f", arguments: text });
  assert.deepEqual(["", "{}", '{"a": 1}', '{"a'].map(call), [true, true, true, false]);
});
