// Facets of the list of topics: the names, the values of each label and the
// states that are there, each with how many topics have it. What is picked in
// one facet narrows all others but not itself, so that more of it can be picked.

import { parts } from "./address";
import { labelsOf } from "./selector";

export interface Item {
  topic: string;
  state: string; // live, or not
}

export interface Choice {
  value: string;
  count: number;
  picked: boolean;
}

export interface Facet {
  name: string; // "Name", "State", or a label
  key: string; // "name", "state", or "label:host"
  choices: Choice[];
  more: number; // choices that are left out
}

const MOST_FACETS = 6;
const MOST_CHOICES = 8;
const MOST_OPEN = 100; // beyond them the field is the better way

/** Facets counts. Each topic is taken apart once. */
export class Facets {
  private readonly known = new Map<string, ReadonlyMap<string, string>>();
  readonly picked = new Map<string, Set<string>>();
  /** Facets that show more than the few choices that fit. */
  readonly open = new Set<string>();

  /** toggle picks a choice, or not any more. */
  toggle(key: string, value: string): void {
    const set = this.picked.get(key) ?? new Set();
    if (!set.delete(value)) set.add(value);
    if (set.size > 0) this.picked.set(key, set);
    else this.picked.delete(key);
  }

  /** test says whether an item has what is picked; but leaves one facet out. */
  test(item: Item, but = ""): boolean {
    for (const [key, values] of this.picked) {
      if (key === but) continue;
      const value = this.of(item, key);
      if (value === undefined || !values.has(value)) return false;
    }
    return true;
  }

  /** count returns the facets of a list: names first, then labels by how many topics have them, then states. */
  count(items: readonly Item[]): Facet[] {
    const labels = new Map<string, number>();
    for (const item of items) for (const label of this.taken(item.topic).keys()) if (label !== "") labels.set(label, (labels.get(label) ?? 0) + 1);
    for (const key of this.picked.keys()) if (key.startsWith("label:") && !labels.has(key.slice(6))) labels.set(key.slice(6), 0);
    const ordered = [...labels].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([label]) => this.facet(label, `label:${label}`, items));
    // A label that is another for each topic narrows to one topic at a time: after all others.
    const chosen = ordered.filter((f) => !lone(f)).concat(ordered.filter(lone)).slice(0, MOST_FACETS - 2);
    return [this.facet("Name", "name", items), ...chosen, this.facet("State", "state", items)].filter((f) => f.choices.length > 1 || f.choices.some((c) => c.picked));
  }

  private facet(name: string, key: string, items: readonly Item[]): Facet {
    const counts = new Map<string, number>();
    for (const item of items) {
      const value = this.of(item, key);
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + (this.test(item, key) ? 1 : 0));
    }
    const picked = this.picked.get(key) ?? new Set();
    for (const value of picked) if (!counts.has(value)) counts.set(value, 0);
    const all = [...counts].map(([value, count]) => ({ value, count, picked: picked.has(value) }));
    all.sort((a, b) => Number(b.picked) - Number(a.picked) || b.count - a.count || (a.value < b.value ? -1 : 1));
    const choices = all.slice(0, Math.max(this.open.has(key) ? MOST_OPEN : MOST_CHOICES, picked.size));
    return { name, key, choices, more: all.length - choices.length };
  }

  private of(item: Item, key: string): string | undefined {
    if (key === "state") return item.state;
    const taken = this.taken(item.topic);
    return taken.get(key === "name" ? "" : key.slice(6));
  }

  /** taken is a topic in parts: its labels, and its name under "". */
  private taken(topic: string): ReadonlyMap<string, string> {
    let t = this.known.get(topic);
    if (!t) {
      t = new Map([["", parts(topic).name], ...labelsOf(topic)]);
      this.known.set(topic, t);
    }
    return t;
  }
}

function lone(f: Facet): boolean {
  return f.more > 0 && f.choices.every((c) => c.count <= 1 && !c.picked);
}
