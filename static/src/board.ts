// The page: its topics, its panels, its one socket, its one clock.

import { Announcer } from "./announce";
import { Clock } from "./clock";
import { Crosshair } from "./crosshair";
import { setText } from "./dom";
import { type Feed, Feeds, type Known } from "./feed";
import type { Message } from "./frame";
import { Held } from "./held";
import { Latency } from "./latency";
import type { View } from "./lines";
import { type Link, Live, type Sink, type Subscription } from "./live";
import { Look } from "./look";
import { note, unnote } from "./notice";
import { type Page, Panel } from "./panel";
import { mountPanelKeys, type Screen } from "./panelkeys";
import { Past } from "./past";
import { ReadOut, wayWords } from "./readout";
import { Report, send } from "./report";
import type { Row } from "./row";
import { type Drawn, Schedule } from "./schedule";
import { StoreBanner } from "./storebanner";
import { Strokes } from "./strokes";
import { exchangeWords, load, swap } from "./swap";
import type { Tab } from "./tab";
import { localise } from "./tables";
import { durationText, spanName, Timeframe } from "./timeframe";
import { clock as clockText, dated, Zone } from "./times";
import type { Way } from "./transport";
import { charted, gone } from "./watched";
import { attend, Ways } from "./ways";

const WATCH_EVERY = 1000; // ms
const SPAN = 300_000; // ms
const PANELS = { points: 600, rate: 10 };
const FINE = 1200; // points of windows longer than FINE_FROM
const FINE_FROM = 900_000; // ms
const ROWS = { points: 120, rate: 4 };
const CHANGED_AFTER = 120; // ms that a choice of time must stand before the server is asked

/** MakeRow makes what keeps a row of a list; embeds have none, and do without its code. */
export type MakeRow = (element: HTMLElement, topic: string, feed: Feed, page: Page) => Row;

/** Follow is one more subscription of a page. */
export interface Follow {
  topics: string[];
  points?: number;
  rate?: number;
  window?: string;
}

export class Board implements Sink, Page, Screen {
  readonly timeframe: Timeframe;
  readonly feeds: Feeds;
  readonly strokes = new Strokes();
  readonly look: Look;
  readonly crosshair: Crosshair;
  zone = new Zone("local");
  singleKeys = true;
  shownFull: Panel | null = null;
  private readonly live: Live;
  private readonly clock: Clock;
  private readonly schedule: Schedule;
  private readonly shown = new Map<HTMLElement, Panel>();
  private readonly listed = new Map<HTMLElement, Row>();
  private readonly announcer: Announcer;
  private readonly readOut: ReadOut;
  private readonly latency = new Latency();
  private readonly report = new Report(performance.now());
  private readonly store: StoreBanner;
  private readonly held = new Held();
  private readonly past: Past;
  private readonly subscriptions: (Subscription & { spans: boolean })[] = [];
  private orphans = new WeakSet<Feed>();
  private state: Link = { state: "connecting" };
  private way: Way;
  private problem = "";
  private started = false;
  private asked: number; // ms of the window that the server was asked for
  private addressed = false; // whether the address of the page says the window that was chosen
  private mode: Timeframe["mode"] = "live";
  private changed = 0;
  private version: string;
  private loading = false;
  private wanted = "";
  private confirmed = false; // the server tells the version once for each subscription, also when it is this one

  /** find takes the page over; null when it has no readings. */
  static find(root: Document, makeRow: MakeRow | null = null, tab: Tab | null = null): Board | null {
    const main = root.querySelector<HTMLElement>("main[data-board]");
    return main ? new Board(main, makeRow, tab) : null;
  }

  constructor(
    readonly main: HTMLElement,
    private readonly makeRow: MakeRow | null,
    private readonly tab: Tab | null,
  ) {
    const { dataset } = main;
    this.look = new Look(main);
    this.clock = new Clock(Number(dataset.now));
    const span = Number(dataset.span) || SPAN;
    this.timeframe = new Timeframe(span, Number(dataset.kept) || 0, () => this.now(), Number(dataset.window) || span);
    this.asked = this.timeframe.reach;
    this.version = dataset.version ?? "";
    this.feeds = new Feeds({ now: () => this.now(), link: () => this.link(), clock: (ms) => clockText(ms, this.zone) });
    this.schedule = new Schedule(() => this.now());
    this.announcer = new Announcer(document.querySelector("[data-announce]"));
    this.readOut = new ReadOut(document);
    this.store = new StoreBanner(main, (ms) => dated(ms, this.now(), this.zone).slice(0, -3));
    this.live = new Live(new Ways(window.location.href, tab?.way() ?? ""), this);
    this.way = document.documentElement.dataset.transport = this.live.way;
    attend(this.live);
    window.addEventListener("pagehide", () => this.tell());
    this.past = new Past(
      (feed) => this.touchAll(feed),
      () => note(main, "past", "The readings of this stretch did not come.", "What is drawn is what this page already held. Zoom again to ask once more."),
    );
    this.crosshair = new Crosshair(
      main,
      this.timeframe,
      (e) => this.panelOf(e),
      () => this.schedule.all(),
      () => this.now(),
    );
    this.know(main);
    for (const e of main.querySelectorAll<HTMLElement>("[data-panel]")) this.mount(e);
    mountPanelKeys(main, this);
    localise(document, this.zone);
    this.timeframe.onChange(() => this.follows());
    window.setInterval(() => this.watch(), WATCH_EVERY);
    // What was drawn before a font had come is drawn again.
    document.fonts.addEventListener("loadingdone", () => {
      this.look.forget();
      this.schedule.all();
    });
  }

  /** start subscribes to what the page shows and connects. */
  start(): void {
    if (this.started) return;
    this.started = true;
    const { dataset } = this.main;
    const { window, points } = this.window();
    const topics = this.panelTopics();
    if (topics.length > 0 || dataset.slug) this.subscriptions.unshift({ topics, window, points, rate: PANELS.rate, spans: true, ...(dataset.slug ? { dashboard: dataset.slug } : {}) });
    const rows = dataset.match && dataset.closed === undefined ? [dataset.match] : [...new Set([...this.listed.values()].flatMap((r) => r.lines.topics))];
    if (rows.length > 0) this.subscriptions.push({ topics: rows, window, ...ROWS, spans: false });
    for (const s of this.subscriptions) this.live.subscribe(s);
    this.live.connect();
    this.watch();
  }

  /** follow subscribes to more, on the one socket. */
  follow(f: Follow): void {
    const s = { topics: f.topics, window: f.window ?? durationText(this.timeframe.reach), points: f.points ?? ROWS.points, rate: f.rate ?? ROWS.rate, spans: false };
    this.subscriptions.push(s);
    if (this.started) this.live.subscribe(s);
  }

  /** row takes over a row of a list or a card. */
  row(element: HTMLElement, topic: string): Row {
    const feed = this.feeds.get(topic) ?? this.feeds.start({ topic, columns: [], units: [], kinds: [], interval: 0, after: "", rows: [] });
    if (!this.makeRow) throw new Error("this page has no rows");
    const row = this.makeRow(element, topic, feed, this);
    this.listed.set(element, row);
    this.schedule.add(row);
    for (const other of this.feeds.all()) row.join(other);
    return row;
  }

  /** drop lets go of a row or a panel that leaves the page. */
  drop(element: HTMLElement): void {
    const drawn = this.shown.get(element) ?? this.listed.get(element);
    if (!drawn) return;
    if (this.shownFull === drawn) this.full(null);
    drawn.end();
    this.schedule.remove(drawn);
    this.shown.delete(element);
    this.listed.delete(element);
  }

  panels(): readonly Panel[] {
    return [...this.shown.values()];
  }

  rows(): readonly Row[] {
    return [...this.listed.values()];
  }

  /** panelOf is the panel around an element. */
  panelOf(e: Element): Panel | null {
    const around = e.closest<HTMLElement>("section[data-panel]");
    return around ? (this.shown.get(around) ?? null) : null;
  }

  message(m: Message, first: boolean): void {
    if (m.type === "welcome") {
      if (this.clock.set(m.now, this.live.askedAgo())) this.latency.forget();
      this.confirmed = false;
      this.store.welcome(performance.now());
    } else if (m.type === "store") this.store.hear(m);
    else if (m.type === "error") this.problem = m.message;
    else if (m.type === "dashboard" && m.slug === this.main.dataset.slug) this.heed(m.version);
    if (!("topic" in m) || m.topic === undefined) return;
    if (this.timeframe.mode === "paused" && m.type !== "stale" && m.type !== "error") {
      this.timeframe.waiting += this.held.take(m, first);
      return;
    }
    this.use(m, first);
  }

  link(l?: Link): "live" | "again" | "stopped" {
    if (l) {
      if (l.state !== this.state.state) this.schedule.all();
      this.state = l;
      this.watch();
    }
    if (this.state.state === "stopped") return "stopped";
    // A connection that is back within a second was never worth a word.
    return this.state.state === "again" && performance.now() - this.state.since > 1000 ? "again" : "live";
  }

  expecting(): boolean {
    const now = this.now();
    for (const feed of this.feeds.all()) if (feed.due(now)) return true;
    return false;
  }

  now(): number {
    return this.clock.now();
  }

  view(now: number): View {
    const { timeframe } = this;
    return { now, from: timeframe.start(now), to: timeframe.end(now), live: timeframe.mode === "live" };
  }

  pointed(): number {
    return this.crosshair.time;
  }

  pointedOn(panel: Panel): boolean {
    return this.crosshair.on === panel;
  }

  touch(drawn: Drawn): void {
    this.schedule.touch(drawn);
  }

  say(text: string): void {
    this.announcer.say(text);
  }

  timed(storedAt: number): void {
    if (!this.clock.known || this.timeframe.mode !== "live" || Number.isNaN(storedAt)) return;
    this.clock.atLeast(storedAt);
    const took = this.now() - storedAt;
    this.latency.add(took, performance.now());
    this.report.painted(took);
  }

  /** restyle follows a change of theme or density. */
  restyle(): void {
    this.look.forget();
    for (const panel of this.shown.values()) panel.restyle();
    this.schedule.all();
  }

  /** drawNow draws every panel at once, also those that cannot be seen: for print. */
  drawNow(): void {
    this.schedule.drawNow();
  }

  /** setZone puts every time of the page on another clock. */
  setZone(zone: Zone): void {
    this.zone = zone;
    localise(document, zone);
    this.store.look(performance.now());
    this.restyle();
    this.watch();
  }

  /** full shows one panel over the whole screen; null goes back. */
  full(panel: Panel | null): void {
    const before = this.shownFull;
    if (before === panel) return;
    this.shownFull = panel;
    before?.element.classList.remove("full");
    panel?.element.classList.add("full");
    document.documentElement.classList.toggle("covered", panel !== null);
    // What is covered is not there, for the keyboard and for those who listen.
    for (const e of document.querySelectorAll<HTMLElement>("body > :not(main, dialog, script, [data-announce]), main > *, .board > *")) {
      e.inert = panel !== null && !e.contains(panel.element) && !panel.element.contains(e);
    }
    (panel ?? before)?.element.focus();
    (panel ?? before)?.restyle();
  }

  private mount(element: HTMLElement): void {
    const kind = element.dataset.panel;
    if (kind === "row" || kind === "card") {
      if (element.dataset.topic && this.makeRow) this.row(element, element.dataset.topic);
      return;
    }
    if (kind === "text") return; // the script leaves it alone
    const panel = new Panel(element, this);
    this.shown.set(element, panel);
    this.schedule.add(panel);
    for (const feed of this.feeds.all()) panel.join(feed);
    this.schedule.touch(panel);
  }

  /** know takes the readings that a page was made with. */
  private know(main: HTMLElement): void {
    let known: Known[] = [];
    try {
      known = (JSON.parse(main.querySelector("script[data-feeds]")?.textContent ?? "{}") as { feeds?: Known[] }).feeds ?? [];
    } catch {
      // Without them the page begins with snapshots.
    }
    for (const k of known) {
      if (!k.topic || this.feeds.get(k.topic)) continue;
      this.feeds.start(k);
      this.live.resume.start(k.topic, k.after);
    }
  }

  private use(m: Message, first: boolean): void {
    const feed = this.feeds.message(m, first);
    if (!feed) return;
    if (feed.watchers.size === 0 && !this.orphans.has(feed)) this.adopt(feed);
    let seen = false;
    for (const drawn of feed.watchers) {
      this.schedule.touch(drawn);
      seen ||= this.schedule.visible(drawn);
    }
    if (!seen || document.visibilityState === "hidden") feed.undrawn();
  }

  /** adopt brings a topic to the panels and rows that want it. */
  private adopt(feed: Feed): void {
    for (const drawn of this.drawn()) drawn.join(feed);
    if (feed.watchers.size === 0) this.orphans.add(feed);
  }

  private *drawn(): Iterable<Panel | Row> {
    yield* this.shown.values();
    yield* this.listed.values();
  }

  private touchAll(feed: Feed): void {
    for (const drawn of feed.watchers) this.schedule.touch(drawn);
  }

  private panelTopics(): string[] {
    return [...new Set([...this.shown.values()].flatMap((p) => p.config.topics))];
  }

  private window(): { window: string; points: number } {
    const { reach } = this.timeframe;
    return { window: durationText(reach), points: reach > FINE_FROM ? FINE : PANELS.points };
  }

  /** follows does what a change of the shown time needs. */
  private follows(): void {
    const { timeframe } = this;
    if (this.mode === "paused" && timeframe.mode !== "paused") this.goOn();
    this.mode = timeframe.mode;
    unnote(this.main, "past");
    if (timeframe.mode === "zoomed") {
      const { from, to } = timeframe.window(this.now());
      this.past.show([...this.feeds.all()].filter((f) => f.watchers.size > 0), from, to);
    } else {
      this.past.stop();
      for (const feed of this.feeds.all()) feed.past = null;
    }
    window.clearTimeout(this.changed);
    if (timeframe.reach !== this.asked || (timeframe.chosen && !this.addressed)) this.changed = window.setTimeout(() => this.ask(), CHANGED_AFTER);
    for (const head of this.main.querySelectorAll("[data-span-head]")) setText(head, `Last ${spanName(timeframe.span)}`);
    this.schedule.all();
    this.watch();
  }

  private goOn(): void {
    const over = this.held.over;
    this.held.release((m, first) => this.use(m, first));
    for (const feed of this.feeds.all()) feed.undrawn(); // what waited for the viewer was not slow
    if (!over || !this.started) return;
    this.confirmed = false;
    this.live.renew(this.subscriptions, true);
  }

  /** ask gets the window that is shown now from the server: its snapshots replace what is here. */
  private ask(): void {
    const { reach } = this.timeframe;
    const address = new URL(window.location.href);
    address.searchParams.set("window", durationText(reach));
    window.history.replaceState(window.history.state, "", address);
    this.addressed = true;
    if (reach === this.asked) return; // all of it is here
    this.asked = reach;
    const { window: span, points } = this.window();
    for (const s of this.subscriptions) {
      s.window = span;
      if (s.spans) s.points = points;
    }
    this.confirmed = false;
    if (this.started) this.live.renew(this.subscriptions, true);
  }

  /** heed hears of a version of the dashboard. A file that broke keeps its version, and has something to say. */
  private heed(version: string): void {
    const same = version === this.version;
    if (!same || this.confirmed) void this.exchange(version);
    this.confirmed = true;
  }

  /** exchange follows a change of the dashboard: what differs is exchanged, and all else goes on. */
  private async exchange(version: string): Promise<void> {
    this.wanted = version;
    if (this.loading) return;
    this.loading = true;
    const { page, status } = await load(window.location.href);
    this.loading = false;
    // It changed once more meanwhile.
    if (this.wanted !== version) return this.exchange(this.wanted);
    const next = page?.querySelector<HTMLElement>("main[data-board]");
    if (!page || !next) {
      if (status === 404 || status === 410) note(this.main, "gone", "This dashboard is gone.", "What is here is its last version.");
      else if (status > 0) note(this.main, "gone", "The dashboard changed and its new version cannot be shown.", "What is here is the one before.");
      return;
    }
    this.know(next);
    swap(this.main, next, { mount: (e) => this.mount(e), drop: (e) => this.drop(e) });
    exchangeWords(page, this.main, next);
    this.version = next.dataset.version || version;
    this.timeframe.most = Number(next.dataset.window) || this.timeframe.most;
    localise(this.main, this.zone);
    this.orphans = new WeakSet<Feed>();
    for (const feed of this.feeds.all()) if (feed.watchers.size === 0) this.adopt(feed);
    const panels = this.subscriptions.find((s) => s.spans);
    const topics = this.panelTopics();
    if (panels && topics.join("\n") !== panels.topics.join("\n")) {
      panels.topics = topics;
      this.confirmed = false;
      this.live.renew([panels], false);
    }
    this.say("The dashboard has changed");
    this.schedule.all();
  }

  /** tell reports what this page saw since it was last told. */
  private tell(): void {
    send(this.report.take(this.way, this.seen(), performance.now()));
  }

  private seen(): { violations: number; resumes: number } {
    return { violations: this.live.resume.violations, resumes: this.live.resumes };
  }

  /** mark writes on the document how it is connected. */
  private mark(): void {
    const { dataset } = document.documentElement;
    if (dataset.link !== this.state.state) dataset.link = this.state.state;
    const violations = String(this.live.resume.violations);
    if (dataset.violations !== violations) dataset.violations = violations;
    const { way } = this.live;
    if (way === this.way) return;
    this.way = dataset.transport = way;
    this.tab?.keep(way);
    this.say(wayWords(way) || "Connected by WebSocket again");
  }

  private watch(): void {
    this.mark();
    if (this.report.due(this.seen(), performance.now())) this.tell();
    if (document.visibilityState === "hidden") return;
    this.live.check();
    this.store.look(performance.now());
    const now = this.now();
    const { timeframe } = this;
    let live = 0;
    let other = 0;
    let oldest = now;
    const from = Math.min(timeframe.start(now), now - timeframe.reach);
    for (const feed of this.feeds.all()) {
      feed.trim(from);
      if (feed.watchers.size === 0) continue;
      if (charted(feed)) oldest = Math.min(oldest, feed.series.firstFrom(now - timeframe.most));
      const { state } = feed.judge(now);
      if (state === "live" || state === "quiet") live++;
      else if (state !== "empty" && !gone(feed)) other++;
    }
    timeframe.grow(oldest);
    const link: Link = this.state.state === "live" && this.problem && this.feeds.size === 1 && live + other === 0 ? { state: "stopped", say: this.problem } : this.state;
    this.readOut.show({ link, live, other, latency: this.latency.p99(performance.now()), now, zone: this.zone, way: this.way }, timeframe);
  }
}
