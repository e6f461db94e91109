// What is typed over the list of topics: a selector, the beginning of a name, or
// words that are anywhere in the topic.

import { parts } from "./address";
import { words } from "./searchrank";
import { isSelector, labelsOf, Selector } from "./selector";

export type Test = (topic: string) => boolean;

/** testFor returns what a text picks, or null for a selector that is not one (yet). */
export function testFor(text: string): Test | null {
  const asked = text.trim();
  if (asked === "" || asked === "*") return () => true;
  if (isSelector(asked) || asked.includes("{")) return selectorTest(asked);
  const all = words(asked);
  return (topic) => {
    const low = topic.toLowerCase();
    return all.every((word) => low.includes(word));
  };
}

function selectorTest(asked: string): Test | null {
  if (!wellFormed(asked)) return null;
  const selector = new Selector(asked);
  return (topic) => selector.match(topic);
}

/** wellFormed says whether a selector is whole: its braces are closed and its name is not empty. */
export function wellFormed(selector: string): boolean {
  const { name, labels } = parts(selector.trim());
  return /^[A-Za-z0-9_:.*/-]+$/.test(name) && (labels === "" || labels.endsWith("}"));
}

/** selectorOf returns the selector that picks the same as a filter, or "" when none does: words may be anywhere. */
export function selectorOf(text: string): string {
  const asked = text.trim();
  if (asked === "" || asked === "*") return "*";
  if (isSelector(asked) || asked.includes("{")) return wellFormed(asked) ? asked : "";
  return /^[A-Za-z0-9_:.\/-]+$/.test(asked) ? `*${asked}*` : "";
}

/**
 * unionOf returns one selector that picks exactly these of all topics, or "" when
 * there is none: topics of one name whose labels differ in their values only.
 */
export function unionOf(chosen: readonly string[], all: Iterable<string>): string {
  if (chosen.length < 2) return chosen[0] ?? "";
  const { name } = parts(chosen[0]!);
  const values = new Map<string, Set<string>>();
  for (const topic of chosen) {
    if (parts(topic).name !== name) return "";
    for (const [label, value] of labelsOf(topic)) values.set(label, (values.get(label) ?? new Set()).add(value));
  }
  const matchers = [...values].map(([label, set]) => (set.size === 1 ? `${label}="${quoted([...set][0]!)}"` : `${label}=~"${quoted([...set].map(literal).join("|"))}"`));
  const selector = `${name}{${matchers.join(",")}}`;
  const test = new Selector(selector);
  const wanted = new Set(chosen);
  let found = 0;
  for (const topic of all) {
    if (!test.match(topic)) continue;
    if (!wanted.has(topic)) return "";
    found++;
  }
  return found === wanted.size ? selector : "";
}

/** literal writes a text as a regular expression that matches only it. */
function literal(text: string): string {
  return text.replace(/[\\.*+?()|[\]{}^$]/g, "\\$&");
}

/** quoted escapes what a label's value may not hold as it is. */
function quoted(text: string): string {
  return text.replace(/[\\"]/g, "\\$&");
}
