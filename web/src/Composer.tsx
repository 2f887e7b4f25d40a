// Where people write. Enter sends, but not the Enter that ends a Hangul syllable's composition.

import { useEffect, useRef, useState } from "preact/hooks";
import { countTokens } from "./api.ts";
import { Icon } from "./icons.tsx";
import * as store from "./store.ts";
import { say } from "./store.ts";
import type { Attachment } from "./tree.ts";

const MOST_BYTES = 1 << 20;

interface Attached extends Attachment {
  tokens?: number;
}

/** Whether a key press sends: an input method's own Enter comes with isComposing, in Safari with the key code 229. */
export function sends(event: Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">): boolean {
  return event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
}

export function Composer() {
  const [text, setText] = useState("");
  const [files, setFiles] = useState<Attached[]>([]);
  const [trouble, setTrouble] = useState("");
  const box = useRef<HTMLTextAreaElement>(null);
  const busy = store.running.value !== null;
  const thinking = store.preferences.value.sampling.thinking;

  useEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 240)}px`;
  }, [text]);

  const submit = () => {
    if (busy || (!text.trim() && files.length === 0)) return;
    void store.send(text, files.map(({ name, text: content }) => ({ name, text: content })));
    setText("");
    setFiles([]);
  };

  const attach = async (list: FileList | null) => {
    setTrouble("");
    for (const file of list ?? []) {
      const read = await readText(file);
      if (typeof read === "string") setTrouble(read);
      else {
        setFiles((before) => [...before, read]);
        void measure(read).then((tokens) => setFiles((all) => all.map((one) => (one === read ? { ...one, tokens } : one))));
      }
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void attach(event.dataTransfer?.files ?? null);
      }}
    >
      {files.length > 0 && (
        <ul class="files">
          {files.map((file) => (
            <li class="chip" key={file.name}>
              {file.name}
              {file.tokens !== undefined && ` · ${file.tokens} ${say("tokens")}`}
              <button type="button" class="quiet" aria-label={`${file.name} ${say("remove")}`} onClick={() => setFiles(files.filter((one) => one !== file))}>
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      {trouble && (
        <p class="error" role="alert">
          {trouble}
        </p>
      )}
      <textarea
        id="message"
        ref={box}
        rows={1}
        value={text}
        placeholder={say("message")}
        aria-label={say("message")}
        aria-describedby="hint"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (!sends(event)) return;
          event.preventDefault();
          submit();
        }}
      />
      <div class="row">
        <label class="button quiet" title={say("attach")}>
          <Icon name="clip" />
          <span class="hidden">{say("attach")}</span>
          <input
            type="file"
            class="hidden"
            multiple
            onChange={(event) => {
              void attach(event.currentTarget.files);
              event.currentTarget.value = "";
            }}
          />
        </label>
        <button type="button" class="toggle" aria-pressed={thinking} onClick={() => store.preferSampling({ thinking: !thinking })}>
          <Icon name="bulb" /> {say("thinking")}
        </button>
        <span id="hint" class="hint">
          {say("hint")}
        </span>
        {busy ? (
          <button type="button" class="primary round" aria-label={say("stop")} title={say("stop")} onClick={store.stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" class="primary round" aria-label={say("send")} title={say("send")} disabled={!text.trim() && files.length === 0}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}

/** A text file, or what is wrong with it. */
async function readText(file: File): Promise<Attached | string> {
  if (file.size > MOST_BYTES) return `${file.name}: ${say("fileTooLarge")}`;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    if (text.includes("\0")) throw new TypeError("binary");
    return { name: file.name, text: text.normalize("NFC") };
  } catch {
    return `${file.name}: ${say("fileNotText")}`;
  }
}

async function measure(file: Attached): Promise<number | undefined> {
  try {
    return await countTokens(store.key.value, store.preferences.value.model, file.text);
  } catch {
    return undefined;
  }
}
