// Selectors pick topics: http_* is every name with that beginning, cpu{*} every
// topic named cpu, cpu{host=*} those with a host. The rules also stand in
// server/reading/selector.go; both are held to
// server/reading/testdata/selectors.json.

import { parts } from "./address";

type Operator = "=" | "=*" | "!=" | "=~" | "!~";

interface Matcher {
  label: string;
  operator: Operator;
  value: string;
  regexp: RegExp | null;
}

/** isSelector says whether a text picks topics rather than naming one: an unquoted *, =~, !~ or !=. */
export function isSelector(s: string): boolean {
  return /\*|=~|!~|!=/.test(s.replace(/"(?:[^"\\]|\\.)*"/g, '""'));
}

/** labelsOf reads the labels of a topic. */
export function labelsOf(topic: string): Map<string, string> {
  const labels = new Map<string, string>();
  for (const m of matchersOf(parts(topic).labels) ?? []) labels.set(m.label, m.value);
  return labels;
}

/** Selector is one text of a panel: a selector, or a topic in any spelling. */
export class Selector {
  private readonly name: string;
  private readonly matchers: readonly Matcher[] | null;
  private readonly exact: boolean;

  constructor(readonly text: string) {
    const { name, labels } = parts(text.trim());
    this.name = name;
    this.matchers = matchersOf(labels);
    this.exact = !isSelector(text);
  }

  /** match says whether a topic in its canonical spelling is picked. What this script cannot read picks nothing. */
  match(topic: string): boolean {
    if (!this.matchers) return false;
    const { name } = parts(topic);
    if (!matchName(this.name, name)) return false;
    const labels = labelsOf(topic);
    if (this.exact && labels.size !== this.matchers.length) return false;
    return this.matchers.every((m) => {
      const value = labels.get(m.label);
      return value !== undefined && matchValue(m, value);
    });
  }
}

function matchValue(m: Matcher, value: string): boolean {
  switch (m.operator) {
    case "=":
      return value === m.value;
    case "!=":
      return value !== m.value;
    case "=~":
      return m.regexp!.test(value);
    case "!~":
      return !m.regexp!.test(value);
    case "=*":
      return true;
  }
}

/** matchName matches a name against a pattern in which * stands for any run. */
export function matchName(pattern: string, name: string): boolean {
  const pieces = pattern.split("*");
  if (pieces.length === 1) return pattern === name;
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return name.length - at >= last.length && name.endsWith(last);
}

/** matchersOf reads {label="value",...}; null for what is no selector. */
function matchersOf(labels: string): Matcher[] | null {
  const matchers: Matcher[] = [];
  if (labels === "") return matchers;
  if (!labels.endsWith("}")) return null;
  let rest = labels.slice(1, -1).replace(/^ +/, "");
  while (rest !== "") {
    if (rest === "*") return matchers;
    const head = /^([A-Za-z_][A-Za-z0-9_.]*)(=\*|=~|!~|!=|=)/.exec(rest);
    if (!head || matchers.some((m) => m.label === head[1])) return null;
    const m: Matcher = { label: head[1]!, operator: head[2] as Operator, value: "", regexp: null };
    rest = rest.slice(head[0].length);
    if (m.operator !== "=*") {
      const quoted = /^"((?:[^"\\]|\\["\\])*)"/.exec(rest);
      if (!quoted || quoted[1] === "") return null;
      m.value = quoted[1]!.replace(/\\(["\\])/g, "$1");
      rest = rest.slice(quoted[0].length);
    }
    if (m.operator === "=~" || m.operator === "!~") {
      m.regexp = regexpOf(m.value);
      if (!m.regexp) return null;
    }
    matchers.push(m);
    rest = rest.replace(/^ +/, "");
    if (rest === "") break;
    if (!rest.startsWith(",")) return null;
    rest = rest.slice(1).replace(/^ +/, "");
    if (rest === "") return null;
  }
  return matchers;
}

const CLASSES: Record<string, string> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  digit: "0-9",
  lower: "a-z",
  upper: "A-Z",
  punct: "!-\\/:-@\\[-`\\{-~",
  space: "\\t\\n\\v\\f\\r ",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

/**
 * regexpOf writes an RE2 expression as one of this language, anchored at both
 * ends; null for what has no counterpart. It never picks what RE2 would not.
 */
export function regexpOf(re2: string): RegExp | null {
  let flags = "u";
  const head = /^\(\?([is]+)\)/.exec(re2);
  let rest = re2;
  if (head) {
    flags += [...new Set(head[1])].join("");
    rest = re2.slice(head[0].length);
  }
  if (/\(\?[imsU-]+[:)]|\\[QEpPCzZ]|\\x|\[\[:\^/.test(rest)) return null;
  let out = "";
  let inClass = false;
  for (let i = 0; i < rest.length; i++) {
    const c = rest[i]!;
    if (c === "\\") {
      const next = rest[++i];
      if (next === undefined) return null;
      if (next === "A" && !inClass) out += "^";
      else if (next === "s") out += inClass ? "\\t\\n\\f\\r " : "[\\t\\n\\f\\r ]";
      else if (next === "S" && !inClass) out += "[^\\t\\n\\f\\r ]";
      else if (/[a-zA-Z0-9]/.test(next)) {
        if (!/[dDwWbBnrtfv]/.test(next)) return null; // escapes that RE2 does not have, and those that mean another thing
        out += `\\${next}`;
      } else out += /[\^$\\.*+?()[\]{}|/-]/.test(next) && (next !== "-" || inClass) ? `\\${next}` : next;
    } else if (inClass) {
      const named = /^\[:([a-z]+):\]/.exec(rest.slice(i));
      if (named) {
        const range = CLASSES[named[1]!];
        if (!range) return null;
        out += range;
        i += named[0].length - 1;
      } else if (c === "]") {
        inClass = false;
        out += c;
      } else out += c === "[" ? "\\[" : c;
    } else if (c === "[") {
      inClass = true;
      out += c;
      if (rest[i + 1] === "^") {
        out += "^";
        i++;
      }
      if (rest[i + 1] === "]") {
        out += "\\]";
        i++;
      }
    } else if (c === ".") out += flags.includes("s") ? "." : "[^\\n]";
    else if (c === "(" && rest.startsWith("(?P<", i)) {
      out += "(?<";
      i += 3;
    } else if (c === "(" && /^\(\?[=!]|^\(\?<[=!]/.test(rest.slice(i))) return null;
    else out += c;
  }
  try {
    new RegExp(out, flags); // by itself first: a)|(?:b is no expression, and would break out of the anchors
    return new RegExp(`^(?:${out})$`, flags);
  } catch {
    return null;
  }
}
