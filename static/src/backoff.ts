// When to connect again, and whether to at all.

const BASE = 500;
const CAP = 30_000;

/** delay is full jitter: any time up to 0.5 s, then 1 s, 2 s ... 30 s. random is in [0, 1). */
export function delay(attempt: number, random: number): number {
  return random * Math.min(CAP, BASE * 2 ** Math.min(attempt, 16));
}

export interface Verdict {
  again: boolean;
  /** Not before this many ms. */
  least: number;
  /** Ask for fewer readings per second: this viewer could not follow. */
  slower: boolean;
  /** What the page says when it stops. */
  say: string;
}

const again = (least = 0, slower = false): Verdict => ({ again: true, least, slower, say: "" });
const stop = (say: string): Verdict => ({ again: false, least: 0, slower: false, say });

/** verdict reads a close code: the table of the live protocol. */
export function verdict(code: number, reason: string): Verdict {
  switch (code) {
    case 1000:
      return stop("closed");
    case 1002:
    case 1003:
    case 1007:
    case 1009:
      return stop(`this page and the server do not understand each other (${code})`);
    case 1008:
      return stop(reason || "refused by the server");
    case 1012:
      return again(retryMs(reason));
    case 1013:
      return again(5000);
    case 4003:
      return stop(reason || "not yours to see");
    case 4009:
      return again(0, true);
    case 4029:
      return stop("too many open pages for this token");
  }
  // 1001 going away, 1006 cut, 1011 their mistake, 4001 expired, 4008 silent, and what nobody named yet.
  return again();
}

/** retryMs reads retry_ms from the reason of a close, as JSON or as a bare number. */
export function retryMs(reason: string): number {
  const found = /retry_ms\D{0,3}(\d{1,6})|^\s*(\d{1,6})\s*$/.exec(reason);
  return found ? Number(found[1] ?? found[2]) : 0;
}
