// Server-Sent Events over fetch: what is left where no WebSocket gets through. An
// EventSource would not do: it can send no cursors, and hides why it failed.

import { decode } from "./frame";
import { CUT, type Ear, type End, post, type Transport } from "./transport";

export class Stream implements Transport {
  private readonly abort = new AbortController();
  private readonly events = new Events();

  constructor(
    url: string,
    wants: () => object[],
    private readonly ear: Ear,
  ) {
    this.read(url, wants()).then(
      (how) => this.ended(how),
      () => this.ended(CUT),
    );
  }

  /** tell can tell nothing: an event stream has one direction. */
  tell(): boolean {
    return false;
  }

  end(): void {
    this.abort.abort();
  }

  private async read(url: string, wants: object[]): Promise<End> {
    const asked = performance.now();
    const answer = await fetch(url, post(wants, this.abort.signal));
    if (!answer.ok || !answer.body) return CUT;
    this.ear.begins(asked);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.abort.signal.aborted) return CUT;
      this.ear.alive();
      for (const e of this.events.take(value)) {
        if (e.name === "close") return endOf(e.data);
        const m = decode(e.data);
        if (m) this.ear.message(m);
        if (this.abort.signal.aborted) return CUT;
      }
    }
  }

  private ended(how: End): void {
    this.end();
    this.ear.ended(how);
  }
}

/** endOf reads what a server says when it ends a connection: its reason is that of a close frame. */
export function endOf(close: unknown): End {
  try {
    const said = (typeof close === "string" ? JSON.parse(close) : close) as { code?: unknown; reason?: unknown; retry_ms?: unknown } | null;
    if (typeof said?.code !== "number") return CUT;
    const reason = typeof said.reason === "string" ? said.reason : "";
    return { code: said.code, reason: typeof said.retry_ms === "number" && said.retry_ms > 0 ? `retry_ms=${said.retry_ms}` : reason };
  } catch {
    return CUT;
  }
}

/** Events cuts a stream of text into its events. */
export class Events {
  private rest = "";
  private name = "";
  private data: string[] = [];

  take(text: string): { name: string; data: string }[] {
    const found: { name: string; data: string }[] = [];
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (let line of lines) {
      if (line.endsWith("\r")) line = line.slice(0, -1);
      if (line === "") {
        if (this.data.length > 0) found.push({ name: this.name, data: this.data.join("\n") });
        this.name = "";
        this.data = [];
      } else if (line.startsWith("data:")) this.data.push(line.slice(line[5] === " " ? 6 : 5));
      else if (line.startsWith("event:")) this.name = line.slice(6).trim();
    }
    return found;
  }
}
