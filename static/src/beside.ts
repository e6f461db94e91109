// What stands around the one panel of a topic's page or embed: the figures of
// its window, its states in words, the changes of a state, the last readings as a
// table, and facts.

import { hide, setText } from "./dom";
import { heroOf } from "./kinds/stat";
import type { Lines, View } from "./lines";
import { ChangesTable, ReadingsTable } from "./tables";
import type { Zone } from "./times";
import { decimal, figure, NO_VALUE, rate, rhythm } from "./value";

const EVERY = 250; // ms
const NAMED = 8;

export class Beside {
  private readonly changes: ChangesTable | null;
  private readonly readings: ReadingsTable | null;
  private drawn = Number.NEGATIVE_INFINITY;

  constructor(private readonly element: HTMLElement) {
    const changes = this.part("changes");
    const values = this.part("values");
    this.changes = changes ? new ChangesTable(changes) : null;
    this.readings = values instanceof HTMLDetailsElement ? new ReadingsTable(values) : null;
  }

  draw(lines: Lines, view: View, zone: Zone): void {
    const feed = lines.feeds[0];
    const at = performance.now();
    if (!feed || at - this.drawn < EVERY) return;
    this.drawn = at;
    const { series } = feed;
    const empty = series.length === 0;
    for (const e of this.element.querySelectorAll(".now, .fig")) hide(e, empty);
    this.writeFigures(lines);
    this.writeStates(lines);
    const hero = heroOf(lines);
    this.changes?.draw(series, hero?.state && lines.numbers.length === 0 ? hero.column : -1, view.now, zone);
    if (this.element.dataset.hero === undefined) return;
    this.readings?.draw(series, zone);
    hide(this.part("values"), empty);
    const measured = series.rate(view.now);
    if (measured > 0) setText(this.part("facts-rate"), `${rate(measured)}, ${rhythm(feed.interval)}`);
    if (!empty) setText(this.part("facts-values"), columnNames(series.columns));
  }

  /** part is in the panel or, on a topic's page, beside it. */
  private part(name: string): HTMLElement | null {
    return this.element.querySelector<HTMLElement>(`[data-${name}]`) ?? (this.element.dataset.hero === undefined ? null : (this.element.parentElement?.querySelector<HTMLElement>(`[data-${name}]`) ?? null));
  }

  private writeFigures(lines: Lines): void {
    const figs = this.part("figs");
    if (!figs) return;
    const hero = heroOf(lines);
    hide(figs, !hero || hero.state || hero.count === 0);
    if (!hero || hero.state) return;
    const none = hero.count === 0;
    setText(this.part("min"), none ? NO_VALUE : figure(hero.scale, hero.lo));
    setText(this.part("max"), none ? NO_VALUE : figure(hero.scale, hero.hi));
    const mean = none ? Number.NaN : hero.sum / hero.count;
    const finer = hero.whole && hero.scale.decimals === 0 && !Number.isInteger(mean) && hero.hi < 1000;
    setText(this.part("mean"), figure(finer ? { ...hero.scale, decimals: 1 } : hero.scale, mean));
  }

  private writeStates(lines: Lines): void {
    const list = this.part("states");
    if (!list) return;
    const { words } = lines;
    hide(list, words.length === 0 || lines.numbers.length === 0);
    if (list.hidden) return;
    while (list.children.length > words.length) list.lastElementChild!.remove();
    words.forEach((l, i) => {
      let row = list.children[i];
      if (!row) {
        row = document.createElement("div");
        row.append(document.createElement("dt"), document.createElement("dd"));
        list.append(row);
      }
      setText(row.firstElementChild, l.name);
      setText(row.lastElementChild, l.text());
    });
  }
}

/** columnNames lists the columns as views/topic.go does. */
function columnNames(columns: readonly string[]): string {
  const more = columns.length - NAMED;
  return [...columns.slice(0, NAMED), ...(more > 0 ? [`+ ${decimal(more, 0)} more`] : [])].join(", ");
}
