// A dashboard that changes while somebody looks at it. The page is loaded again
// in the background, and only what is different of it is exchanged: what stays
// keeps its picture, its zoom and the focus.

/** load fetches this page as a document; null, with a reason, when there is none. */
export function load(address: string): Promise<{ page: Document | null; status: number }> {
  return new Promise((resolve) => {
    // A document that a request parses runs no script, and needs no markup as a string.
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.setRequestHeader("Accept", "text/html");
    request.onload = () => resolve({ page: request.status === 200 ? request.responseXML : null, status: request.status });
    request.onerror = request.onabort = request.ontimeout = () => resolve({ page: null, status: 0 });
    request.timeout = 15_000;
    request.send();
  });
}

/** keyOf tells panels apart: two of one key show the same. */
export function keyOf(panel: HTMLElement): string {
  return panel.dataset.panel === "text" ? `text\n${panel.dataset.config}\n${panel.textContent}` : `${panel.dataset.panel}\n${panel.dataset.config}`;
}

export interface Exchange {
  /** mount is told of an element that came in. */
  mount(element: HTMLElement): void;
  /** drop is told of an element that is about to leave. */
  drop(element: HTMLElement): void;
}

/** swap brings the boards of main to those of another version of it. */
export function swap(main: HTMLElement, next: HTMLElement, exchange: Exchange): void {
  const mine = [...main.querySelectorAll<HTMLElement>("section[data-panel]")];
  const free = new Map<string, HTMLElement[]>();
  for (const e of mine) free.set(keyOf(e), [...(free.get(keyOf(e)) ?? []), e]);
  const boards = [...next.querySelectorAll<HTMLElement>(".board")].map((board) =>
    [...board.querySelectorAll<HTMLElement>(":scope > section[data-panel]")].map((wanted) => {
      const kept = free.get(keyOf(wanted))?.shift();
      if (kept) return refit(kept, wanted);
      return document.adoptNode(wanted);
    }),
  );
  for (const left of free.values()) {
    for (const e of left) {
      exchange.drop(e);
      e.remove();
    }
  }
  const here = [...main.querySelectorAll<HTMLElement>(".board")];
  boards.forEach((panels, i) => {
    let board = here[i];
    if (!board) {
      board = document.createElement("div");
      board.className = "board";
      board.dataset.page = String(i + 1);
      board.hidden = i > 0;
      (here.at(-1) ?? main.lastElementChild)?.after(board);
      here.push(board);
    }
    panels.forEach((panel, at) => {
      // Moving an element takes the focus away from it, so nothing moves that stands right.
      if (board.children[at] !== panel) board.insertBefore(panel, board.children[at] ?? null);
    });
  });
  for (const board of here.slice(Math.max(boards.length, 1))) if (board.childElementCount === 0) board.remove();
  const known = new Set(mine);
  for (const panels of boards) for (const panel of panels) if (!known.has(panel)) exchange.mount(panel);
}

/** refit gives a panel that stays the size and the number that it has now. */
function refit(kept: HTMLElement, wanted: HTMLElement): HTMLElement {
  const size = /^[wh]\d+$/;
  for (const name of [...kept.classList]) if (size.test(name)) kept.classList.remove(name);
  for (const name of wanted.classList) if (size.test(name)) kept.classList.add(name);
  const id = wanted.getAttribute("aria-labelledby");
  if (id) {
    kept.setAttribute("aria-labelledby", id);
    const title = kept.querySelector("[data-title]");
    if (title) title.id = id;
  }
  return kept;
}

/** exchangeWords takes over what a page says of a dashboard: its title, its line, its notices. */
export function exchangeWords(page: Document, main: HTMLElement, next: HTMLElement): void {
  document.title = page.title;
  const title = document.querySelector(".crumb h1");
  const other = page.querySelector(".crumb h1");
  if (title && other && title.textContent !== other.textContent) title.textContent = other.textContent;
  const line = main.querySelector(".varbar > p:not([data-range])");
  const otherLine = next.querySelector(".varbar > p:not([data-range])");
  if (line && otherLine && line.textContent !== otherLine.textContent) line.textContent = otherLine.textContent;
  for (const old of main.querySelectorAll(":scope > .notice, :scope > .card")) old.remove();
  const before = main.querySelector(".varbar, .board");
  for (const notice of next.querySelectorAll(":scope > .notice, :scope > .card")) {
    const mine = document.adoptNode(notice);
    if (mine.classList.contains("notice") || !before) main.insertBefore(mine, before);
    else before.after(mine);
  }
  main.dataset.version = next.dataset.version ?? "";
}
