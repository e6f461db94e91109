// Measures a page from outside: how long its script works in each frame, in
// message handlers and in animation frames together, and how far apart frames are.
(() => {
  let work = 0; // ms since the last frame
  let messages = 0;
  let draws = 0;
  const time = (f) =>
    function (...args) {
      const began = performance.now();
      try {
        return f.apply(this, args);
      } finally {
        work += performance.now() - began;
      }
    };
  const frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (f) => frame(time(f));
  const timeout = window.setTimeout.bind(window);
  window.setTimeout = (f, ms) => timeout(typeof f === "function" ? time(f) : f, ms);
  const own = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
  Object.defineProperty(WebSocket.prototype, "onmessage", {
    ...own,
    set(f) {
      const timed = time(f);
      own.set.call(this, (e) => {
        messages++;
        timed.call(this, e);
      });
    },
  });
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...args) {
    if (args[1] === 0) draws++; // the labels below a plot are not a picture
    return clear.apply(this, args);
  };
  const at = (sorted, share) => sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? 0;
  globalThis.measured = {
    until: (holds) =>
      new Promise((resolve) => {
        const limit = performance.now() + 30_000;
        const look = () => (holds() ? resolve(1) : performance.now() > limit ? resolve(0) : timeout(look, 50));
        look();
      }),
    after: (ms) => new Promise((resolve) => timeout(() => resolve(true), ms)),
    run: (ms) =>
      new Promise((resolve) => {
        const took = [];
        const apart = [];
        let last = 0;
        let end = 0;
        // The own loop is asked for first in a frame and counts what was done since the frame before.
        const step = (now) => {
          if (last > 0) {
            took.push(work);
            apart.push(now - last);
          } else {
            messages = draws = 0;
            end = now + ms;
          }
          work = 0;
          last = now;
          if (now < end) return void frame(step);
          took.sort((a, b) => a - b);
          apart.sort((a, b) => a - b);
          resolve({
            frames: took.length,
            p50: at(took, 0.5),
            p95: at(took, 0.95),
            inTime: apart.filter((a) => a <= 17.5).length / Math.max(apart.length, 1),
            frameP99: at(apart, 0.99),
            messages: (messages * 1000) / ms,
            draws: (draws * 1000) / ms,
            plotWidth: document.querySelector(".plot-area")?.clientWidth ?? 0,
            seen: [...document.querySelectorAll("section[data-panel]")].filter((e) => e.getBoundingClientRect().bottom <= innerHeight).length,
          });
        };
        timeout(() => frame(step), 2000);
      }),
  };
})();
