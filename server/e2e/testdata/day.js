// Gives a page a clock, timers, animation frames and a socket of the test's own,
// so that a day passes in a minute.
(() => {
  const began = Date.now();
  let passed = 0; // virtual ms
  const timers = new Map();
  let ids = 1;
  const frames = [];
  const real = { timeout: window.setTimeout.bind(window), frame: window.requestAnimationFrame.bind(window) };
  Date.now = () => began + passed;
  performance.now = () => passed;
  window.setTimeout = (f, ms = 0) => (timers.set(ids, { f, at: passed + Math.max(ms, 1), every: 0 }), ids++);
  window.setInterval = (f, ms) => (timers.set(ids, { f, at: passed + ms, every: ms }), ids++);
  window.clearTimeout = window.clearInterval = (id) => void timers.delete(id);
  window.requestAnimationFrame = (f) => frames.push(f);
  let socket = null;
  let topics = [];
  let sequence = 0;
  window.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    constructor() {
      socket = this;
      window.setTimeout(() => {
        this.onopen?.();
        this.hear({ type: "welcome", replica: "day", now: Date.now() });
      }, 10);
    }
    hear(message) {
      this.onmessage?.({ data: JSON.stringify(message) });
    }
    send(text) {
      const m = JSON.parse(text);
      if (m.type !== "subscribe") return;
      topics = Object.entries(m.after).map(([topic, id]) => ({ topic, id }));
      for (const { topic, id } of topics) window.setTimeout(() => this.hear({ type: "readings", topic, rows: [], id, prev: id, of: 0 }), 1);
    }
    close() {}
  };
  const advance = (ms) => {
    const to = passed + ms;
    for (let runs = 0; runs < 10_000; runs++) {
      let next = null;
      let nextId = 0;
      for (const [id, t] of timers) if (t.at <= to && (!next || t.at < next.at)) [next, nextId] = [t, id];
      if (!next) break;
      passed = Math.max(passed, next.at);
      if (next.every) next.at += next.every;
      else timers.delete(nextId);
      next.f();
    }
    passed = to;
  };
  const paint = () => {
    for (let runs = 0; runs < 50 && frames.length > 0; runs++) {
      for (const f of frames.splice(0)) f(passed);
      advance(5);
    }
  };
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...args) {
    virtual.drawn++;
    return clear.apply(this, args);
  };
  const step = (second) => {
    for (const [n, t] of topics.entries()) {
      sequence++;
      const id = `${Date.now()}-${sequence}:${sequence}:day`;
      socket.hear({ type: "readings", topic: t.topic, rows: [[Date.now(), 40 + ((n * 7 + second * 3) % 50)]], id, prev: t.id, of: 1 });
      t.id = id;
    }
    advance(1000 - (passed % 1000) || 1000);
    if (second % 10 === 0) paint();
  };
  const breathe = () => new Promise((resolve) => real.frame(() => real.timeout(resolve, 0)));
  globalThis.virtual = {
    drawn: 0,
    // What the browser itself tells of, such as which panels can be seen, comes in its own time.
    async settle(turns) {
      for (let i = 0; i < turns; i++) {
        advance(100);
        paint();
        await breathe();
      }
      return document.querySelectorAll("[data-chart].drawn canvas").length;
    },
    async hours(n) {
      for (let second = 0; second < n * 3600; second++) {
        step(second);
        if (second % 120 === 0) await breathe();
      }
      await breathe();
      return topics.length;
    },
  };
})();
