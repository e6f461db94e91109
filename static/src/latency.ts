// How long a reading takes from the store to this screen: 99 of 100 of the last
// minute were drawn within this time.

const MOST = 2048;
const OVER = 60_000; // ms

export class Latency {
  private readonly took = new Float64Array(MOST);
  private readonly at = new Float64Array(MOST);
  private readonly sorted = new Float64Array(MOST);
  private next = 0;

  constructor() {
    this.at.fill(Number.NEGATIVE_INFINITY);
  }

  /** add takes how long one message took, in ms, and when that was. */
  add(took: number, at: number): void {
    this.took[this.next] = Math.max(took, 0);
    this.at[this.next] = at;
    this.next = (this.next + 1) % MOST;
  }

  /** forget drops everything, for what was measured with another clock. */
  forget(): void {
    this.at.fill(Number.NEGATIVE_INFINITY);
  }

  /** p99 is the time within which 99 of 100 were drawn, NaN when none was. */
  p99(now: number): number {
    let n = 0;
    for (let i = 0; i < MOST; i++) if (this.at[i]! > now - OVER) this.sorted[n++] = this.took[i]!;
    if (n === 0) return Number.NaN;
    return this.sorted.subarray(0, n).sort()[Math.ceil(n * 0.99) - 1]!;
  }
}

/** storedAt is the server's time in a cursor, in ms: the time part of its stream ID. */
export function storedAt(cursor: string): number {
  const dash = cursor.indexOf("-");
  const ms = dash > 0 ? Number(cursor.slice(0, dash)) : Number.NaN;
  return ms > 0 ? ms : Number.NaN;
}
