// Colours live in the style sheet. A canvas needs them as text, so they are
// asked for where they apply, and again after each change of theme.

const SERIES = 8;

/** lineClass names the colour and dash of the n-th line of a panel. */
export function lineClass(order: number): string {
  const round = Math.min(Math.floor(order / SERIES), 2);
  return `k${(order % SERIES) + 1}${round > 0 ? ` dash${round}` : ""}`;
}

const DASHES: readonly (readonly number[])[] = [[], [6, 4], [2, 3]];

/** dashOf is the dash of the n-th line, in px. */
export function dashOf(order: number): readonly number[] {
  return DASHES[Math.min(Math.floor(order / SERIES), 2)]!;
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
  warn: string;
  critical: string;
  font: string;
  /** The same font in device pixels, for a canvas. */
  canvasFont: string;
  line(order: number): string;
  /** fill is a line's colour as its area has it. */
  fillOf(order: number, alpha: number): string;
  /** faint is a line's colour when its topic is not live. */
  faint(order: number): string;
  /** hatch is what stands where readings are missing. */
  hatch: CanvasPattern | string;
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
  const faints = lines.map((c) => faded(c, 0.6));
  const fills = new Map<number, string[]>();
  const first = (...names: string[]) => ask(names.find((name) => style.getPropertyValue(name) !== "") ?? names[0]!);
  const dpr = window.devicePixelRatio;
  const font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const gap = ask("--gap");
  const palette: Palette = {
    grid: ask("--grid"),
    muted: ask("--muted"),
    text: ask("--text"),
    text2: ask("--text-2"),
    surface: ask("--surface"),
    stale: ask("--stale"),
    staleSoft: ask("--stale-soft"),
    gap,
    warn: first("--warn", "--warning"),
    critical: ask("--critical"),
    font,
    canvasFont: font.replace(/([\d.]+)px/, (_, px) => `${Number(px) * dpr}px`),
    line: (order) => lines[order % SERIES]!,
    faint: (order) => faints[order % SERIES]!,
    fillOf: (order, alpha) => {
      let list = fills.get(alpha);
      if (!list) {
        list = lines.map((c) => faded(c, alpha));
        fills.set(alpha, list);
      }
      return list[order % SERIES]!;
    },
    hatch: hatch(gap, dpr),
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

function hatch(colour: string, dpr: number): CanvasPattern | string {
  const tile = document.createElement("canvas");
  const size = Math.round(6 * dpr);
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  if (!pen) return colour;
  pen.strokeStyle = colour;
  pen.lineWidth = dpr;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return pen.createPattern(tile, "repeat") ?? colour;
}
