// How many rows a panel has room for: whole ones, and a line that says how many
// are left out.

/** rowsThatFit is how many of so many rows are shown. Sizes are in px; 0 for a row that was not measured yet. */
export function rowsThatFit(rows: number, limit: number, room: number, row: number, line: number): number {
  const most = Math.min(rows, limit);
  if (!(row > 0) || !(room > 0)) return most;
  const whole = (px: number) => Math.max(Math.floor((px + 0.5) / row), 1);
  if (most === rows && rows <= whole(room)) return rows;
  return Math.min(most, whole(room - line));
}

/** Fit watches the size of a body; changed is called when another number of rows fits. */
export class Fit {
  private readonly observer: ResizeObserver | null;
  private room = 0; // px for rows and the line below them
  private row = 0;
  private line = 0;

  constructor(body: HTMLElement, list: HTMLElement, more: HTMLElement, rows: () => HTMLCollection, changed: () => void) {
    // A body as high as what it holds has room for everything.
    const grows = body.closest("[data-hero]") !== null;
    this.observer = grows
      ? null
      : new ResizeObserver(() => {
          // Nothing waits to be laid out here, so that measuring costs nothing.
          const all = rows();
          const [first, second] = [all[0], all[1]];
          if (!(first instanceof HTMLElement)) return;
          const { top, height } = first.getBoundingClientRect();
          const apart = second ? second.getBoundingClientRect().top - top : 0;
          const row = Math.max(apart, height);
          const room = body.getBoundingClientRect().bottom - top;
          const line = more.hidden ? this.line || height : more.getBoundingClientRect().height;
          if (Math.abs(row - this.row) < 0.5 && Math.abs(room - this.room) < 0.5 && Math.abs(line - this.line) < 0.5) return;
          [this.room, this.row, this.line] = [room, row, line];
          changed();
        });
    this.observer?.observe(body);
    this.observer?.observe(list);
  }

  most(rows: number, limit: number): number {
    return rowsThatFit(rows, limit, this.room, this.row, this.line);
  }

  end(): void {
    this.observer?.disconnect();
  }
}
