// The help dialog: the table of keys, as far as they do something on this page.

import { el } from "./dom";
import type { Key, Keys } from "./keys";
import { openDialog } from "./menu";

export function mountHelp(root: ParentNode, keys: Keys): void {
  const dialog = root.querySelector<HTMLDialogElement>("[data-keys-dialog]");
  const place = dialog?.querySelector("[data-keys]");
  if (!dialog || !place) return;
  const open = () => {
    place.replaceChildren(...groups(keys.listed()));
    openDialog(dialog);
  };
  keys.register("help", open);
  for (const button of root.querySelectorAll("[data-keys-open]")) button.addEventListener("click", open);
}

function groups(listed: readonly Key[]): HTMLElement[] {
  const names = [...new Set(listed.map((k) => k.group))];
  return names.map((name) => {
    const section = el("section", "stack tight");
    const list = el("dl", "key-list");
    for (const key of listed.filter((k) => k.group === name)) {
      const term = el("dt", "");
      term.append(...caps(key).map((cap) => el("kbd", "", cap)));
      list.append(term, el("dd", "", key.say));
    }
    section.append(el("h3", "muted small", name), list);
    return section;
  });
}

/** caps are the key caps of one line of the help. */
export function caps(key: Key): string[] {
  return key.show ? [key.show] : key.keys.map(capOf);
}

function capOf(key: string): string {
  if (key === " ") return "Space";
  if (key === "escape") return "Esc";
  return key.length === 1 ? key.toUpperCase() : key[0]!.toUpperCase() + key.slice(1);
}
