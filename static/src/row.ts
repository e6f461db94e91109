// A row of a list, or a card: one topic's value, its recent course and its age.

import { readConfig } from "./config";
import { hide, setClass, setText } from "./dom";
import type { Feed } from "./feed";
import { healthOf } from "./health";
import { heroOf } from "./kinds/stat";
import { Lines, type View } from "./lines";
import type { Page } from "./panel";
import type { Drawn } from "./schedule";
import { Spark } from "./spark";
import { dated } from "./times";
import { fullText, NO_VALUE, rate } from "./value";

const SPARK_EVERY = 500; // ms

export class Row implements Drawn {
  readonly lines: Lines;
  state = "empty";
  private readonly isRow: boolean;
  private readonly value: HTMLElement | null;
  private readonly figure: Element | null;
  private readonly unit: Element | null;
  private readonly rate: Element | null;
  private readonly chip: HTMLElement | null;
  private readonly spark: Spark | null;
  private view: View | null = null;
  private sparked = Number.NEGATIVE_INFINITY;

  constructor(
    readonly element: HTMLElement,
    readonly topic: string,
    /** feed is that of the topic, also before its first reading. */
    readonly feed: Feed,
    private readonly page: Page,
  ) {
    this.isRow = element.dataset.panel === "row";
    const config = readConfig(element);
    if (this.isRow || config.topics.length === 0) config.topics = [topic];
    this.lines = new Lines(config);
    this.value = element.querySelector("[data-value]");
    this.figure = element.querySelector("[data-figure]");
    this.unit = element.querySelector("[data-unit]");
    this.rate = element.querySelector("[data-rate]");
    this.chip = element.querySelector("[data-chip]");
    const spark = element.querySelector("[data-spark]");
    this.spark = spark ? new Spark(spark) : null;
    this.state = ["live", "quiet", "stale", "again", "stopped"].find((s) => element.classList.contains(s)) ?? "empty";
  }

  /** join takes the topic's feed in. */
  join(feed: Feed): boolean {
    if (!this.lines.join(feed)) return false;
    feed.watchers.add(this);
    this.page.touch(this);
    return true;
  }

  end(): void {
    for (const feed of this.lines.feeds) feed.watchers.delete(this);
  }

  draw(now: number): number {
    this.view = this.page.view(now);
    this.lines.update(this.view);
    return this.feed.silence(now) < 10_000 ? 250 : 1000;
  }

  painted(): void {
    const { view } = this;
    if (!view) return;
    this.write(view);
    for (const feed of this.lines.feeds) feed.drawn((at) => this.page.timed(at));
  }

  private write(view: View): void {
    const h = healthOf(this.lines, view, this.page.link());
    if (h.state !== this.state) {
      this.element.classList.remove(this.state);
      this.element.classList.add(h.state);
      this.state = h.state;
    }
    const hero = heroOf(this.lines);
    if (hero) {
      const number = typeof hero.last === "number" && !hero.state;
      setText(this.figure, hero.text());
      setText(this.unit, number ? hero.scale.unit : "");
      if (this.value) {
        const full = number ? fullText(hero.last) : "";
        if (this.value.title !== full) this.value.title = full;
        this.value.classList.toggle("word", hero.state);
        for (const level of ["warn", "critical"]) this.value.classList.toggle(level, h.lively && hero.level === level);
      }
      const at = performance.now();
      if (this.spark && !hero.state && at - this.sparked >= SPARK_EVERY) {
        this.sparked = at;
        this.spark.draw(hero, view);
      }
    }
    this.writeChip(h.chip, h.word, h.long, h.last, view.now);
    const perSecond = this.feed.series.rate(view.now);
    if (perSecond > 0) setText(this.rate, rate(perSecond));
  }

  private writeChip(chip: string, word: string, long: string, last: number, now: number): void {
    if (!this.chip) return;
    let text = word;
    if (this.isRow) text = this.lines.feeds.length === 0 || chip === "empty" ? NO_VALUE : chip === "live" || chip === "quiet" || chip === "thinned" ? (long.split(", ").at(-1) ?? "").replace(/ ago$/, "") : word.replace(/ ago$/, "");
    else if (chip === "live" || chip === "quiet") text = "live";
    setClass(this.chip, `chip ${chip}`);
    setClass(this.chip.querySelector("[data-chip-mark]"), `dot ${chip}`);
    setText(this.chip.querySelector("[data-chip-text]"), text);
    hide(this.chip, text === "");
    const title = last > 0 ? dated(last, now, this.page.zone) : "";
    if (this.chip.title !== title) this.chip.title = title;
  }
}
