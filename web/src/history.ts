// Where conversations are kept: in this browser (IndexedDB), or on the server under the user's key.

import { ApiError, failed, headers } from "./api.ts";
import type { Tree } from "./tree.ts";

export interface Entry {
  id: string;
  title: string;
  updated_at: number;
  snippet: string;
}

export interface Kept {
  id: string;
  title: string;
  tree: Tree;
  /** The server's; undefined for one that it does not know yet. */
  revision?: number | string;
}

export interface History {
  list(query: string): Promise<Entry[]>;
  get(id: string): Promise<Kept>;
  /** Gives the new revision; ApiError 412 when somebody else changed it. */
  put(kept: Kept): Promise<number | string | undefined>;
  delete(id: string): Promise<void>;
}

const STORE = "conversations";

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("axk1", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function withStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error); // the disk is full: known only at the end
    });
  } finally {
    database.close();
  }
}

interface Stored extends Kept {
  updated_at: number;
}

export class BrowserHistory implements History {
  async list(query: string): Promise<Entry[]> {
    const all = await withStore<Stored[]>("readonly", (store) => store.getAll());
    return found(all, query);
  }

  async get(id: string): Promise<Kept> {
    const kept = await withStore<Stored | undefined>("readonly", (store) => store.get(id));
    if (!kept) throw new ApiError(404, "no such conversation");
    return kept;
  }

  async put(kept: Kept): Promise<undefined> {
    const stored: Stored = { ...kept, updated_at: Date.now() / 1000 };
    await withStore("readwrite", (store) => store.put(stored));
  }

  async delete(id: string): Promise<void> {
    await withStore("readwrite", (store) => store.delete(id));
  }
}

/** Newest first; those whose title or text holds the query. */
export function found(all: Stored[], query: string): Entry[] {
  const wanted = query.trim().normalize("NFC").toLocaleLowerCase();
  const entries: Entry[] = [];
  for (const kept of all) {
    const texts = [kept.title, ...Object.values(kept.tree.nodes).map((node) => node.content)];
    const hit = texts.find((text) => text.normalize("NFC").toLocaleLowerCase().includes(wanted));
    if (hit !== undefined) {
      entries.push({ id: kept.id, title: kept.title, updated_at: kept.updated_at, snippet: wanted ? around(hit, wanted) : "" });
    }
  }
  return entries.sort((one, other) => other.updated_at - one.updated_at);
}

function around(text: string, wanted: string): string {
  const at = text.toLocaleLowerCase().indexOf(wanted);
  return text.slice(Math.max(0, at - 20), at + wanted.length + 40).replaceAll("\n", " ");
}

const PLACE = "/web/api/conversations";

export class ServerHistory implements History {
  constructor(private readonly key: string) {}

  async list(query: string): Promise<Entry[]> {
    const response = await fetch(`${PLACE}?limit=100&query=${encodeURIComponent(query)}`, { headers: headers(this.key) });
    if (!response.ok) throw await failed(response);
    return (await response.json()).data;
  }

  async get(id: string): Promise<Kept> {
    const response = await fetch(`${PLACE}/${id}`, { headers: headers(this.key) });
    if (!response.ok) throw await failed(response);
    return response.json();
  }

  async put(kept: Kept): Promise<number | string | undefined> {
    const match: Record<string, string> = kept.revision === undefined ? {} : { "If-Match": String(kept.revision) };
    const response = await fetch(`${PLACE}/${kept.id}`, {
      method: "PUT",
      headers: { ...headers(this.key), ...match, "Content-Type": "application/json" },
      body: JSON.stringify({ title: kept.title, tree: kept.tree }),
    });
    if (!response.ok) throw await failed(response);
    return (await response.json()).revision;
  }

  async delete(id: string): Promise<void> {
    const response = await fetch(`${PLACE}/${id}`, { method: "DELETE", headers: headers(this.key) });
    if (!response.ok) throw await failed(response);
  }
}
