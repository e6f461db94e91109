// Small parts of a document, made without a string of markup: trusted types
// are required, and a topic's text must never become an element.

const SVG = "http://www.w3.org/2000/svg";

/** setText changes a text only when it differs, so that nothing is laid out for nothing. */
export function setText(e: Element | null, text: string): void {
  if (!e) return;
  const only = e.firstChild;
  if (only instanceof Text && !only.nextSibling) {
    if (only.data !== text) only.data = text; // the node stays, which spares its layout
  } else if (e.textContent !== text) e.textContent = text;
}

/** setClass changes the whole class attribute only when it differs. */
export function setClass(e: Element | null, name: string): void {
  if (e && e.getAttribute("class") !== name) e.setAttribute("class", name);
}

/** hide shows or hides an element. */
export function hide(e: Element | null, yes: boolean): void {
  if (e && e.hasAttribute("hidden") !== yes) e.toggleAttribute("hidden", yes);
}

/** el makes an element with a class and a text or children. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, className = "", ...inside: (Node | string)[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...inside);
  return e;
}

/** svg makes an element of a drawing. */
export function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...inside: Node[]): SVGElementTagNameMap[K] {
  const e = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...inside);
  return e;
}

/** icon shows a symbol of the page's sheet of icons. */
export function icon(name: string): SVGElement {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/** attribute changes an attribute only when it differs. */
export function attribute(e: Element, name: string, value: string): void {
  if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}
