// The colours and fonts of the page for its canvases, asked for once and again
// after each change of theme; and labels of axes as small pictures, because a
// text that is set anew in every frame costs more than the line it belongs to.

import { type Palette, readPalette } from "./colours";

const MOST = 256; // labels: of a hundred charts most are the same

interface Label {
  picture: HTMLCanvasElement;
  width: number; // device pixels
  height: number;
}

export class Look {
  private read: Palette | null = null;
  private readonly labels = new Map<string, Label>();

  constructor(private readonly inside: Element) {}

  /** palette is what the style sheet says now. */
  palette(): Palette {
    this.read ??= readPalette(this.inside);
    return this.read;
  }

  /** forget asks again: after a change of theme, font or density. */
  forget(): void {
    this.read = null;
    this.labels.clear();
  }

  /** width is how wide a label is, in device pixels. */
  width(text: string): number {
    return this.label(text).width;
  }

  /** write puts a label of an axis: right of x when align is 0, around it at 0.5, left of it at 1; y is its middle. All in device pixels. */
  write(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, align: number): void {
    const { picture, width, height } = this.label(text);
    ctx.drawImage(picture, Math.round(x - align * width), Math.round(y - height / 2));
  }

  private label(text: string): Label {
    let label = this.labels.get(text);
    if (label) return label;
    if (this.labels.size >= MOST) this.labels.clear();
    const p = this.palette();
    const picture = document.createElement("canvas");
    const pen = picture.getContext("2d")!;
    pen.font = p.canvasFont;
    const width = Math.ceil(pen.measureText(text).width) + 2;
    const height = Math.ceil((Number.parseFloat(/([\d.]+)px/.exec(p.canvasFont)?.[1] ?? "11") || 11) * 1.5);
    picture.width = Math.max(width, 1);
    picture.height = height;
    pen.font = p.canvasFont; // a new size forgets it
    pen.fillStyle = p.muted;
    pen.textBaseline = "middle";
    pen.fillText(text, 1, height / 2);
    label = { picture, width, height };
    this.labels.set(text, label);
    return label;
  }
}
