// Notes above the panels about what went wrong with the page itself.

import { el, icon } from "./dom";

type About = "gone" | "past";

/** note says what went wrong; about tells it from notes about something else. */
export function note(main: HTMLElement, about: About, what: string, then: string): void {
  unnote(main, about);
  if (about === "gone") main.querySelector(":scope > .notice")?.remove();
  const notice = el("div", `notice ${about}`, icon("warn"), el("div", "", el("p", "", el("strong", "", what), ` ${then}`)));
  notice.setAttribute("role", "alert");
  main.prepend(notice);
}

/** unnote takes a note away. */
export function unnote(main: HTMLElement, about: About): void {
  main.querySelector(`:scope > .notice.${about}`)?.remove();
}
