// The canvas of a chart, and where on it the plot stands. Edges are whole device
// pixels, or halves of them where the screen has no whole ones.

import { el } from "../dom";

/** Inset is the room around the plot, in px. */
export interface Inset {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export class Plane {
  readonly canvas = el("canvas");
  readonly ctx: CanvasRenderingContext2D;
  /** The plot, in device pixels. */
  readonly bbox = { left: 0, top: 0, width: 0, height: 0 };
  /** The canvas, in px. */
  width = 0;
  height = 0;
  /** Rises with every change of a size: then nothing is on the canvas. */
  changes = 0;
  private dpr = 0;
  private readonly inset: Inset = { left: 0, top: 0, right: 0, bottom: 0 };

  constructor() {
    this.canvas.style.display = "block";
    this.ctx = this.canvas.getContext("2d")!;
  }

  /** place gives the canvas its size and the plot its place. */
  place(width: number, height: number, left: number, top: number, right: number, bottom: number): void {
    const dpr = devicePixelRatio;
    const { inset, canvas } = this;
    const sized = width !== this.width || height !== this.height || dpr !== this.dpr;
    if (!sized && left === inset.left && top === inset.top && right === inset.right && bottom === inset.bottom) return;
    this.changes++;
    this.width = width;
    this.height = height;
    this.dpr = dpr;
    inset.left = left;
    inset.top = top;
    inset.right = right;
    inset.bottom = bottom;
    if (sized) {
      canvas.width = Math.round(width * dpr);
      canvas.height = Math.round(height * dpr);
    }
    const { bbox } = this;
    bbox.left = half(left * dpr);
    bbox.top = half(top * dpr);
    bbox.width = half(Math.max(width - left - right, 0) * dpr);
    bbox.height = half(Math.max(height - top - bottom, 0) * dpr);
  }

  /** shift moves what is in the plot, and right of it, to the left. */
  shift(by: number, below: number): void {
    const { ctx, canvas, bbox } = this;
    const width = canvas.width - bbox.left;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, 0, width, below);
    ctx.clip();
    ctx.globalCompositeOperation = "copy";
    ctx.drawImage(canvas, bbox.left + by, 0, width - by, below, bbox.left, 0, width - by, below);
    ctx.restore();
  }

  clear(): void {
    this.ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }
}

function half(v: number): number {
  return Math.round(v * 2) / 2;
}
