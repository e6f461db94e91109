// A panel is one topic on this page. The server rendered it with its last
// readings; this takes it over from there.

import { Chart } from "./chart";
import { type Freshness, Hearing, joinable, judge, type State } from "./freshness";
import type { Message, Row, Value } from "./frame";
import type { Drawn } from "./schedule";
import { Series } from "./series";
import { Spark } from "./spark";
import { ChangesTable, ReadingsTable } from "./tables";
import { clock } from "./times";
import { decimal, figure, fullText, NO_VALUE, rate, rhythm } from "./value";

/** Data is what the server left beside a panel: see panelData in views/chart.go. */
export interface Data {
  topic: string;
  columns: string[];
  units: string[];
  kinds: string[];
  interval: number;
  now: number;
  span: number;
  after: string;
  rows: Row[];
}

/** Place is what a panel needs of the page it is on. */
export interface Place {
  now(): number;
  link(): "live" | "again" | "stopped";
  touch(panel: Panel): void;
  say(text: string): void;
}

const MARGIN = 60_000; // ms beyond the span that are kept for readings that come late
const TEXT_EVERY = 250; // ms between two changes of a text that says how old something is

const WHY: Record<string, string> = { trimmed: "trimmed", slow: "too slow", outage: "outage" };

export function readData(element: Element): Data | null {
  try {
    return JSON.parse(element.querySelector("script[data-series]")?.textContent ?? "") as Data;
  } catch {
    return null;
  }
}

export class Panel implements Drawn {
  readonly series = new Series();
  readonly topic: string;
  state: State = "empty";
  private interval: number;
  private readonly span: number;
  private readonly hearing = new Hearing();
  private readonly chart: Chart | null = null;
  private readonly spark: Spark | null = null;
  private readonly changes: ChangesTable | null = null;
  private readonly readings: ReadingsTable | null = null;
  private storeAway = false;
  private restarted = false;
  private said: State | "" = "";
  private worded = 0;
  private thinned = "";

  constructor(
    readonly element: HTMLElement,
    data: Data,
    private readonly place: Place,
  ) {
    this.topic = data.topic;
    this.interval = data.interval;
    this.span = data.span;
    this.series.describe(data.columns, data.units, data.kinds);
    for (const row of data.rows) this.series.add(row);
    this.hearing.known(this.series.lastTime, data.now);
    const touch = () => place.touch(this);
    const chart = this.part("chart");
    if (chart) this.chart = new Chart(chart, element, this.series, this.span, touch);
    const spark = this.part("spark");
    if (spark) this.spark = new Spark(spark);
    const changes = this.part("changes");
    if (changes) this.changes = new ChangesTable(changes);
    const values = this.beside<HTMLDetailsElement>("values");
    if (values) {
      this.readings = new ReadingsTable(values);
      values.addEventListener("toggle", touch);
    }
  }

  /** message takes a frame about this topic. first says that it answers this page's subscription. */
  message(m: Message, first: boolean): void {
    const now = this.place.now();
    switch (m.type) {
      case "snapshot":
        if (m.interval > 0) this.interval = m.interval;
        // After a reset what was drawn stays where it was and nothing joins it.
        if (this.series.length > 0 && !this.restarted) this.replace();
        this.series.describe(m.columns, m.units);
        this.take(this.restarted ? m.rows.filter((row) => !(row[0] <= this.series.lastTime)) : m.rows, m.of);
        this.hearing.known(this.series.lastTime, now);
        this.restarted = false;
        break;
      case "readings":
        if (m.columns) this.series.describe(m.columns, m.units ?? []);
        if (m.interval !== undefined) this.interval = m.interval;
        this.take(m.rows, m.of);
        if (first) this.hearing.known(this.series.lastTime, now);
        else if (m.rows.length > 0) this.hearing.live(this.series.lastTime, now);
        break;
      case "gap":
        this.series.mark(`${m.lost === null ? "lost" : `${decimal(m.lost, 0)} lost`}, ${WHY[m.why] ?? m.why}`, now);
        break;
      case "reset":
        this.series.mark(`store replaced ${clock(now)}`, now);
        this.restarted = true;
        break;
      case "stale":
        this.storeAway = true;
        this.place.touch(this);
        return;
      default:
        return;
    }
    this.storeAway = false;
    this.series.trim(now - this.span - MARGIN);
    if (this.interval <= 0 && !this.series.kinds.includes("state")) this.interval = this.series.interval();
    this.place.touch(this);
  }

  /** restyle follows a change of theme. */
  restyle(): void {
    this.chart?.restyle(() => this.place.touch(this));
  }

  draw(now: number): number {
    const fresh = this.judge(now);
    this.wear(fresh, now);
    const hero = this.hero();
    this.writeFigures(hero, now);
    let next = Number.POSITIVE_INFINITY;
    const drawn = this.series.columns.some((_, c) => !this.series.isState(c));
    const chart = this.part("chart");
    if (this.chart && chart) {
      const tall = chart.closest<HTMLElement>(".tall") ?? chart;
      if (tall.hidden !== !drawn) tall.hidden = !drawn;
      if (drawn) next = this.chart.draw(now, this.interval, this.state);
    }
    if (this.spark && hero >= 0 && !this.series.isState(hero)) {
      this.spark.draw(this.series, hero, now, this.span, joinable(this.interval));
      next = Math.min(next, this.span / 120);
    }
    if (this.changes) this.changes.draw(this.series, drawn ? -1 : hero, now);
    this.readings?.draw(this.series);
    const silence = this.hearing.silence(now);
    return Math.min(next, silence < 10_000 ? TEXT_EVERY : 1000);
  }

  /** judge says how alive this topic is for this screen. */
  judge(now: number): Freshness {
    return judge({ silence: this.hearing.silence(now), interval: this.interval, link: this.place.link(), storeAway: this.storeAway });
  }

  /** due says whether this topic should have sent by now, so that silence may mean a dead connection. */
  due(now: number): boolean {
    return this.interval > 0 && this.hearing.silence(now) > joinable(this.interval);
  }

  private part<E extends Element = HTMLElement>(name: string): E | null {
    return this.element.querySelector<E>(`[data-${name}]`);
  }

  /** beside finds what a topic's page shows around its panel. */
  private beside<E extends HTMLElement = HTMLElement>(name: string): E | null {
    return this.element.dataset.panel === "topic" ? (this.element.parentElement?.querySelector<E>(`[data-${name}]`) ?? null) : null;
  }

  private take(rows: Row[], of: number): void {
    for (const row of rows) this.series.add(row);
    if (rows.length === 0) return;
    this.series.kept = { rows: rows.length, of: Math.max(of, rows.length) };
    const { rows: kept, of: all } = this.series.kept;
    this.thinned = all > kept ? `1 in ${Math.round(all / kept)}` : "";
  }

  /** replace forgets what was drawn: a snapshot without a reset tells the same history anew. */
  private replace(): void {
    this.series.clear();
  }

  private hero(): number {
    const number = this.series.columns.findIndex((_, c) => !this.series.isState(c));
    return number >= 0 ? number : this.series.columns.length > 0 ? 0 : -1;
  }

  private wear(fresh: Freshness, now: number): void {
    const { element } = this;
    const empty = this.series.length === 0;
    if (fresh.state !== this.state) {
      element.classList.remove(this.state);
      element.classList.add(fresh.state);
      this.state = fresh.state;
      this.worded = 0;
      this.announce(fresh.state);
    }
    for (const part of element.querySelectorAll<HTMLElement>("[data-when]")) {
      const hide = (part.dataset.when === "empty") !== empty;
      if (part.hidden !== hide) part.hidden = hide;
    }
    const at = performance.now();
    if (at - this.worded < TEXT_EVERY * 0.9) return;
    this.worded = at;
    const chip = this.part("chip");
    if (!chip) return;
    const short = element.dataset.panel === "row";
    let word = short ? fresh.word.replace(/ ago$/, "") : fresh.word;
    if (short && fresh.state === "empty") word = NO_VALUE;
    if (this.thinned && fresh.state === "live") word = short ? word : `${this.thinned}, ${word}`;
    setClass(chip, `chip ${fresh.state}`);
    setClass(chip.querySelector("[data-chip-mark]"), `dot ${fresh.state}`);
    setText(chip.querySelector("[data-chip-text]"), word);
    const last = this.series.lastTime;
    if (!Number.isNaN(last)) chip.title = new Date(last).toLocaleString();
    const rateText = short ? this.part("rate") : this.beside("facts-rate");
    const measured = rateText ? this.series.rate(now) : 0;
    if (measured > 0) setText(rateText, short ? rate(measured) : `${rate(measured)}, ${rhythm(this.interval)}`);
    const values = this.beside<HTMLDetailsElement>("values");
    if (values) values.hidden = empty;
    if (!empty) setText(this.beside("facts-values"), columnNames(this.series.columns));
  }

  /** announce tells those who listen what changed; that something is live again, only after it was not. */
  private announce(state: State): void {
    if (this.element.dataset.panel === "row" || this.element.dataset.panel === "card") return;
    const words: Partial<Record<State, string>> = { stale: "is stale", again: "reconnecting", stopped: "is not connected", live: "is live" };
    const word = words[state];
    if (word && (this.said !== "" || state !== "live")) this.place.say(`${this.topic} ${word}`);
    this.said = state;
  }

  private writeFigures(hero: number, now: number): void {
    if (hero < 0) return;
    const { series } = this;
    const last = series.last(hero);
    const seen = series.isState(hero) ? null : series.extent([hero], now - this.span);
    const scale = series.scale(hero, now - this.span);
    const number = typeof last === "number" && !series.isState(hero);
    for (const e of this.element.querySelectorAll("[data-figure]")) setText(e, number ? figure(scale, last) : words(last));
    for (const e of this.element.querySelectorAll("[data-unit]")) setText(e, number ? scale.unit : "");
    this.part("value")?.classList.toggle("word", !number && last !== null);
    const value = this.part("value");
    if (value) value.title = number ? fullText(last) : "";
    const note = this.part("note");
    if (note) this.writeNote(note, hero);
    const figs = this.part("figs");
    if (figs) {
      figs.hidden = !number;
      setText(this.part("min"), seen ? figure(scale, seen.lo) : NO_VALUE);
      setText(this.part("max"), seen ? figure(scale, seen.hi) : NO_VALUE);
      const mean = seen ? seen.sum / seen.count : Number.NaN;
      const finer = seen?.whole && scale.decimals === 0 && !Number.isInteger(mean) && seen.hi < 1000;
      setText(this.part("mean"), figure(finer ? { ...scale, decimals: 1 } : scale, mean));
    }
    const states = this.part("states");
    if (states) this.writeStates(states, number);
  }

  private writeNote(note: HTMLElement, hero: number): void {
    const { columns } = this.series;
    const name = columns[hero]!;
    if (this.element.dataset.panel === "card") setText(note, columns.length > 1 ? `${name}, 1 of ${columns.length}` : "");
    else setText(note, columns.length > 1 ? `${name}, ${columns.length} values` : rhythm(this.interval));
  }

  private writeStates(list: HTMLElement, alone: boolean): void {
    const states = this.series.columns.map((_, c) => c).filter((c) => this.series.isState(c));
    list.hidden = states.length === 0 || (!alone && this.series.columns.length < 2);
    if (list.hidden) return;
    while (list.children.length > states.length) list.lastElementChild?.remove();
    states.forEach((c, i) => {
      let row = list.children[i];
      if (!row) {
        row = document.createElement("div");
        row.append(document.createElement("dt"), document.createElement("dd"));
        list.append(row);
      }
      setText(row.firstElementChild, this.series.columns[c]!);
      setText(row.lastElementChild, words(this.series.last(c)));
    });
  }
}

const NAMED = 8;

/** columnNames lists the columns as views/topic.go does. */
function columnNames(columns: readonly string[]): string {
  const more = columns.length - NAMED;
  return [...columns.slice(0, NAMED), ...(more > 0 ? [`+ ${decimal(more, 0)} more`] : [])].join(", ");
}

function words(v: Value): string {
  return v === null ? NO_VALUE : String(v);
}

export function setText(e: Element | null, text: string): void {
  if (e && e.textContent !== text) e.textContent = text;
}

function setClass(e: Element | null, name: string): void {
  if (e && e.className !== name) e.setAttribute("class", name);
}
