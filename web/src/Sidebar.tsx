// The list of conversations: new, search, open, delete.

import { Icon } from "./icons.tsx";
import * as store from "./store.ts";
import { say } from "./store.ts";

let waiting: ReturnType<typeof setTimeout> | undefined;

export function Sidebar({ close }: { close: () => void }) {
  const search = (text: string) => {
    store.query.value = text;
    clearTimeout(waiting);
    waiting = setTimeout(() => void store.refresh(), 150);
  };
  return (
    <nav class="sidebar" aria-label={say("menu")}>
      <div class="row">
        <button
          type="button"
          class="wide"
          onClick={() => {
            store.fresh();
            close();
          }}
        >
          <Icon name="plus" /> {say("newChat")}
        </button>
        <button type="button" class="quiet only-narrow" aria-label={say("closeMenu")} onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <input
        type="search"
        placeholder={say("search")}
        aria-label={say("search")}
        value={store.query.value}
        onInput={(event) => search(event.currentTarget.value)}
      />
      {store.entries.value.length === 0 && <p class="aside">{say(store.query.value ? "nothingFound" : "noChats")}</p>}
      <ul>
        {store.entries.value.map((entry) => (
          <li key={entry.id} class={entry.id === store.conversation.value.id ? "current" : ""}>
            <button
              type="button"
              class="entry"
              aria-current={entry.id === store.conversation.value.id ? "page" : undefined}
              onClick={() => {
                void store.open(entry.id);
                close();
              }}
            >
              <span>{entry.title || say("untitled")}</span>
              {store.query.value && entry.snippet && <small>{entry.snippet}</small>}
            </button>
            <button
              type="button"
              class="quiet"
              aria-label={`${entry.title || say("untitled")} ${say("delete")}`}
              onClick={() => confirm(say("deleteSure")) && void store.remove(entry.id)}
            >
              <Icon name="trash" />
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
