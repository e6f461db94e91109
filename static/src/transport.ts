// One connection to the server. There are three kinds, because what lies between
// here and there may let some of them through and not others.

import type { Message } from "./frame";

/** Way is a kind of connection, the best first. */
export type Way = "websocket" | "sse" | "poll";

/** End says how a connection ended: a close code, 1006 when nothing was said. */
export interface End {
  code: number;
  reason: string;
}

export const CUT: End = { code: 1006, reason: "" };

/** Ear hears what a connection brings. */
export interface Ear {
  /** begins says that what follows answers what was asked for at a time (of performance.now). */
  begins(asked: number): void;
  message(m: Message): void;
  /** alive says that something came that is no message. */
  alive(): void;
  /** ended is the last of it. */
  ended(how: End): void;
}

/** Transport is an open connection. Who ends it does not listen to it any more. */
export interface Transport {
  /** tell sends one more message; false when this kind cannot, and has to be opened anew with all that is wanted. */
  tell(message: object): boolean;
  end(): void;
}

/** Open makes a connection that asks for what is wanted, at every time that it asks. */
export type Open = (way: Way, wants: () => object[], ear: Ear) => Transport;

/** post is how event streams and polls ask. */
export function post(wants: object[], signal: AbortSignal): RequestInit {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wants), cache: "no-store", signal };
}
