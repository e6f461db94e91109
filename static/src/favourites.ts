// Favourites: dashboards and topics that this browser keeps first on the home
// page and in the search.

import { topicPath } from "./address";
import { el, icon } from "./dom";
import { keep, onKept, recall } from "./settings";

export interface Favourite {
  kind: "dashboard" | "topic";
  id: string; // slug, or topic
  title: string;
}

const MOST = 50;

/** readFavourites reads a stored list; what is not one is left out. */
export function readFavourites(json: string): Favourite[] {
  try {
    const list: unknown = JSON.parse(json || "[]");
    if (!Array.isArray(list)) return [];
    return list
      .filter((f): f is Favourite => (f?.kind === "dashboard" || f?.kind === "topic") && typeof f.id === "string" && f.id !== "" && typeof f.title === "string")
      .slice(0, MOST);
  } catch {
    return [];
  }
}

/** toggled returns the list with one more, the newest last, or with one less. */
export function toggled(list: readonly Favourite[], one: Favourite): Favourite[] {
  const others = list.filter((f) => !same(f, one));
  return others.length < list.length ? others : [...others, one].slice(-MOST);
}

function same(a: Favourite, b: Favourite): boolean {
  return a.kind === b.kind && a.id === b.id;
}

/** addressOf is where a favourite leads. */
export function addressOf(f: Favourite): string {
  return f.kind === "topic" ? topicPath(f.id) : `/d/${encodeURIComponent(f.id)}`;
}

export class Favourites {
  private list = readFavourites(recall("favourites"));
  private readonly star: HTMLElement | null;
  private readonly here: Favourite | null = null;

  constructor(
    private readonly root: ParentNode,
    private readonly say: (text: string) => void,
  ) {
    this.star = root.querySelector<HTMLElement>("[data-star]");
    const { star: kind, id, title } = this.star?.dataset ?? {};
    if ((kind === "dashboard" || kind === "topic") && id) this.here = { kind, id, title: title || id };
    this.star?.addEventListener("click", () => this.toggle());
    onKept("favourites", () => {
      this.list = readFavourites(recall("favourites"));
      this.show();
    });
    this.show();
  }

  /** all returns the favourites, the oldest first. */
  all(): readonly Favourite[] {
    return this.list;
  }

  /** can says whether this page can be a favourite. */
  can(): boolean {
    return this.here !== null;
  }

  /** toggle makes this page a favourite, or not any more. */
  toggle(): void {
    if (!this.here) return;
    this.list = toggled(this.list, this.here);
    keep("favourites", this.list.length === 0 ? "" : JSON.stringify(this.list));
    this.show();
    this.say(this.starred() ? "Favourite" : "Not a favourite any more");
  }

  private starred(): boolean {
    const { here } = this;
    return here !== null && this.list.some((f) => same(f, here));
  }

  private show(): void {
    this.star?.setAttribute("aria-pressed", String(this.starred()));
    const place = this.root.querySelector("[data-favourites-list]");
    const section = this.root.querySelector<HTMLElement>("[data-favourites]");
    if (!place || !section) return;
    section.hidden = this.list.length === 0;
    place.replaceChildren(
      ...this.list.map((f) => {
        const item = el("li", "");
        const link = el("a", f.kind === "topic" ? "btn mono" : "btn");
        link.setAttribute("href", addressOf(f));
        link.append(icon(f.kind === "topic" ? "line" : "board"), el("span", "nowrap", f.title));
        item.append(link);
        return item;
      }),
    );
  }
}
