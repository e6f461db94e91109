// The page's one connection. It subscribes after the cursors the page holds, hears,
// and comes back by itself, by whichever way gets through.

import { delay, retryMs, type Verdict, verdict } from "./backoff";
import { Choice } from "./choose";
import type { Message } from "./frame";
import { Resume } from "./resume";
import { CUT, type End, type Open, type Transport, type Way } from "./transport";
import { STILL, Wake } from "./wake";

const DEAD_AFTER = 45_000; // ms of silence; event streams and polls say something every 20 s
const DEAD_AFTER_MOST = 900_000;
const STEADY_AFTER = 10_000; // a connection that lived this long starts the backoff anew
const OPEN_WITHIN = 10_000; // ms; what does not open at all is tried anew
const HEARD_LATELY = 2000; // ms
const TRY_FOR = 5000; // ms that a better way may take
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
  /** message gets every message; first says that it is its topic's first one on this connection. */
  message(m: Message, first: boolean): void;
  link(l: Link): void;
  /** expecting says whether readings should be arriving now, so that silence is suspicious. */
  expecting(): boolean;
}

/** Answer is what plain HTTP says of this viewer's right to connect. */
export type Answer =
  | { may: "yes"; took: number } // ms
  | { may: "no"; say: string }
  | { may: "later"; ms: number }
  | { may: "unknown" }; // nobody answered

/** Outside is what a connection needs of the world. */
export interface Outside {
  open: Open;
  /** ask asks by plain HTTP why a connection does not open: browsers hide it. */
  ask(): Promise<Answer>;
  /** way is the one that this tab used last. */
  way: string;
}

export class Live {
  readonly resume = new Resume();
  /** How often a lost connection came back. */
  resumes = 0;
  private readonly choice: Choice;
  private readonly wake = new Wake();
  private readonly subscriptions: Subscription[] = [];
  private transport: Transport | null = null;
  private trying: Transport | null = null;
  private link: Link = { state: "connecting" };
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined; // until it connects again, or asks why it does not open
  private hidden = false;
  private away = false; // the page was left, and may come back
  private paused = false;
  private welcomed = false;
  private begun = 0; // when this connection was begun
  private asked = 0; // when what is answered now was asked for
  private opened = 0;
  private heard = 0;
  private patience = DEAD_AFTER;
  private drainMs = 0;
  private tryTimer: ReturnType<typeof setTimeout> | undefined; // until a better way is tried

  constructor(
    private readonly outside: Outside,
    private readonly sink: Sink,
  ) {
    this.choice = new Choice(outside.way);
  }

  /** way is the kind of connection that is used. */
  get way(): Way {
    return this.choice.way;
  }

  subscribe(s: Subscription): void {
    this.subscriptions.push(s);
    if (!this.tell(this.request(s, this.subscriptions.length, AFTER_BYTES))) this.anew();
  }

  /** renew asks anew for what was subscribed, after it was changed: as a snapshot, or going on after what the page has. */
  renew(changed: readonly Subscription[], fresh: boolean): void {
    if (fresh) for (const s of changed) this.resume.forget(s.topics);
    const asks = [...this.subscriptions.entries()].filter(([, s]) => changed.includes(s));
    if (!asks.every(([i]) => this.tell({ type: "unsubscribe", id: i + 1 }))) return this.anew();
    for (const [i, s] of asks) this.tell(this.request(s, i + 1, AFTER_BYTES));
  }

  /** askedAgo is how long ago that was asked for which is answered now, in ms. */
  askedAgo(): number {
    return performance.now() - this.asked;
  }

  /** connect opens a connection unless there is one. */
  connect(): void {
    if (this.transport || this.away || this.link.state === "stopped") return;
    if (this.hidden && this.way !== "websocket") return; // what cannot pause rests while nobody looks
    clearTimeout(this.timer);
    this.begun = this.asked = performance.now();
    this.welcomed = false;
    const mine = () => this.transport === transport;
    const transport = this.outside.open(this.way, () => this.requests(), {
      begins: (asked) => mine() && this.begins(asked),
      message: (m) => mine() && this.hear(m),
      alive: () => mine() && this.sound(),
      ended: (how) => mine() && this.ended(how),
    });
    this.transport = transport;
    this.lateIn(transport);
  }

  /** check is called every second while the page is visible: a connection may die without a word. */
  check(): void {
    if (this.wake.slept(true)) return this.restart();
    const beats = this.way !== "websocket"; // a socket's pings are not seen here
    if (this.link.state !== "live" || this.silent() < (beats ? DEAD_AFTER : this.patience)) return;
    if (!beats && !this.sink.expecting()) return;
    // Perhaps the sender stopped and the connection is fine: be more patient each time.
    this.patience = Math.min(this.patience * 2, DEAD_AFTER_MOST);
    this.restart();
  }

  /** hide hears that nobody sees the page. */
  hide(): void {
    this.hidden = true;
    this.stopTrying();
    this.pause();
  }

  /** show hears that somebody sees it again. */
  show(): void {
    this.hidden = false;
    this.pause();
    if (this.wake.slept(false) || !this.transport || this.silent() >= DEAD_AFTER) this.restart();
  }

  /** leave ends the connection of a page that goes away: the back-forward cache takes none with one. */
  leave(): void {
    this.away = true;
    this.stopTrying();
    this.drop();
    clearTimeout(this.timer);
  }

  /** comeBack hears that the page is out of the back-forward cache. */
  comeBack(): void {
    this.away = false;
    this.wake.slept(false);
    this.restart();
  }

  /** stir hears of what may follow a sleep. */
  stir(): void {
    if (this.wake.slept(false)) this.restart();
  }

  /** thaw hears that the page runs again after it was frozen. */
  thaw(): void {
    if (this.wake.slept(false) || this.silent() >= HEARD_LATELY) this.restart();
  }

  /** online hears that the machine has a network again. */
  online(): void {
    if (this.silent() >= HEARD_LATELY) this.restart();
  }

  /** silent is how long this connection has said nothing: one that was begun just now is owed an answer. */
  private silent(): number {
    return performance.now() - Math.max(this.heard, this.begun);
  }

  private requests(): object[] {
    // A socket sends one message for each, the others all in one.
    const room = this.way === "websocket" ? AFTER_BYTES : AFTER_BYTES / Math.max(this.subscriptions.length, 1);
    return this.subscriptions.map((s, i) => this.request(s, i + 1, room));
  }

  private request(s: Subscription, id: number, room: number): object {
    const request = { type: "subscribe", id, topics: s.topics, after: this.resume.after(s.topics, room), window: s.window, points: s.points, rate: s.rate, rates: true };
    return s.dashboard ? { ...request, dashboard: s.dashboard } : request;
  }

  /** tell is false when the connection cannot be told. Where there is none, the next one asks for everything anyway. */
  private tell(message: object): boolean {
    return this.transport?.tell(message) ?? true;
  }

  /** anew opens the connection again with what is wanted now. */
  private anew(): void {
    this.drop();
    this.connect();
  }

  private drop(): void {
    const old = this.transport;
    this.transport = null;
    old?.end();
  }

  private begins(asked: number): void {
    this.asked = asked;
    this.sound();
    if (this.welcomed) return; // the next of several polls
    this.resume.connected();
    this.paused = false;
    this.pause();
  }

  private sound(): void {
    this.heard = performance.now();
  }

  private hear(m: Message): void {
    this.sound();
    if (m.type === "drain") this.drainMs = Math.max(m.retry_ms, 1);
    if (m.type === "welcome") this.welcome();
    if (m.type === "readings" && m.rows.length > 0) this.patience = DEAD_AFTER;
    const first = "topic" in m && m.topic !== undefined && this.resume.confirms(m.topic);
    this.sink.message(m, first);
    this.resume.accept(m);
  }

  private welcome(): void {
    if (this.welcomed) return; // a poll is welcomed with every answer
    this.welcomed = true;
    clearTimeout(this.timer);
    this.choice.opened();
    this.opened = performance.now();
    this.drainMs = 0;
    if (this.way !== "websocket" && !this.trying) this.tryLater();
    if (this.link.state === "again") this.resumes++;
    this.settle({ state: "live" });
  }

  private ended(how: End): void {
    this.transport = null;
    clearTimeout(this.timer);
    if (!this.welcomed && how.code === CUT.code) void this.refused();
    else this.closed(verdict(how.code, how.reason), how.code === 1012 ? retryMs(how.reason) : 0);
  }

  private closed(v: Verdict, told: number): void {
    if (!v.again) return this.settle({ state: "stopped", say: v.say });
    if (v.slower) for (const s of this.subscriptions) s.rate = Math.max(1, s.rate / 2);
    if (this.welcomed && performance.now() - this.opened >= STEADY_AFTER) this.attempt = 0;
    const ms = told || this.drainMs;
    this.drainMs = 0;
    this.again(ms > 0 ? ms : Math.max(v.least, delay(this.attempt, Math.random())));
    this.attempt++;
  }

  /** refused is a connection that ended before its first message. */
  private async refused(): Promise<void> {
    const answer = await this.outside.ask();
    if (this.transport || this.away) return;
    if (answer.may === "no") this.settle({ state: "stopped", say: answer.say });
    else if (answer.may === "yes" && this.choice.refused()) this.change();
    else this.closed({ ...verdict(CUT.code, ""), least: answer.may === "later" ? answer.ms : 0 }, 0);
  }

  private lateIn(transport: Transport): void {
    const ms = this.choice.patience;
    const from = performance.now();
    this.timer = setTimeout(() => {
      // A page that stood still learned nothing of how long a connection takes.
      if (performance.now() - from >= ms + STILL) this.restart();
      else void this.late(transport);
    }, ms);
  }

  /** late is a connection that has not heard its first message yet. */
  private async late(transport: Transport): Promise<void> {
    const answer = await this.outside.ask();
    if (transport !== this.transport || this.welcomed) return;
    const ms = performance.now() - this.begun;
    if (answer.may === "no") {
      this.drop();
      this.settle({ state: "stopped", say: answer.say });
    } else if (answer.may === "yes" && this.choice.late(ms, answer.took)) this.change();
    else if (ms >= OPEN_WITHIN) {
      this.drop();
      this.closed(verdict(CUT.code, ""), 0);
    } else this.lateIn(transport);
  }

  /** change goes over to another way. */
  private change(): void {
    this.stopTrying();
    this.drop();
    // The best way once more after all others failed: there is no hurry.
    if (this.way === "websocket" && this.link.state !== "live") this.closed(verdict(CUT.code, ""), 0);
    else this.connect();
  }

  /** try looks whether a better way gets through, beside the one that is used. */
  private try(): void {
    this.tryTimer = undefined;
    const way = this.choice.better();
    const over = (works: boolean) => {
      if (this.trying !== trying) return;
      clearTimeout(timer);
      this.stopTrying();
      if (works) {
        this.choice.found(way);
        this.change();
      } else {
        this.choice.failed();
        this.tryLater();
      }
    };
    const trying = this.outside.open(way, () => (way === "websocket" ? [] : this.requests()), {
      begins: () => {},
      message: (m) => m.type === "welcome" && over(true),
      alive: () => {},
      ended: () => over(false),
    });
    this.trying = trying;
    const timer = setTimeout(() => over(false), TRY_FOR);
  }

  private tryLater(): void {
    this.tryTimer ??= setTimeout(() => this.try(), this.choice.tryIn());
  }

  private stopTrying(): void {
    clearTimeout(this.tryTimer);
    this.tryTimer = undefined;
    this.trying?.end();
    this.trying = null;
  }

  private again(ms: number): void {
    if (this.link.state !== "again") this.settle({ state: "again", since: performance.now() });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), ms);
  }

  private settle(link: Link): void {
    this.link = link;
    this.sink.link(link);
  }

  /** restart drops a connection that looks dead and opens another at once. One sleep is told of in several ways; it is over now. */
  private restart(): void {
    if (this.link.state === "stopped") return;
    this.wake.slept(false);
    this.stopTrying();
    this.drop();
    this.again(0);
  }

  private pause(): void {
    if (this.paused === this.hidden || !this.transport) return;
    this.paused = this.hidden;
    if (!this.tell({ type: this.hidden ? "pause" : "resume" })) this.drop();
  }
}
