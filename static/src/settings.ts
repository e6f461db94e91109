// What this browser remembers, under readout.*: theme, zone, single keys,
// favourites, what was searched for. Where storage is forbidden a choice holds
// for the page.

/** recall returns what was kept under a name; "" when nothing was. */
export function recall(name: string): string {
  try {
    return localStorage.getItem(`readout.${name}`) ?? "";
  } catch {
    return "";
  }
}

/** keep stores a text under a name; "" removes it. */
export function keep(name: string, text: string): void {
  try {
    if (text === "") localStorage.removeItem(`readout.${name}`);
    else localStorage.setItem(`readout.${name}`, text);
  } catch {
    // It holds for this page only.
  }
}

/** recallList returns a list of texts that keepList stored; what is not one is none. */
export function recallList(name: string): string[] {
  return listOf(recall(name));
}

/** keepList stores a list of texts. */
export function keepList(name: string, list: readonly string[]): void {
  keep(name, list.length === 0 ? "" : JSON.stringify(list));
}

/** listOf reads a list of texts out of JSON that anybody may have written. */
export function listOf(json: string): string[] {
  try {
    const list: unknown = JSON.parse(json || "[]");
    return Array.isArray(list) ? list.filter((item): item is string => typeof item === "string") : [];
  } catch {
    return [];
  }
}

/** onKept hears of a name that another tab of this browser changed. */
export function onKept(name: string, changed: () => void): void {
  window.addEventListener("storage", (e) => {
    if (e.key === `readout.${name}` || e.key === null) changed();
  });
}

/** Choice is one setting and its controls in the settings menu: [data-setting=name]. */
export class Choice {
  private readonly controls: HTMLInputElement[];

  constructor(
    root: ParentNode,
    readonly name: string,
    private now: string,
    private readonly changed: (value: string) => void,
  ) {
    this.controls = [...root.querySelectorAll<HTMLInputElement>(`[data-setting="${name}"]`)];
    for (const control of this.controls) {
      control.addEventListener("change", () => {
        if (control.type === "checkbox") this.set(control.checked ? "on" : "off");
        else if (control.checked) this.set(control.value);
      });
    }
    this.show();
  }

  get value(): string {
    return this.now;
  }

  /** set chooses a value, shows it in the menu and says so. */
  set(value: string): void {
    if (value === this.now) return;
    this.now = value;
    this.show();
    this.changed(value);
  }

  private show(): void {
    for (const control of this.controls) control.checked = control.type === "checkbox" ? this.now !== "off" : control.value === this.now;
  }
}
