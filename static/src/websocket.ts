// The WebSocket: the best way. It also acknowledges what it received, so that the
// server knows whether this viewer keeps up.

import { decode } from "./frame";
import type { Ear, Transport } from "./transport";

const ACK_BYTES = 16 * 1024;
const ACK_MS = 1000;

export class Socket implements Transport {
  private readonly socket: WebSocket;
  private received = 0;
  private acked = 0;
  private ackedAt = 0;
  private timer = 0;

  constructor(url: string, wants: () => object[], ear: Ear) {
    const asked = performance.now();
    this.socket = new WebSocket(url, "readout.v1");
    this.socket.onopen = () => {
      for (const message of wants()) this.tell(message);
      ear.begins(asked);
    };
    this.socket.onmessage = (e: MessageEvent) => {
      if (typeof e.data !== "string") return;
      const m = decode(e.data);
      if (m) ear.message(m);
      this.count(byteLength(e.data));
    };
    this.socket.onclose = (e) => {
      window.clearTimeout(this.timer);
      ear.ended({ code: e.code, reason: e.reason });
    };
  }

  tell(message: object): boolean {
    // What is told before it is open is wanted when it opens.
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
    return true;
  }

  end(): void {
    window.clearTimeout(this.timer);
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(1000);
  }

  private count(bytes: number): void {
    this.received += bytes;
    if (this.received - this.acked >= ACK_BYTES || performance.now() - this.ackedAt >= ACK_MS) this.ack();
    else this.timer ||= window.setTimeout(() => this.ack(), ACK_MS);
  }

  private ack(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    if (this.received === this.acked) return;
    this.acked = this.received;
    this.ackedAt = performance.now();
    this.tell({ type: "ack", bytes: this.received });
  }
}

/** byteLength counts the bytes of a text as UTF-8, which is how the server counts what it sent. */
export function byteLength(s: string): number {
  let bytes = s.length;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c < 0x80) continue;
    bytes += c < 0x800 ? 1 : 2;
    if (c >= 0xd800 && c < 0xdc00) i++; // a pair of two units is four bytes
  }
  return bytes;
}
