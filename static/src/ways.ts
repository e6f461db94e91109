// What a page's connection needs of the browser: the ways themselves, and the
// events after which a connection is not what it seems.

import type { Answer, Live, Outside } from "./live";
import { Poll } from "./poll";
import { Stream } from "./stream";
import type { Ear, Transport, Way } from "./transport";
import { Socket } from "./websocket";

const ANSWER_WITHIN = 3000; // ms

export class Ways implements Outside {
  /** base is the address of the page; way is what its tab remembers. */
  constructor(
    private readonly base: string,
    readonly way: string,
  ) {}

  open(way: Way, wants: () => object[], ear: Ear): Transport {
    if (way === "websocket") return new Socket(this.url("/live").replace(/^http/, "ws"), wants, ear);
    if (way === "sse") return new Stream(this.url("/live/sse"), wants, ear);
    return new Poll(this.url("/live/poll"), wants, ear);
  }

  async ask(): Promise<Answer> {
    const asked = performance.now();
    try {
      const answer = await fetch(this.url("/api/v1/session"), { cache: "no-store", signal: AbortSignal.timeout(ANSWER_WITHIN) });
      if (answer.ok) return { may: "yes", took: performance.now() - asked };
      if (answer.status === 429 || answer.status === 503) return { may: "later", ms: Number(answer.headers.get("Retry-After")) * 1000 || 0 };
      if (answer.status !== 401 && answer.status !== 403 && answer.status !== 421) return { may: "unknown" };
      const body = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
      return { may: "no", say: body?.error?.message || "not yours to see" };
    } catch {
      return { may: "unknown" }; // nobody answers at all: that is what trying again is for
    }
  }

  private url(path: string): string {
    return new URL(path, this.base).href;
  }
}

/** attend tells a connection of what happens to the page and its machine. */
export function attend(live: Live): void {
  const look = () => (document.visibilityState === "hidden" ? live.hide() : live.show());
  if (document.visibilityState === "hidden") live.hide();
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pageshow", (e) => e.persisted && live.comeBack());
  window.addEventListener("pagehide", () => live.leave());
  document.addEventListener("resume", () => live.thaw());
  window.addEventListener("online", () => live.online());
  window.addEventListener("focus", () => live.stir());
}
