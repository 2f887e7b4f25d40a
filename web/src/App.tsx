// The page: conversations at the side, the current one in the middle, the place to write below.

import { useEffect, useRef, useState } from "preact/hooks";
import { Composer } from "./Composer.tsx";
import { asJson, asMarkdown } from "./export.ts";
import { Icon } from "./icons.tsx";
import { Message } from "./Message.tsx";
import { KeyForm, Settings } from "./Settings.tsx";
import { Sidebar } from "./Sidebar.tsx";
import * as store from "./store.ts";
import { say } from "./store.ts";
import { titleOf } from "./tree.ts";

export function App() {
  const [menu, setMenu] = useState(false);
  const [settings, setSettings] = useState(false);
  const { theme } = store.preferences.value;
  useEffect(() => {
    document.documentElement.lang = store.language.value;
    document.documentElement.dataset.theme = theme;
  }, [store.language.value, theme]);
  useShortcuts(() => setMenu(false));
  return (
    <div class={menu ? "app menu-open" : "app"}>
      <a class="skip" href="#message">
        {say("skip")}
      </a>
      <Sidebar close={() => setMenu(false)} />
      <main>
        <Top openMenu={() => setMenu(true)} openSettings={() => setSettings(true)} />
        {!store.online.value && (
          <p class="banner" role="status">
            {say("offline")}
          </p>
        )}
        {store.notice.value && (
          <p class="banner" role="alert">
            {store.notice.value}
          </p>
        )}
        <Conversation />
        <footer class="foot">
          {store.needsKey.value ? <AskForKey /> : <Composer />}
        </footer>
      </main>
      {settings && <Settings close={() => setSettings(false)} />}
      {!store.noticeSeen.value && <Notice />}
      <div class="hidden" role="status" aria-live="polite">
        {store.spoken.value}
      </div>
    </div>
  );
}

function useShortcuts(escape: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.isComposing) return;
      if (event.key === "Escape") {
        if (store.running.value) store.stop();
        escape();
      } else if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault();
        void store.fresh();
        document.getElementById("message")?.focus();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}

function Top({ openMenu, openSettings }: { openMenu: () => void; openSettings: () => void }) {
  const models = store.config.value?.models ?? [];
  return (
    <header class="top">
      <button type="button" class="quiet only-narrow" aria-label={say("menu")} onClick={openMenu}>
        <Icon name="menu" />
      </button>
      <label class="model">
        <span class="hidden">{say("model")}</span>
        <select value={store.preferences.value.model} onChange={(event) => store.prefer({ model: event.currentTarget.value })}>
          {models.map((model) => (
            <option key={model}>{model}</option>
          ))}
        </select>
      </label>
      <span class="space" />
      {store.shown.value.length > 0 && <Export />}
      <button type="button" class="quiet language" onClick={() => store.prefer({ language: store.language.value === "ko" ? "en" : "ko" })} lang={store.language.value === "ko" ? "en" : "ko"}>
        {store.language.value === "ko" ? "English" : "한국어"}
      </button>
      <button type="button" class="quiet" aria-label={say("settings")} title={say("settings")} onClick={openSettings}>
        <Icon name="gear" />
      </button>
    </header>
  );
}

function Export() {
  const save = (text: string, type: string, suffix: string) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `${titleOf(store.tree.value).replace(/[^\p{L}\p{N} _-]/gu, "").trim() || "axk1"}.${suffix}`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <details class="export">
      <summary aria-label={say("export")} title={say("export")}>
        <Icon name="down" />
      </summary>
      <div class="menu">
        <button type="button" onClick={() => save(asMarkdown(store.tree.value, store.mark.value, store.language.value), "text/markdown", "md")}>
          {say("asMarkdown")}
        </button>
        <button type="button" onClick={() => save(asJson(store.tree.value, store.mark.value), "application/json", "json")}>
          {say("asJson")}
        </button>
      </div>
    </details>
  );
}

function Conversation() {
  const box = useRef<HTMLDivElement>(null);
  const below = useRef(true);
  const nodes = store.shown.value;
  useEffect(() => {
    if (below.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const watch = () => {
    const area = box.current;
    if (area) below.current = area.scrollHeight - area.scrollTop - area.clientHeight < 80;
  };
  return (
    <div class="conversation" ref={box} onScroll={watch} role="region" aria-label={say("conversation")} tabindex={0}>
      {nodes.length === 0 ? (
        <div class="welcome">
          <h1>{say("welcome")}</h1>
          <p>{words()}</p>
        </div>
      ) : (
        nodes.map((node, place) => <Message key={node.id} node={node} last={place === nodes.length - 1} />)
      )}
    </div>
  );
}

/** What people are told before they begin. */
function words(): string {
  return store.config.value?.notice[store.language.value] ?? "";
}

function Notice() {
  const dialog = useRef<HTMLDialogElement>(null);
  const text = words();
  useEffect(() => {
    if (text && !dialog.current?.open) dialog.current?.showModal();
  }, [text]);
  if (!text) return null;
  return (
    <dialog ref={dialog} class="notice" aria-labelledby="notice-title" onClose={store.seeNotice}>
      <h2 id="notice-title">{say("noticeTitle")}</h2>
      <p>{text}</p>
      <button type="button" class="primary" onClick={store.seeNotice}>
        {say("understood")}
      </button>
    </dialog>
  );
}

function AskForKey() {
  return (
    <div class="ask">
      <p>{say("keyNeeded")}</p>
      <KeyForm />
    </div>
  );
}
