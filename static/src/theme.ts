// Light, dark, or what the system says. The choice is kept in this browser if it
// lets us; early.ts applies it before the first paint.

import { keep, onKept, recall } from "./settings";

export type Theme = "auto" | "light" | "dark";

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const SAY: Record<Theme, string> = { auto: "follows the system", light: "light", dark: "dark" };

export function stored(): Theme {
  return themeNamed(recall("theme"));
}

/** themeNamed takes a stored text; all but light and dark follows the system. */
export function themeNamed(text: string): Theme {
  return text === "light" || text === "dark" ? text : "auto";
}

export function apply(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** ThemeSwitch is the button, the choice of the settings menu and the key T. */
export class ThemeSwitch {
  private theme = stored();
  private readonly buttons: HTMLElement[];

  /** changed is called after each change, also of the system's own. */
  constructor(
    root: ParentNode,
    private readonly changed: (theme: Theme) => void,
  ) {
    this.buttons = [...root.querySelectorAll<HTMLElement>("[data-theme-toggle]")];
    for (const button of this.buttons) {
      button.hidden = false;
      button.addEventListener("click", () => this.turn());
    }
    const follow = () => changed(this.theme);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", follow);
    window.matchMedia("(prefers-contrast: more)").addEventListener("change", follow);
    onKept("theme", () => this.show(stored()));
    this.label();
  }

  get now(): Theme {
    return this.theme;
  }

  /** dark says what the page looks like now, whoever chose it. */
  dark(): boolean {
    return this.theme === "dark" || (this.theme === "auto" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  }

  /** turn goes on to the next of system, light, dark. */
  turn(): void {
    this.set(NEXT[this.theme]);
  }

  set(theme: Theme): void {
    keep("theme", theme === "auto" ? "" : theme);
    this.show(theme);
  }

  /** reapply puts the chosen theme back after something else stood in for it. */
  reapply(): void {
    apply(this.theme);
  }

  private show(theme: Theme): void {
    this.theme = theme;
    apply(theme);
    this.label();
    this.changed(theme);
  }

  private label(): void {
    for (const button of this.buttons) {
      const text = `Theme: ${SAY[this.theme]} (T)`;
      button.setAttribute("aria-label", text);
      button.title = text;
    }
  }
}
