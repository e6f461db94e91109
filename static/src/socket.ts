// One socket for the whole page. It connects, subscribes after the cursors the
// page holds, hears, acknowledges, and comes back by itself.

import { delay, retryMs, type Verdict, verdict } from "./backoff";
import { decode, type Message } from "./frame";
import { Resume } from "./resume";

const DEAD_AFTER = 45_000; // ms of silence
const DEAD_AFTER_MOST = 900_000;
const STEADY_AFTER = 10_000; // a connection that lived this long starts the backoff anew
const ACK_BYTES = 16 * 1024;
const ACK_MS = 1000;
const AFTER_BYTES = 200_000; // of cursors in one message; the server reads 256 KiB

export interface Subscription {
  topics: string[];
  window: string;
  points: number;
  rate: number; // messages per second for each topic
  /** The slug of a dashboard of whose changes the server is to tell; empty for none. */
  dashboard?: string;
}

export type Link =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "again"; since: number } // ms of performance.now
  | { state: "stopped"; say: string };

export interface Sink {
  /** message gets every message; first says that it is its topic's first one on this socket. */
  message(m: Message, first: boolean): void;
  link(l: Link): void;
  /** expecting says whether readings should be arriving now, so that silence is suspicious. */
  expecting(): boolean;
}

export class Live {
  readonly resume = new Resume();
  private readonly subscriptions: Subscription[] = [];
  private socket: WebSocket | null = null;
  private link: Link = { state: "connecting" };
  private attempt = 0;
  private timer = 0;
  private ackTimer = 0;
  private paused = false;
  private begun = 0;
  private opened = 0;
  private lost = 0;
  private heard = 0;
  private patience = DEAD_AFTER;
  private drainMs = 0;
  private received = 0;
  private acked = 0;
  private ackedAt = 0;

  constructor(
    private readonly url: string,
    private readonly sink: Sink,
  ) {
    document.addEventListener("visibilitychange", () => this.visible());
    window.addEventListener("pageshow", (e) => e.persisted && this.wake());
    window.addEventListener("pagehide", () => this.leave());
    window.addEventListener("online", () => this.wake());
  }

  subscribe(s: Subscription): void {
    this.subscriptions.push(s);
    this.send(this.request(s, this.subscriptions.length, true));
  }

  /** renew asks anew for what was subscribed, after it was changed: as a snapshot, or going on after what the page has. */
  renew(changed: readonly Subscription[], fresh: boolean): void {
    this.subscriptions.forEach((s, i) => {
      if (!changed.includes(s)) return;
      this.send({ type: "unsubscribe", id: i + 1 });
    });
    this.subscriptions.forEach((s, i) => {
      if (changed.includes(s)) this.send(this.request(s, i + 1, !fresh));
    });
  }

  /** begunAgo is how long ago this connection was begun, in ms. */
  begunAgo(): number {
    return performance.now() - this.begun;
  }

  /** connect opens the socket unless there is one. */
  connect(): void {
    if (this.socket || this.link.state === "stopped") return;
    window.clearTimeout(this.timer);
    const socket = new WebSocket(this.url, "readout.v1");
    this.socket = socket;
    this.begun = performance.now();
    let open = false;
    socket.onopen = () => {
      open = true;
      this.opened = this.heard = performance.now();
      this.received = this.acked = this.drainMs = 0;
      this.paused = false;
      this.resume.connected();
      this.subscriptions.forEach((s, i) => this.send(this.request(s, i + 1, true)));
      this.visible();
    };
    socket.onmessage = (e: MessageEvent) => {
      if (socket === this.socket && typeof e.data === "string") this.hear(e.data);
    };
    socket.onclose = (e) => {
      if (socket !== this.socket) return;
      this.socket = null;
      if (open) this.closed(verdict(e.code, e.reason), e.code === 1012 ? retryMs(e.reason) : 0);
      else void this.refused();
    };
  }

  /** check is called now and then while the page is visible: a connection may die without a word. */
  check(): void {
    const silent = performance.now() - this.heard;
    if (this.link.state !== "live" || silent < this.patience || !this.sink.expecting()) return;
    // Perhaps the sender stopped and the connection is fine: be more patient each time.
    this.patience = Math.min(this.patience * 2, DEAD_AFTER_MOST);
    this.restart();
  }

  private request(s: Subscription, id: number, goOn: boolean): object {
    const after = goOn ? this.resume.after(s.topics, AFTER_BYTES) : {};
    const request = { type: "subscribe", id, topics: s.topics, after, window: s.window, points: s.points, rate: s.rate, rates: true };
    return s.dashboard ? { ...request, dashboard: s.dashboard } : request;
  }

  private send(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private hear(data: string): void {
    const now = performance.now();
    this.heard = now;
    this.received += byteLength(data);
    const m = decode(data);
    if (m) {
      if (m.type === "drain") this.drainMs = Math.max(m.retry_ms, 1);
      if (m.type === "welcome") this.settle({ state: "live" });
      if (m.type === "readings" && m.rows.length > 0) this.patience = DEAD_AFTER;
      const first = "topic" in m && m.topic !== undefined && this.resume.confirms(m.topic);
      this.sink.message(m, first);
      this.resume.accept(m);
    }
    if (this.received - this.acked >= ACK_BYTES || now - this.ackedAt >= ACK_MS) this.ack();
    else if (!this.ackTimer) this.ackTimer = window.setTimeout(() => this.ack(), ACK_MS);
  }

  private ack(): void {
    window.clearTimeout(this.ackTimer);
    this.ackTimer = 0;
    if (this.received === this.acked) return;
    this.acked = this.received;
    this.ackedAt = performance.now();
    this.send({ type: "ack", bytes: this.received });
  }

  private closed(v: Verdict, retry: number): void {
    window.clearTimeout(this.ackTimer);
    this.ackTimer = 0;
    if (!v.again) {
      this.settle({ state: "stopped", say: v.say });
      return;
    }
    if (v.slower) for (const s of this.subscriptions) s.rate = Math.max(1, s.rate / 2);
    if (performance.now() - this.opened >= STEADY_AFTER) this.attempt = 0;
    const told = retry || this.drainMs;
    this.opened = 0;
    this.drainMs = 0;
    this.again(told > 0 ? told : Math.max(v.least, delay(this.attempt, Math.random())));
    this.attempt++;
  }

  /** refused is a handshake that failed. The browser hides why; the server tells when asked. */
  private async refused(): Promise<void> {
    try {
      const answer = await fetch(new URL("/api/v1/session", this.url.replace(/^ws/, "http")), { cache: "no-store" });
      if (answer.status === 401 || answer.status === 403 || answer.status === 421) {
        const body = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
        this.settle({ state: "stopped", say: body?.error?.message || "not yours to see" });
        return;
      }
    } catch {
      // Nobody answers at all: that is what trying again is for.
    }
    if (!this.socket) this.closed(verdict(1006, ""), 0);
  }

  private again(ms: number): void {
    if (this.link.state !== "again") {
      this.lost = performance.now();
      this.settle({ state: "again", since: this.lost });
    }
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.connect(), ms);
  }

  private settle(link: Link): void {
    this.link = link;
    this.sink.link(link);
  }

  /** restart drops a connection that looks dead and opens another at once. */
  private restart(): void {
    const old = this.socket;
    this.socket = null;
    old?.close(1000);
    this.again(0);
  }

  /** wake is for events after which waiting makes no sense: the tab is shown, the network is back. */
  private wake(): void {
    if (this.link.state === "stopped") return;
    const open = this.socket?.readyState === WebSocket.OPEN;
    if (open && performance.now() - this.heard < DEAD_AFTER) return;
    if (open) this.restart();
    else if (!this.socket) this.connect();
  }

  private leave(): void {
    // A page in the back-forward cache may not hold a socket.
    const old = this.socket;
    this.socket = null;
    window.clearTimeout(this.timer);
    old?.close(1000);
  }

  private visible(): void {
    const hidden = document.visibilityState === "hidden";
    this.pause(hidden);
    if (!hidden) this.wake();
  }

  private pause(yes: boolean): void {
    if (this.paused === yes || this.socket?.readyState !== WebSocket.OPEN) return;
    this.paused = yes;
    this.send({ type: yes ? "pause" : "resume" });
  }
}

/** byteLength counts the bytes of a text as UTF-8, which is how the server counts what it sent. */
export function byteLength(s: string): number {
  let bytes = s.length;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c < 0x80) continue;
    bytes += c < 0x800 ? 1 : 2;
    if (c >= 0xd800 && c < 0xdc00) i++; // a pair of two units is four bytes
  }
  return bytes;
}
