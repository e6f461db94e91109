// The page: its panels, its one socket, its one clock.

import { Announcer } from "./announce";
import { Clock } from "./clock";
import type { Message } from "./frame";
import { type Data, Panel, type Place, readData } from "./panel";
import { ReadOut } from "./readout";
import { Schedule } from "./schedule";
import { type Link, Live, type Sink, type Subscription } from "./socket";

const WATCH_EVERY = 1000; // ms

/** Newcomers hears of topics that have no panel yet. */
export type Newcomers = (topic: string) => Panel | null;

export class Board implements Sink, Place {
  readonly live: Live;
  private readonly clock: Clock;
  private readonly schedule: Schedule;
  private readonly panels = new Map<string, Panel[]>();
  private readonly announcer: Announcer;
  private readonly readOut: ReadOut;
  private state: Link = { state: "connecting" };
  private newcomers: Newcomers = () => null;
  private problem = "";

  constructor(serverNow: number) {
    this.clock = new Clock(serverNow);
    this.schedule = new Schedule(() => this.clock.now());
    this.announcer = new Announcer(document.querySelector("[data-announce]"));
    this.readOut = new ReadOut(document);
    this.live = new Live(new URL("/live", window.location.href).href.replace(/^http/, "ws"), this);
    window.setInterval(() => this.watch(), WATCH_EVERY);
  }

  /** mount takes over a panel that the server rendered. */
  mount(element: HTMLElement): Panel | null {
    const data = readData(element);
    return data && data.topic !== "" ? this.add(element, data) : null;
  }

  /** add takes an element and what is known of its topic. */
  add(element: HTMLElement, data: Data): Panel {
    const panel = new Panel(element, data, this);
    this.panels.set(panel.topic, [...(this.panels.get(panel.topic) ?? []), panel]);
    this.live.resume.start(data.topic, data.after);
    this.schedule.add(panel);
    this.schedule.touch(panel);
    return panel;
  }

  /** start subscribes to what the page shows and connects. */
  start(subscription: Subscription | null, newcomers: Newcomers = () => null): void {
    this.newcomers = newcomers;
    if (subscription) this.live.subscribe(subscription);
    this.live.connect();
  }

  message(m: Message, first: boolean): void {
    if (m.type === "welcome") this.clock.set(m.now);
    if (m.type === "error") this.problem = m.message;
    if (!("topic" in m) || m.topic === undefined) return;
    let panels = this.panels.get(m.topic);
    if (!panels && (m.type === "snapshot" || m.type === "readings")) {
      const added = this.newcomers(m.topic);
      panels = added ? [added] : [];
    }
    for (const panel of panels ?? []) panel.message(m, first);
  }

  link(l?: Link): "live" | "again" | "stopped" {
    if (l) {
      if (l.state !== this.state.state) this.schedule.all();
      this.state = l;
      this.watch();
    }
    if (this.state.state === "stopped") return "stopped";
    // A connection that is back within a second was never worth a word.
    return this.state.state === "again" && performance.now() - this.state.since > 1000 ? "again" : "live";
  }

  expecting(): boolean {
    const now = this.clock.now();
    for (const panels of this.panels.values()) if (panels.some((p) => p.due(now))) return true;
    return false;
  }

  now(): number {
    return this.clock.now();
  }

  touch(panel: Panel): void {
    this.schedule.touch(panel);
  }

  say(text: string): void {
    this.announcer.say(text);
  }

  /** restyle follows a change of theme. */
  restyle(): void {
    for (const panels of this.panels.values()) for (const p of panels) p.restyle();
    this.schedule.all();
  }

  all(): Panel[] {
    return [...this.panels.values()].flat();
  }

  private watch(): void {
    if (document.visibilityState === "hidden") return;
    this.live.check();
    const now = this.clock.now();
    let live = 0;
    let other = 0;
    for (const panels of this.panels.values()) {
      const { state } = panels[0]!.judge(now);
      if (state === "live" || state === "quiet") live++;
      else if (state !== "empty") other++;
    }
    const link: Link = this.state.state === "live" && this.problem && this.panels.size === 1 && live + other === 0 ? { state: "stopped", say: this.problem } : this.state;
    this.readOut.show(link, live, other);
    document.documentElement.dataset.link = this.state.state;
    document.documentElement.dataset.violations = String(this.live.resume.violations);
  }
}
