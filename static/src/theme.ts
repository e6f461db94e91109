// Light, dark, or what the system says. The choice is kept in this browser if it
// lets us; early.ts applies it before the first paint.

import { onKey } from "./keys";

export const THEME_KEY = "readout.theme";
type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const SAY: Record<Theme, string> = { auto: "follows the system", light: "light", dark: "dark" };

export function stored(): Theme {
  try {
    const theme = localStorage.getItem(THEME_KEY);
    return theme === "light" || theme === "dark" ? theme : "auto";
  } catch {
    return "auto"; // storage is forbidden here
  }
}

export function apply(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** mountTheme brings the button and the key T to life. changed is called after each change. */
export function mountTheme(button: HTMLElement | null, changed: () => void): void {
  let theme = stored();
  const label = () => {
    const text = `Theme: ${SAY[theme]} (T)`;
    button?.setAttribute("aria-label", text);
    if (button) button.title = text;
  };
  const turn = () => {
    theme = NEXT[theme];
    apply(theme);
    try {
      if (theme === "auto") localStorage.removeItem(THEME_KEY);
      else localStorage.setItem(THEME_KEY, theme);
    } catch {
      // It holds for this page only.
    }
    label();
    changed();
  };
  if (button) button.hidden = false;
  button?.addEventListener("click", turn);
  onKey("t", turn);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  label();
}
