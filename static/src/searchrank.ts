// Which of a list of texts answers what somebody types, and how well. Every word
// must be in the text; the beginning of the text counts most, then the beginning
// of a word in it.

const EXACT = 100;
const BEGINNING = 80;
const WORD = 60;
const INSIDE = 40;

/** words splits what somebody typed. */
export function words(query: string): string[] {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}

/** rank says how well a text answers a query: 0 not at all. Of equal ones the shorter text is better. */
export function rank(query: string, text: string): number {
  const asked = words(query);
  const low = text.toLowerCase();
  if (asked.length === 0) return 1;
  let sum = 0;
  for (const word of asked) {
    const score = one(word, low);
    if (score === 0) return 0;
    sum += score;
  }
  return sum / asked.length + 1 / (1 + low.length);
}

function one(word: string, text: string): number {
  if (word === text) return EXACT;
  const at = find(word, text);
  if (at < 0) return 0;
  if (at === 0) return BEGINNING;
  return beginsWord(text, at) ? WORD : INSIDE;
}

/** find returns the best place of a word: where a word begins before anywhere else. */
function find(word: string, text: string): number {
  const first = text.indexOf(word);
  for (let at = first; at >= 0; at = text.indexOf(word, at + 1)) if (beginsWord(text, at)) return at;
  return first;
}

function beginsWord(text: string, at: number): boolean {
  return at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]!);
}

/** best sorts what answers by how well and leaves out what does not. */
export function best<T>(query: string, list: readonly T[], text: (item: T) => string): T[] {
  return list
    .map((item, order) => ({ item, order, score: rank(query, text(item)) }))
    .filter((r) => r.score > 0)
    .sort((a, b) => b.score - a.score || a.order - b.order)
    .map((r) => r.item);
}

/** marks are the parts of a text that the query is about: [from, to), in order, none overlapping. */
export function marks(query: string, text: string): [number, number][] {
  const low = text.toLowerCase();
  if (low.length !== text.length) return []; // letters that change their length: better no mark than a wrong one
  const found = words(query)
    .map((word): [number, number] => [find(word, low), word.length])
    .filter(([at]) => at >= 0)
    .map(([at, length]): [number, number] => [at, at + length])
    .sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const apart: [number, number][] = [];
  for (const range of found) {
    const last = apart.at(-1);
    if (last && range[0] < last[1]) last[1] = Math.max(last[1], range[1]);
    else apart.push(range);
  }
  return apart;
}
