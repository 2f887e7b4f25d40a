// Server-sent events from bytes that are cut anywhere: lines may end in \n, \r\n or \r, characters in mid-way.

export interface ServerEvent {
  event: string;
  data: string;
}

/** Takes pieces of text; gives the events that they complete. */
export class EventReader {
  private buffer = "";
  private event = "message";
  private data: string[] = [];

  push(text: string): ServerEvent[] {
    this.buffer += text;
    const events: ServerEvent[] = [];
    for (;;) {
      const end = this.buffer.search(/\r|\n/);
      // a \r at the very end may be half of \r\n
      if (end < 0 || (this.buffer[end] === "\r" && end + 1 === this.buffer.length)) return events;
      const line = this.buffer.slice(0, end);
      this.buffer = this.buffer.slice(this.buffer.startsWith("\r\n", end) ? end + 2 : end + 1);
      const done = this.line(line);
      if (done) events.push(done);
    }
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") {
      const found = this.data.length ? { event: this.event, data: this.data.join("\n") } : undefined;
      this.event = "message";
      this.data = [];
      return found;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.data.push(value);
    else if (name === "event") this.event = value;
    return undefined;
  }
}

/** The events of a response's body. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = new EventReader();
  const decoder = new TextDecoder();
  const source = body.getReader();
  try {
    for (;;) {
      const { done, value } = await source.read();
      if (done) return;
      yield* reader.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    source.cancel().catch(() => undefined);
  }
}
