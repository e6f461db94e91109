// All keys of the product in one table. The help dialog shows those of it that
// do something on the page; nothing else listens for keys of the whole page.

export type Group = "Everywhere" | "Time" | "On a panel" | "In lists";

export interface Key {
  act: string; // what it does, for those who register
  keys: readonly string[]; // as KeyboardEvent.key, letters small; alternatives
  group: Group;
  say: string; // for the help
  show?: string; // how the help writes the keys, when not one by one
  elsewhere?: boolean; // another part of the script, or the browser itself, listens
}

export const KEYS: readonly Key[] = [
  { act: "search", keys: ["/"], group: "Everywhere", say: "Search; in the list of topics: filter" },
  { act: "palette", keys: ["ctrl+k"], group: "Everywhere", say: "Search, also while single keys are off", show: "Ctrl K" },
  { act: "theme", keys: ["t"], group: "Everywhere", say: "Theme: system, light, dark" },
  { act: "zone", keys: ["u"], group: "Everywhere", say: "UTC or local time" },
  { act: "favourite", keys: ["f"], group: "Everywhere", say: "Favourite, or not any more" },
  { act: "wall", keys: ["w"], group: "Everywhere", say: "Wall screen" },
  { act: "help", keys: ["?"], group: "Everywhere", say: "These keys" },
  { act: "close", keys: ["escape"], group: "Everywhere", say: "Close what is open" },
  { act: "pause", keys: [" "], group: "Time", say: "Pause, or go on" },
  { act: "live", keys: ["l"], group: "Time", say: "Back to live" },
  { act: "range", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], group: "Time", say: "Time range, shortest first", show: "1 to 9" },
  { act: "step.back", keys: ["["], group: "Time", say: "Step back" },
  { act: "step.on", keys: ["]"], group: "Time", say: "Step on" },
  { act: "panel.move", keys: ["arrowleft", "arrowright", "arrowup", "arrowdown"], group: "On a panel", say: "Go to the next panel", show: "Arrows", elsewhere: true },
  { act: "panel.full", keys: ["enter"], group: "On a panel", say: "Full screen", elsewhere: true },
  { act: "panel.values", keys: ["v"], group: "On a panel", say: "Values as a table", elsewhere: true },
  { act: "panel.copy", keys: ["c"], group: "On a panel", say: "Copy the values", elsewhere: true },
  { act: "list.down", keys: ["j"], group: "In lists", say: "Down" },
  { act: "list.up", keys: ["k"], group: "In lists", say: "Up" },
  { act: "list.open", keys: ["enter"], group: "In lists", say: "Open", elsewhere: true },
  { act: "list.pick", keys: ["x"], group: "In lists", say: "Pick, or not any more" },
];

/** actOf returns which act a pressed key means, or "". Whatever is held down beside it must belong to it. */
export function actOf(pressed: { key: string; ctrlKey: boolean; metaKey: boolean; altKey: boolean }, table: readonly Key[] = KEYS): string {
  const key = pressed.key.toLowerCase();
  // AltGr writes brackets on many keyboards and comes as ctrl and alt; alone they are commands.
  const writing = key.length === 1 && pressed.ctrlKey && pressed.altKey;
  if (pressed.altKey && !writing) return "";
  const name = (pressed.ctrlKey || pressed.metaKey) && !writing ? `ctrl+${key}` : key;
  return table.find((k) => !k.elsewhere && k.keys.includes(name))?.act ?? "";
}

/** single says whether an act's key is one that people type: those rest in fields and can be turned off. */
export function single(act: string, table: readonly Key[] = KEYS): boolean {
  return table.some((k) => k.act === act && k.keys.some((key) => key.length === 1));
}

export type Act = (e: KeyboardEvent) => void | false;

export class Keys {
  /** Whether single keys work; the viewer can turn them off. */
  on = true;
  private readonly acts = new Map<string, Act>();
  private readonly others = new Set<string>();

  constructor(target: Document) {
    target.addEventListener("keydown", (e) => this.press(e));
  }

  /** register says what an act does on this page. An act that returns false leaves the key to the browser. */
  register(act: string, does: Act): void {
    if (!KEYS.some((k) => k.act === act && !k.elsewhere)) throw new Error(`no key for ${act}`);
    this.acts.set(act, does);
  }

  /** also names acts of this page that others listen for, for the help. */
  also(...acts: string[]): void {
    for (const act of acts) this.others.add(act);
  }

  /** listed returns the keys that do something on this page. */
  listed(): Key[] {
    return KEYS.filter((k) => this.acts.has(k.act) || this.others.has(k.act));
  }

  private press(e: KeyboardEvent): void {
    if (e.defaultPrevented || e.isComposing) return;
    const act = actOf(e);
    const does = act && this.acts.get(act);
    if (!does) return;
    if (single(act) && (!this.on || typing(e) || (e.key === " " && presses(e)))) return;
    if (document.querySelector("dialog:modal") && act !== "palette") return;
    // A key that is held moves on in lists and in time; it does nothing else twice, nor does the browser with it.
    if (e.repeat && !/^[jk[\]]$/i.test(e.key)) e.preventDefault();
    else if (does(e) !== false) e.preventDefault();
  }
}

/** typing says whether the key goes into a field. */
function typing(e: KeyboardEvent): boolean {
  const at = e.composedPath()[0];
  if (!(at instanceof HTMLElement)) return false;
  if (at instanceof HTMLInputElement) return !/^(checkbox|radio|button)$/.test(at.type) || (at.type === "radio" && e.key === " ");
  return at.isContentEditable || /^(TEXTAREA|SELECT)$/.test(at.tagName);
}

/** presses says whether Space works something where the focus is. */
function presses(e: KeyboardEvent): boolean {
  const at = e.composedPath()[0];
  return at instanceof Element && at.closest("button, summary, input, a[role=button], [role=option]") !== null;
}
