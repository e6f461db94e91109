// A panel: its title, one number or one word about how alive it is, and a body
// of its kind. The server rendered it; this takes it over from there.

import { type Config, readConfig } from "./config";
import { Beside } from "./beside";
import { el, hide, icon, setClass, setText } from "./dom";
import type { Feed } from "./feed";
import type { State } from "./freshness";
import type { Around, Body } from "./kinds/body";
import { Bars } from "./kinds/bars";
import { Chart } from "./kinds/chart";
import { changeOf, heroOf, Stat } from "./kinds/stat";
import { Table } from "./kinds/table";
import { Timeline } from "./kinds/timeline";
import { Lines, type View } from "./lines";
import type { Look } from "./look";
import { type Health, healthOf } from "./health";
import { Missing, missingIn } from "./missing";
import type { Drawn } from "./schedule";
import type { Strokes } from "./strokes";
import { clock, dated, type Zone } from "./times";
import { decimal, fullText } from "./value";
import { copyOf, ValueTable } from "./valuetable";

/** Page is what a panel needs of the page it is on. */
export interface Page {
  readonly strokes: Strokes;
  readonly look: Look;
  now(): number;
  view(now: number): View;
  link(): "live" | "again" | "stopped";
  readonly zone: Zone;
  /** pointed is the time under the crosshair, NaN when it stands nowhere. */
  pointed(): number;
  /** pointedOn says whether it is this panel on which the pointer stands. */
  pointedOn(panel: Panel): boolean;
  touch(drawn: Drawn): void;
  say(text: string): void;
  /** timed takes when a message was stored that is on the screen now. */
  timed(storedAt: number): void;
}

interface Say {
  icon: string;
  title: string;
  code: string;
  text: string;
}

const CHARTED = new Set(["line", "area", "stacked"]);
const TEXT_EVERY = 240; // ms between two changes of a text that says how old something is
const FIGURE_WITHIN = 250; // ms in which the newest figure is on the screen
const STATES = ["live", "quiet", "stale", "again", "stopped", "empty", "error", "forbidden"];

export class Panel implements Drawn, Around {
  readonly config: Config;
  readonly lines: Lines;
  readonly strokes: Strokes;
  readonly look: Look;
  readonly title: string;
  state: State | "error" | "forbidden" = "empty";
  private readonly host: HTMLElement | null;
  private readonly value: HTMLElement | null;
  private readonly figures: Element[];
  private readonly units: Element[];
  private readonly note: Element | null;
  private readonly changed: Element | null;
  private readonly chip: HTMLElement | null;
  private readonly chipMark: Element | null;
  private readonly chipText: Element | null;
  private readonly beside: Beside | null;
  private readonly missing: Missing | null; // null where the picture itself says it
  private lost = Number.NEGATIVE_INFINITY; // since when readings are missing of which those who listen were told
  private readonly noteSaid: string;
  private body: Body | null = null;
  private said = "";
  private values: ValueTable | null = null;
  private level = "";
  private announced = "";
  private drawn: { view: View; health: Health } | null = null;
  private next = Number.POSITIVE_INFINITY;
  private worded = Number.NEGATIVE_INFINITY;
  private wrote = Number.NEGATIVE_INFINITY;
  private turned = 0; // when it was drawn last

  constructor(
    readonly element: HTMLElement,
    private readonly page: Page,
  ) {
    this.config = readConfig(element);
    this.lines = new Lines(this.config);
    this.strokes = page.strokes;
    this.look = page.look;
    this.title = this.config.title || element.getAttribute("aria-label") || this.config.topics.join(", ");
    this.host = element.querySelector("[data-body]");
    const outside = (name: string) => [...element.querySelectorAll<HTMLElement>(`[data-${name}]`)].filter((e) => !this.host?.contains(e));
    this.value = outside("value")[0] ?? null;
    this.figures = outside("figure");
    this.units = outside("unit");
    this.note = outside("note")[0] ?? null;
    this.changed = outside("change")[0] ?? null;
    this.chip = outside("chip")[0] ?? null;
    this.chipMark = outside("chip-mark")[0] ?? null;
    this.chipText = outside("chip-text")[0] ?? null;
    this.missing = this.host && this.config.kind !== "text" && !CHARTED.has(this.config.kind) ? new Missing(this.host) : null;
    this.noteSaid = this.note?.textContent?.trim() ?? "";
    const whole = "hero" in element.dataset || "embed" in element.dataset;
    this.beside = whole ? new Beside(element) : null;
    for (const name of STATES) if (element.classList.contains(name)) this.state = name as State;
    this.level = element.classList.contains("critical") ? "critical" : element.classList.contains("warn") ? "warn" : "";
  }

  /** join takes a topic in, if this panel shows it. */
  join(feed: Feed): boolean {
    if (this.config.kind === "text" || !this.lines.join(feed)) return false;
    feed.watchers.add(this);
    this.touch();
    return true;
  }

  /** end lets go of everything outside the element. */
  end(): void {
    for (const feed of this.lines.feeds) feed.watchers.delete(this);
    this.body?.end?.();
    this.body = null;
  }

  draw(now: number): number {
    if (this.config.kind === "text") return Number.POSITIVE_INFINITY;
    const view = this.page.view(now);
    this.lines.update(view);
    const health = healthOf(this.lines, view, this.page.link());
    this.drawn = { view, health };
    const say = this.trouble(view, health);
    if (say) this.saySo(say);
    else {
      this.take();
      if (this.body?.canvas && !this.values) this.next = this.body.draw(view, health.state as State);
    }
    return Math.min(this.next, view.live && health.silence < 10_000 ? TEXT_EVERY : 1000);
  }

  painted(): void {
    if (!this.drawn) return;
    const { view, health } = this.drawn;
    this.wear(health, view);
    // The first change of a figure shows at once; figures that change faster than
    // anyone reads wait, while the picture beside them goes on, for the last turn
    // that is in time.
    const at = performance.now();
    const next = at + (at - this.turned);
    this.turned = at;
    const still = view.live && Number.isNaN(this.pointed()) && next - this.wrote < FIGURE_WITHIN;
    if (this.values) this.values.draw(this.lines, view, this.zone());
    else if (this.body && !this.body.canvas) this.next = this.body.draw(view, health.state as State);
    else if (!still) this.body?.write?.(view);
    if (!still) {
      this.wrote = at;
      this.writeHead(view, health);
    }
    this.beside?.draw(this.lines, view, this.zone());
    for (const feed of this.lines.feeds) feed.drawn((at) => this.page.timed(at));
  }

  restyle(): void {
    this.body?.restyle?.();
    this.touch();
  }

  zone(): Zone {
    return this.page.zone;
  }

  pointed(): number {
    return this.page.pointed();
  }

  pointedHere(): boolean {
    return this.page.pointedOn(this);
  }

  touch(): void {
    this.page.touch(this);
  }

  /** timeAt is the time at a place of the screen, NaN where no time is. */
  timeAt(clientX: number): number {
    return this.body?.timeAt?.(clientX) ?? Number.NaN;
  }

  /** plot is the part of this panel that time runs over. */
  get plot(): HTMLElement | null {
    return this.body?.plot ?? null;
  }

  /** toggleValues shows the readings as a table, or the picture again. */
  toggleValues(): void {
    if (!this.body || !this.host) return;
    if (this.values) {
      this.values.element.remove();
      this.values = null;
      for (const e of this.host.children) hide(e, false);
      this.body.restyle?.();
    } else {
      this.values = new ValueTable(this.title);
      for (const e of this.host.children) hide(e, true);
      this.host.append(this.values.element);
    }
    this.touch();
  }

  /** copyText is what the panel shows now, one line for each value, for a spreadsheet. */
  copyText(): string {
    return copyOf(this.title, this.lines, this.page.view(this.page.now()), this.zone());
  }

  private wear(h: Health, view: View): void {
    const { element } = this;
    const state = h.state;
    if (state !== this.state) {
      element.classList.remove(this.state);
      element.classList.add(state);
      this.state = state;
      this.worded = Number.NEGATIVE_INFINITY;
      this.announce(state);
    }
    const missing = missingIn(this.lines.feeds, view.from, view.to);
    this.missing?.say(missing.text, missing.full);
    if (missing.since > this.lost) {
      this.lost = missing.since;
      this.page.say(`${this.title}: ${missing.text}`);
    }
    if (h.level !== this.level) {
      if (this.level) element.classList.remove(this.level);
      if (h.level) element.classList.add(h.level);
      this.level = h.level;
    }
    const at = performance.now();
    if (!this.chip || (at - this.worded < TEXT_EVERY && h.chip === this.chip.dataset.chip)) return;
    this.worded = at;
    this.chip.dataset.chip = h.chip;
    const text = "hero" in element.dataset || "embed" in element.dataset ? h.long : h.word;
    setClass(this.chip, `chip ${h.chip}`);
    setClass(this.chipMark, `dot ${h.chip}`);
    setText(this.chipText, text);
    hide(this.chip, text === "");
    const title = [h.last > 0 ? dated(h.last, view.now, this.zone()) : "", missing.text].filter(Boolean).join(", ");
    if (this.chip.title !== title) this.chip.title = title;
  }

  /** announce tells those who listen what changed; that something is live again, only after it was not. */
  private announce(state: string): void {
    const words: Record<string, string> = { stale: "is stale", again: "reconnecting", stopped: "is not connected", live: "is live", error: "has an error" };
    const word = words[state];
    if (word && (this.announced !== "" || state !== "live")) this.page.say(`${this.title} ${word}`);
    this.announced = state;
  }

  /** trouble says why there is no picture, null when there is one. The same sentences stand in views/panel.templ. */
  private trouble(view: View, h: Health): Say | null {
    const { lines, config } = this;
    if (h.state === "forbidden") return { icon: "lock", title: "Not yours to see", code: "", text: h.problem };
    if (h.state === "error") return { icon: "warn", title: "Cannot be shown", code: "", text: h.problem };
    if (lines.feeds.length === 0) return { icon: "search", title: "Nothing matches", code: config.topics.join(", "), text: "has no readings. Send one and it appears here." };
    if (h.heard === 0) {
      const one = lines.feeds.length === 1 ? lines.feeds[0]!.topic : "";
      return { icon: "empty", title: one ? "Nothing matches" : "No reading yet", code: one, text: one ? "has no readings. Send one and it appears here." : "Send one and it appears here." };
    }
    const charted = CHARTED.has(config.kind);
    if (charted || config.kind === "bars" || config.kind === "gauge") {
      if (lines.numbers.length === 0 && lines.words.length > 0) return { icon: "warn", title: "Cannot draw words", code: lines.words[0]!.feed.topic, text: "is a state. Use a timeline, or pick another topic." };
      if (lines.numbers.length === 0) return { icon: "warn", title: "No such value", code: "", text: "None of the topics has the values that this panel asks for. Check its columns." };
    }
    if (charted && lines.numbers.every((l) => l.count === 0)) return { icon: "empty", title: "No reading in this time", code: "", text: h.last > 0 ? `The last one came at ${dated(h.last, view.now, this.zone())}.` : "" };
    return null;
  }

  private saySo(say: Say): void {
    const key = `${say.icon}\n${say.title}\n${say.code}\n${say.text}`;
    if (key === this.said || !this.host) return;
    this.said = key;
    this.body?.end?.();
    this.body = null;
    this.values = null;
    const text = el("p");
    if (say.code) text.append(el("code", "", say.code), " ");
    text.append(say.text);
    this.host.replaceChildren(el("div", "say-empty", icon(say.icon), el("strong", "", say.title), text));
  }

  /** take builds the body of the panel's kind, unless it is there. */
  private take(): void {
    if (this.body || !this.host) return;
    this.said = "";
    if (this.host.querySelector(".say-empty")) this.host.replaceChildren();
    switch (this.config.kind) {
      case "line":
      case "area":
      case "stacked":
        this.body = new Chart(this.host, this);
        break;
      case "bars":
        this.body = new Bars(this.host, this);
        break;
      case "table":
        this.body = new Table(this.host, this);
        break;
      case "timeline":
        this.body = new Timeline(this.host, this);
        break;
      default:
        this.body = new Stat(this.host, this);
    }
  }

  private writeHead(view: View, h: Health): void {
    const { lines, config } = this;
    const hero = heroOf(lines);
    if (this.figures.length > 0) {
      const whole = this.beside !== null;
      const alone = whole || (CHARTED.has(config.kind) ? lines.numbers.length === 1 && lines.more === 0 : lines.numbers.length + lines.words.length === 1);
      const shown = alone && h.heard > 0 ? hero : null;
      if (!whole) hide(this.value, !shown);
      if (shown) {
        const pointed = this.pointed();
        const inside = pointed >= view.from && pointed <= view.to;
        const v = inside ? shown.at(pointed) : shown.last;
        const number = typeof v === "number" && !shown.state;
        for (const e of this.figures) setText(e, shown.text(v));
        for (const e of this.units) setText(e, number ? shown.scale.unit : "");
        if (this.value && this.values === null) {
          const full = number ? fullText(v) : "";
          if (this.value.title !== full) this.value.title = full;
          if (whole) this.value.classList.toggle("word", shown.state);
        }
      }
    }
    if (this.changed && hero) {
      const pointed = this.pointed();
      const inside = pointed >= view.from && pointed <= view.to;
      const others = lines.numbers.length + lines.words.length;
      const moved = inside ? `at ${clock(pointed, this.zone())}` : changeOf(hero, view, h.lively, this.zone());
      setText(this.changed, others > 1 ? [hero.name, moved].filter(Boolean).join(", ") : moved);
    }
    if (this.note) setText(this.note, this.noteOf());
  }

  private noteOf(): string {
    const { lines, config } = this;
    const several = lines.numbers.length > 1 && CHARTED.has(config.kind);
    const text = [several ? lines.numbers[0]!.scale.unit : "", config.note].filter(Boolean).join(" ");
    // How many topics are left out is known to the server alone.
    const left = /\d[\d,]* of [\d,]+ topics$/.exec(this.noteSaid)?.[0] ?? "";
    const shown = left ? `${decimal(lines.feeds.length, 0)} of ${left.split(" of ")[1]}` : "";
    return [text, shown].filter(Boolean).join(", ");
  }
}
