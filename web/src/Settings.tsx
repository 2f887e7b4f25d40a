// Model, sampling, tools, key, language, where conversations are kept.

import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons.tsx";
import * as store from "./store.ts";
import { say } from "./store.ts";
import type { Word } from "./words.ts";

export function Settings({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const { system, sampling } = store.preferences.value;
  return (
    <dialog ref={dialog} class="settings" aria-labelledby="settings-title" onClose={close}>
      <header class="row">
        <h2 id="settings-title">{say("settings")}</h2>
        <button type="button" class="quiet" aria-label={say("close")} onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <div class="pair">
        <Choice label="language" value={store.language.value} options={{ ko: "한국어", en: "English" }} change={(language) => store.prefer({ language })} />
        <Choice
          label="theme"
          value={store.preferences.value.theme}
          options={{ auto: say("themeAuto"), light: say("themeLight"), dark: say("themeDark") }}
          change={(theme) => store.prefer({ theme })}
        />
        <Choice
          label="where"
          value={store.preferences.value.where}
          options={{ browser: say("inBrowser"), server: say("onServer") }}
          change={(where) => store.prefer({ where })}
        />
        <Choice
          label="effort"
          value={sampling.effort}
          options={{ "": say("effortAuto"), low: say("effortLow"), medium: say("effortMedium"), high: say("effortHigh") }}
          change={(effort) => store.preferSampling({ effort })}
        />
      </div>
      <label class="field">
        <span>{say("system")}</span>
        <textarea rows={3} value={system} aria-describedby="system-help" onChange={(event) => store.prefer({ system: event.currentTarget.value })} />
        <small id="system-help">{say("systemHelp")}</small>
      </label>
      <div class="pair">
        <Slide label="temperature" most={2} value={sampling.temperature} change={(temperature) => store.preferSampling({ temperature })} />
        <Slide label="topP" least={0.05} most={1} value={sampling.top_p} change={(top_p) => store.preferSampling({ top_p })} />
        <Whole label="topK" value={sampling.top_k} change={(top_k) => store.preferSampling({ top_k: top_k ?? 0 })} />
        <Whole label="maxTokens" value={sampling.max_tokens} change={(max_tokens) => store.preferSampling({ max_tokens: max_tokens || null })} />
        <Whole label="budget" value={sampling.thinking_budget} change={(thinking_budget) => store.preferSampling({ thinking_budget: thinking_budget || null })} />
        <Whole label="seed" value={sampling.seed} change={(seed) => store.preferSampling({ seed })} />
      </div>
      <Tools />
      {store.config.value?.keys && <KeyForm />}
    </dialog>
  );
}

export function Choice<T extends string>(props: {
  label: Word;
  value: T;
  options: Record<T, string>;
  change: (value: T) => void;
}) {
  return (
    <label class="field">
      <span>{say(props.label)}</span>
      <select value={props.value} onChange={(event) => props.change(event.currentTarget.value as T)}>
        {Object.entries<string>(props.options).map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Slide(props: { label: Word; least?: number; most: number; value: number; change: (value: number) => void }) {
  return (
    <label class="field">
      <span>
        {say(props.label)} <output>{props.value}</output>
      </span>
      <input
        type="range"
        min={props.least ?? 0}
        max={props.most}
        step={0.05}
        value={props.value}
        onInput={(event) => props.change(Number(event.currentTarget.value))}
      />
    </label>
  );
}

function Whole(props: { label: Word; value: number | null; change: (value: number | null) => void }) {
  return (
    <label class="field">
      <span>{say(props.label)}</span>
      <input
        type="number"
        min={0}
        step={1}
        value={props.value ?? ""}
        onChange={(event) => props.change(event.currentTarget.value === "" ? null : Math.max(0, Math.trunc(Number(event.currentTarget.value))))}
      />
    </label>
  );
}

function Tools() {
  const [wrong, setWrong] = useState(false);
  const change = (tools: string) => {
    store.prefer({ tools });
    try {
      store.tools();
      setWrong(false);
    } catch {
      setWrong(true);
    }
  };
  return (
    <label class="field">
      <span>{say("tools")}</span>
      <textarea
        rows={4}
        class="code"
        spellcheck={false}
        value={store.preferences.value.tools}
        placeholder='[{"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]'
        onChange={(event) => change(event.currentTarget.value)}
      />
      {wrong && (
        <small class="error" role="alert">
          {say("toolsWrong")}
        </small>
      )}
    </label>
  );
}

export function KeyForm() {
  const [value, setValue] = useState(store.key.value);
  const [keep, setKeep] = useState(false);
  return (
    <form
      class="key"
      onSubmit={(event) => {
        event.preventDefault();
        store.useKey(value, keep);
      }}
    >
      <label class="field">
        <span>{say("key")}</span>
        <input type="password" autocomplete="off" value={value} onInput={(event) => setValue(event.currentTarget.value)} />
      </label>
      <label class="check">
        <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.currentTarget.checked)} /> {say("keepKey")}
      </label>
      <button type="submit" class="primary" disabled={!value.trim()}>
        {say("useKey")}
      </button>
    </form>
  );
}
