// Colours live in the style sheet. A canvas needs them as text, so they are
// asked for where they apply, and again after each change of theme.

const SERIES = 8;

/** lineClass names the colour and dash of the n-th line of a panel. */
export function lineClass(order: number): string {
  const round = Math.min(Math.floor(order / SERIES), 2);
  return `k${(order % SERIES) + 1}${round > 0 ? ` dash${round}` : ""}`;
}

/** dashOf is the dash of the n-th line, in px. */
export function dashOf(order: number): number[] {
  return [[], [6, 4], [2, 3]][Math.min(Math.floor(order / SERIES), 2)]!;
}

export interface Palette {
  grid: string;
  muted: string;
  text: string;
  text2: string;
  surface: string;
  stale: string;
  staleSoft: string;
  gap: string;
  font: string;
  line(order: number): string;
  /** width of a line, in px */
  stroke: number;
  fill: number;
}

/** readPalette asks the style sheet what the colours are inside an element. */
export function readPalette(inside: Element): Palette {
  const probe = document.createElement("span");
  probe.className = "probe";
  inside.append(probe);
  const style = getComputedStyle(probe);
  const ask = (name: string) => {
    probe.style.color = `var(${name})`;
    return style.color;
  };
  const lines = Array.from({ length: SERIES }, (_, i) => ask(`--s${i + 1}`));
  const palette: Palette = {
    grid: ask("--grid"),
    muted: ask("--muted"),
    text: ask("--text"),
    text2: ask("--text-2"),
    surface: ask("--surface"),
    stale: ask("--stale"),
    staleSoft: ask("--stale-soft"),
    gap: ask("--gap"),
    font: `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`,
    line: (order) => lines[order % SERIES]!,
    stroke: Number.parseFloat(style.getPropertyValue("--stroke")) || 1.5,
    fill: Number.parseFloat(style.getPropertyValue("--fill")) || 0.14,
  };
  probe.remove();
  return palette;
}

/** faded gives a colour of getComputedStyle less weight. */
export function faded(colour: string, alpha: number): string {
  const parts = /^rgba?\(([\d.]+)[, ]+([\d.]+)[, ]+([\d.]+)/.exec(colour);
  return parts ? `rgba(${parts[1]}, ${parts[2]}, ${parts[3]}, ${alpha})` : colour;
}
