import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { CUT, type Ear, type End, type Way } from "./transport";
import type { Message } from "./frame";
import { type Answer, type Link, Live, type Subscription } from "./live";

let time = 0; // of performance.now
let wall = 0;

beforeEach(() => {
  mock.reset();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  time = 1000;
  wall = 1_763_785_200_000;
  mock.method(performance, "now", () => time);
  mock.method(Date, "now", () => wall);
  mock.method(Math, "random", () => 0.5);
});

/** settled lets everything go on that waits for nothing but its turn. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function pass(ms: number): Promise<void> {
  const most = ms > 5000 ? 250 : 50;
  for (let left = ms; left > 0; left -= most) {
    const step = Math.min(left, most);
    time += step;
    wall += step;
    mock.timers.tick(step);
    await settled();
  }
}

/** Fake is one connection that does what a test says. */
class Fake {
  readonly told: Record<string, unknown>[] = [];
  open = true;
  constructor(
    readonly way: Way,
    readonly wants: () => object[],
    readonly ear: Ear,
  ) {}
  tell(message: object): boolean {
    if (this.way !== "websocket") return false;
    this.told.push(message as Record<string, unknown>);
    return true;
  }
  end(): void {
    this.open = false;
  }
  cut(how: End = CUT): void {
    this.open = false;
    this.ear.ended(how);
  }
  welcome(): void {
    this.ear.begins(time);
    this.ear.message({ type: "welcome", replica: "a", now: wall });
  }
}

/** page is a page with a connection, and a net that lets through what it says. */
function page(kept = "") {
  const all: Fake[] = [];
  const links: Link[] = [];
  const heard: [Message, boolean][] = [];
  const p = {
    answer: { may: "yes", took: 5 } as Answer,
    /** net is asked what happens to a new connection. */
    net: (_: Fake) => {},
    expecting: false,
    all,
    links,
    heard,
    live: null as unknown as Live,
    get now(): Fake {
      return all.at(-1)!;
    },
    get state(): string {
      return links.at(-1)?.state ?? "connecting";
    },
    ways: () => all.map((f) => f.way).join(" "),
  };
  p.live = new Live(
    {
      way: kept,
      ask: () => Promise.resolve(p.answer),
      open: (way, wants, ear) => {
        const f = new Fake(way, wants, ear);
        all.push(f);
        queueMicrotask(() => p.net(f));
        return f;
      },
    },
    { message: (m, first) => heard.push([m, first]), link: (l) => links.push(l), expecting: () => p.expecting },
  );
  p.live.subscribe(panels());
  return p;
}

const panels = (): Subscription => ({ topics: ["a"], window: "5m", points: 600, rate: 10 });
const readings = (prev: string, id: string): Message => ({ type: "readings", topic: "a", rows: [[1, 1]], id, prev, of: 1 });
const snapshot = (id: string): Message => ({ type: "snapshot", topic: "a", columns: [], units: [], interval: 1000, rows: [], id, of: 0 });
const after = (f: Fake) => (f.wants()[0] as { after: Record<string, string> }).after;

test("a page connects by WebSocket and says what it wants", async () => {
  const p = page();
  p.net = (f) => f.welcome();
  p.live.connect();
  await pass(50);
  assert.equal(p.ways(), "websocket");
  assert.equal(p.state, "live");
  assert.deepEqual(p.now.wants(), [{ type: "subscribe", id: 1, topics: ["a"], after: {}, window: "5m", points: 600, rate: 10, rates: true }]);
});

test("a WebSocket that is refused while HTTP answers gives way to the event stream within a second", async () => {
  const p = page();
  p.net = (f) => (f.way === "websocket" ? f.cut() : f.welcome());
  p.live.connect();
  await pass(1000);
  assert.equal(p.ways(), "websocket websocket sse");
  assert.equal(p.state, "live");
});

test("a WebSocket that never opens gives way after 1.5 s", async () => {
  const p = page();
  p.net = (f) => f.way === "sse" && f.welcome();
  p.live.connect();
  await pass(1450);
  assert.equal(p.ways(), "websocket");
  await pass(100);
  assert.equal(p.ways(), "websocket sse");
  assert.equal(p.all[0]!.open, false);
  assert.equal(p.state, "live");
});

test("an event stream that is held back gives way to polling after 2 s more", async () => {
  const p = page();
  p.net = (f) => f.way === "poll" && f.welcome();
  p.live.connect();
  await pass(3600);
  assert.equal(p.ways(), "websocket sse poll");
  assert.equal(p.state, "live");
});

test("a server that is away blocks nothing: it is tried again, ever less often", async () => {
  const p = page();
  p.answer = { may: "unknown" };
  p.net = (f) => f.cut();
  p.live.connect();
  await pass(60_000);
  assert.ok(p.all.every((f) => f.way === "websocket"));
  assert.ok(p.all.length >= 7 && p.all.length <= 11, `${p.all.length} tries in a minute`);
  p.answer = { may: "yes", took: 5 };
  p.net = (f) => f.welcome();
  await pass(16_000);
  assert.equal(p.state, "live");
  assert.equal(p.live.way, "websocket");
});

test("who may not connect is told why, and tries no more", async () => {
  const p = page();
  p.answer = { may: "no", say: "this token may not view" };
  p.net = (f) => f.cut();
  p.live.connect();
  await pass(60_000);
  assert.equal(p.all.length, 1);
  assert.deepEqual(p.links.at(-1), { state: "stopped", say: "this token may not view" });
});

test("a server that has no room is asked again when it said", async () => {
  const p = page();
  p.answer = { may: "later", ms: 4000 };
  p.net = (f) => f.cut();
  p.live.connect();
  await pass(3900);
  assert.equal(p.all.length, 1);
  await pass(300);
  assert.equal(p.ways(), "websocket websocket");
});

test("what comes back goes on after what it heard, by every way", async () => {
  for (const way of ["websocket", "sse", "poll"] as const) {
    const p = page(way);
    p.net = (f) => f.welcome();
    p.live.connect();
    await pass(50);
    p.now.ear.message(snapshot("1-0:1:e"));
    p.now.ear.message(readings("1-0:1:e", "2-0:2:e"));
    assert.deepEqual(p.heard.slice(1).map(([m, first]) => [m.type, first]), [["snapshot", true], ["readings", false]]);
    p.now.cut();
    assert.equal(p.state, "again");
    await pass(600);
    assert.equal(p.ways(), `${way} ${way}`);
    assert.deepEqual(after(p.now), { a: "2-0:2:e" });
    p.now.ear.message(readings("2-0:2:e", "3-0:3:e"));
    assert.equal(p.heard.at(-1)![1], true, "it answers this page's cursor");
    assert.equal(p.live.resume.violations, 0);
    assert.equal(p.live.resumes, 1);
  }
});

test("polls are one connection: each asks with the newest cursors, and the chain is held through them", async () => {
  const p = page("poll");
  p.net = (f) => f.welcome();
  p.live.connect();
  await pass(50);
  const f = p.now;
  f.ear.message(snapshot("1-0:1:e"));
  const links = p.links.length;
  f.welcome();
  f.ear.message(readings("1-0:1:e", "2-0:2:e"));
  assert.equal(p.heard.at(-1)![1], false);
  assert.deepEqual(after(f), { a: "2-0:2:e" });
  f.welcome();
  f.ear.message(readings("1-0:1:e", "3-0:3:e"));
  assert.equal(p.live.resume.violations, 1);
  assert.equal(p.links.length, links, "nothing changed about the link");
  assert.equal(p.live.resumes, 0);
});

test("a change of what is wanted opens an event stream anew with all of it", async () => {
  const p = page("sse");
  p.net = (f) => f.welcome();
  p.live.connect();
  await pass(50);
  p.now.ear.message(snapshot("1-0:1:e"));
  const more = { topics: ["b"], window: "5m", points: 120, rate: 4 };
  p.live.subscribe(more);
  assert.equal(p.ways(), "sse sse");
  assert.equal(p.all[0]!.open, false);
  assert.deepEqual(p.now.wants().map((w) => (w as { topics: string[] }).topics), [["a"], ["b"]]);
  assert.deepEqual(after(p.now), { a: "1-0:1:e" });
  assert.equal(p.state, "live", "that is no loss");
  await pass(50);
  p.live.renew([more], true);
  assert.equal(p.ways(), "sse sse sse");
  assert.deepEqual(after(p.now), { a: "1-0:1:e" }, "what did not change goes on");
});

test("a new window is asked for without a place, also when the connection is lost over it", async () => {
  const p = page();
  p.net = (f) => f.welcome();
  p.live.connect();
  await pass(50);
  p.now.ear.message(snapshot("1-0:1:e"));
  const s = (p.live as unknown as { subscriptions: Subscription[] }).subscriptions[0]!;
  s.window = "1h";
  p.live.renew([s], true);
  assert.deepEqual(p.now.told.map((m) => [m.type, m.after]), [["unsubscribe", undefined], ["subscribe", {}]]);
  p.now.cut();
  await pass(600);
  assert.deepEqual(after(p.now), {});
});

test("while WebSocket is blocked it is tried again in the background, and taken when it works", async () => {
  const p = page();
  let blocked = true;
  p.net = (f) => (f.way === "websocket" && blocked ? f.cut() : f.welcome());
  p.live.connect();
  await pass(1000);
  p.now.ear.message(snapshot("1-0:1:e"));
  await pass(30_000);
  assert.equal(p.ways(), "websocket websocket sse websocket");
  assert.ok(p.all[2]!.open && p.state === "live", "what works goes on meanwhile");
  assert.deepEqual(p.now.wants(), [], "the try asks for nothing");
  await pass(50_000);
  assert.equal(p.all.length, 4);
  blocked = false;
  await pass(11_000);
  assert.equal(p.ways(), "websocket websocket sse websocket websocket websocket");
  assert.deepEqual(p.all.map((f) => f.open), [false, false, false, false, false, true]);
  assert.equal(p.live.way, "websocket");
  assert.equal(p.state, "live");
  assert.deepEqual(after(p.now), { a: "1-0:1:e" });
  await pass(700_000);
  assert.equal(p.all.length, 6);
});

test("a hidden page pauses its socket, and rests where it cannot", async () => {
  const p = page();
  p.net = (f) => f.welcome();
  p.live.connect();
  await pass(50);
  p.live.hide();
  await pass(5000);
  p.live.show();
  assert.deepEqual(p.now.told, [{ type: "pause" }, { type: "resume" }]);
  assert.equal(p.all.length, 1);

  const q = page("sse");
  q.net = (f) => f.welcome();
  q.live.connect();
  await pass(50);
  q.now.ear.message(snapshot("1-0:1:e"));
  q.live.hide();
  assert.equal(q.now.open, false);
  await pass(600_000);
  assert.equal(q.all.length, 1);
  q.live.show();
  await pass(50);
  assert.equal(q.ways(), "sse sse");
  assert.deepEqual(after(q.now), { a: "1-0:1:e" });
  assert.equal(q.state, "live");
});

test("a machine that slept opens another connection within a second of its waking", async () => {
  const p = page();
  p.net = (f) => f.welcome();
  p.live.connect();
  for (let i = 0; i < 20; i++) {
    await pass(1000);
    p.live.check();
  }
  assert.equal(p.all.length, 1);
  wall += 600_000;
  await pass(1000);
  p.live.check();
  await pass(50);
  assert.equal(p.ways(), "websocket websocket");
  assert.equal(p.all[0]!.open, false);
  assert.equal(p.state, "live");
});

test("however a page is woken, and in whatever order it hears of that, it connects once", async () => {
  type Live = ReturnType<typeof page>["live"];
  const events: Record<string, (l: Live) => void> = {
    check: (l) => l.check(),
    show: (l) => l.show(),
    thaw: (l) => l.thaw(),
    online: (l) => l.online(),
    stir: (l) => l.stir(),
    comeBack: (l) => l.comeBack(),
  };
  // What stands still: the page alone, or the whole machine, whose steady clock may stop too.
  const sleeps = { frozen: [600_000, 600_000], asleep: [0, 600_000], "asleep a while": [300_000, 600_000] } as const;
  for (const [sleep, [steady, clock]] of Object.entries(sleeps))
    for (const order of [
      "thaw show online stir check",
      "show thaw stir online check",
      "thaw check show online",
      "check thaw show online stir",
      "online show thaw check stir",
      "stir show check thaw online",
      "left comeBack show thaw online stir check",
      "left thaw comeBack show check online",
    ])
      for (const way of ["websocket", "sse"] as const)
        for (const [apart, answers] of [[0, 0], [20, 0], [20, 400], [300, 100]] as const) {
          const p = page(way);
          const welcome = (f: Fake) => (f.way === way ? setTimeout(() => f.open && f.welcome(), answers) : undefined);
          p.net = welcome;
          p.live.connect();
          for (let i = 0; i < 4; i++) {
            await pass(1000);
            p.live.check();
          }
          assert.equal(p.all.length, 1);
          const names = order.split(" ");
          if (names[0] === "left") {
            names.shift();
            p.live.leave();
          } else if (names.includes("show")) p.live.hide();
          time += steady;
          wall += clock;
          for (const name of names) {
            events[name]!(p.live);
            await pass(apart);
          }
          for (let i = 0; i < 4; i++) {
            await pass(1000);
            p.live.check();
          }
          assert.equal(p.all.filter((f) => f.way === way).length, 2, `${way}, ${sleep}: ${order}, ${apart} ms apart, answered after ${answers} ms`);
          assert.equal(p.state, "live");
          p.live.leave();
        }
});

test("a page that stood still while it connected does not take that for a blocked way", async () => {
  const p = page();
  p.live.connect();
  await pass(100);
  time += 600_000;
  wall += 600_000;
  p.net = (f) => f.welcome();
  await pass(2000);
  assert.equal(p.ways(), "websocket websocket");
  assert.equal(p.state, "live");
});

test("silence ends a connection only when something should have come", async () => {
  const p = page();
  p.net = (f) => f.welcome();
  p.live.connect();
  const watch = async (ms: number) => {
    for (; ms > 0; ms -= 1000) {
      await pass(1000);
      p.live.check();
    }
  };
  await watch(120_000);
  assert.equal(p.all.length, 1);
  p.expecting = true;
  await watch(2000);
  assert.equal(p.all.length, 2);
  await watch(88_000);
  assert.equal(p.all.length, 2, "it is more patient each time");

  const q = page("sse"); // which says something every 15 s, whatever its topics do
  q.net = (f) => (f.way === "sse" ? f.welcome() : f.cut());
  q.live.connect();
  for (let i = 0; i < 300; i++) {
    await pass(1000);
    q.live.check();
    if (i % 15 === 0 && i < 200) q.all.at(0)!.ear.alive();
  }
  assert.equal(q.all.filter((f) => f.way === "sse").length, 3, "dead since the 195th second");
});

test("a page that is left has no connection, and has one again when it is back", async () => {
  const p = page();
  p.net = (f) => f.welcome();
  p.live.connect();
  await pass(50);
  p.live.leave();
  assert.equal(p.now.open, false);
  await pass(60_000);
  assert.equal(p.all.length, 1);
  p.live.comeBack();
  await pass(50);
  assert.equal(p.ways(), "websocket websocket");
  assert.equal(p.state, "live");
});

test("a server that stops says when to come back", async () => {
  for (const [way, end] of [
    ["websocket", { code: 1012, reason: '{"retry_ms":3000}' }],
    ["sse", { code: 1012, reason: "retry_ms=3000" }],
  ] as const) {
    const p = page(way);
    p.net = (f) => f.welcome();
    p.live.connect();
    await pass(50);
    p.now.cut(end);
    await pass(2900);
    assert.equal(p.all.length, 1);
    await pass(150);
    assert.equal(p.all.length, 2);
    assert.equal(p.state, "live");
  }
});
