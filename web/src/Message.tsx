// One message: what was said, what can be done with it, and for an answer the mark that AI made it.

import { useState } from "preact/hooks";
import { copied } from "./clipboard.ts";
import { asCopy } from "./export.ts";
import { Icon } from "./icons.tsx";
import { Markdown } from "./Markdown.tsx";
import * as store from "./store.ts";
import { say } from "./store.ts";
import { place } from "./tree.ts";
import type { Call, Node } from "./tree.ts";

export function Message({ node, last }: { node: Node; last: boolean }) {
  if (node.role === "assistant") return <Answer node={node} last={last} />;
  if (node.role === "tool") return <Result node={node} />;
  return <Question node={node} />;
}

function Question({ node }: { node: Node }) {
  const [editing, setEditing] = useState(false);
  return (
    <article class="message question" aria-label={say("you")}>
      {node.attachments?.map((file) => (
        <span class="chip" key={file.name}>
          <Icon name="clip" /> {file.name}
        </span>
      ))}
      {editing ? (
        <Editor node={node} done={() => setEditing(false)} />
      ) : (
        <div class="bubble">{node.content}</div>
      )}
      {!editing && (
        <div class="acts">
          <Branches node={node} />
          <CopyButton node={node} />
          <button type="button" class="quiet" title={say("edit")} aria-label={say("edit")} onClick={() => setEditing(true)}>
            <Icon name="edit" />
          </button>
        </div>
      )}
    </article>
  );
}

function Editor({ node, done }: { node: Node; done: () => void }) {
  const [text, setText] = useState(node.content);
  const submit = (event: Event) => {
    event.preventDefault();
    done();
    void store.edit(node.id, text);
  };
  return (
    <form class="editor" onSubmit={submit}>
      <textarea
        aria-label={say("edit")}
        value={text}
        rows={Math.min(12, text.split("\n").length + 1)}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && !event.isComposing && done()}
        autofocus
      />
      <div class="row">
        <button type="button" onClick={done}>
          {say("cancel")}
        </button>
        <button type="submit" class="primary" disabled={!text.trim()}>
          {say("save")}
        </button>
      </div>
    </form>
  );
}

function Answer({ node, last }: { node: Node; last: boolean }) {
  const streaming = last && store.running.value !== null;
  const open = new Set(last ? store.openCalls() : []);
  return (
    <article class="message answer" aria-label={say("assistant")} aria-busy={streaming}>
      <header class="who">
        <span class="avatar" aria-hidden="true">
          ai
        </span>
        <span>{node.model}</span>
        <span class="label">{store.mark.value.label}</span>
      </header>
      {node.reasoning && <Thoughts text={node.reasoning} busy={streaming && !node.content && !node.tool_calls} />}
      {node.content && <Markdown text={node.content} />}
      {node.tool_calls?.map((call) => (
        <CallCard key={call.id} call={call} open={!streaming && open.has(call.id)} />
      ))}
      {streaming && !node.content && !node.reasoning && <Dots />}
      {node.stopped && !streaming && <p class="aside">{node.usage ? say("cut") : say("stopped")}</p>}
      {node.error && (
        <p class="error" role="alert">
          {node.error}{" "}
          <button type="button" onClick={() => void store.again(node.id)}>
            {say("retry")}
          </button>
        </p>
      )}
      {!streaming && <AnswerActs node={node} />}
    </article>
  );
}

function AnswerActs({ node }: { node: Node }) {
  const { usage } = node;
  return (
    <div class="acts">
      <Branches node={node} />
      <CopyButton node={node} />
      <button type="button" class="quiet" title={say("again")} aria-label={say("again")} onClick={() => void store.again(node.id)}>
        <Icon name="again" />
      </button>
      {usage && (
        <span class="figures">
          {usage.completion_tokens} {say("tokens")} · {(usage.completion_tokens / Math.max(usage.seconds, 0.001)).toFixed(0)}{" "}
          {say("perSecond")}
        </span>
      )}
    </div>
  );
}

function Thoughts({ text, busy }: { text: string; busy: boolean }) {
  return (
    <details class="thoughts">
      <summary>
        <Icon name="bulb" /> {busy ? say("thinkingNow") : say("thought")}
      </summary>
      <div>{text}</div>
    </details>
  );
}

function Dots() {
  return (
    <p class="dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </p>
  );
}

function CallCard({ call, open }: { call: Call; open: boolean }) {
  const [text, setText] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    void store.giveResult(call.id, text);
  };
  return (
    <section class="call" aria-label={say("toolCall")}>
      <strong>{call.name}</strong>
      <code>{call.arguments}</code>
      {open && (
        <form onSubmit={submit}>
          <input
            aria-label={say("toolResult")}
            placeholder={say("toolResult")}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <button type="submit" class="primary">
            {say("sendResult")}
          </button>
        </form>
      )}
    </section>
  );
}

function Result({ node }: { node: Node }) {
  return (
    <article class="message call" aria-label={say("result")}>
      <strong>{say("result")}</strong>
      <code>{node.content}</code>
    </article>
  );
}

function Branches({ node }: { node: Node }) {
  const { at, of } = place(store.tree.value, node.id);
  if (of < 2) return null;
  return (
    <span class="branches">
      <button type="button" class="quiet" aria-label={say("previous")} disabled={at === 0} onClick={() => store.turn(node.id, -1)}>
        <Icon name="left" />
      </button>
      <span>
        {at + 1}/{of}
      </span>
      <button type="button" class="quiet" aria-label={say("next")} disabled={at + 1 === of} onClick={() => store.turn(node.id, 1)}>
        <Icon name="right" />
      </button>
    </span>
  );
}

function CopyButton({ node }: { node: Node }) {
  const copy = () =>
    void copied(asCopy(node, store.mark.value)).then(() => {
      store.spoken.value = say("copied");
    });
  return (
    <button type="button" class="quiet" title={say("copy")} aria-label={say("copy")} onClick={copy}>
      <Icon name="copy" />
    </button>
  );
}
