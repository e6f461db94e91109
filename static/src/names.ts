// What lines are called. The rule also stands in views/names.go; both are held
// to views/testdata/names.json.

import { parts } from "./address";
import { labelsOf } from "./selector";

/**
 * lineNames names lines by what tells them apart: the topics' names, the values
 * of the labels that differ, and the columns, each only where it differs. Where
 * nothing does, a column says what it is, but one called value says nothing, and
 * a list of things names the thing.
 */
export function lineNames(lines: readonly (readonly [topic: string, column: string])[], names: Readonly<Record<string, string>>, things = false): string[] {
  const differ = (of: (i: number) => string | undefined) => lines.some((_, i) => of(i) !== of(0));
  const labels = lines.map(([topic]) => labelsOf(topic));
  const known = [...new Set(labels.flatMap((l) => [...l.keys()]))].sort();
  const telling = known.filter((name) => differ((i) => labels[i]!.get(name) ?? ""));
  const topicsDiffer = differ((i) => parts(lines[i]![0]).name);
  const columnsDiffer = differ((i) => lines[i]![1]);
  return lines.map(([topic, column], i) => {
    const said: string[] = topicsDiffer ? [parts(topic).name] : [];
    for (const name of telling) {
      const value = labels[i]!.get(name);
      if (value) said.push(value);
    }
    if (columnsDiffer || said.length === 0) {
      if (Object.hasOwn(names, column)) said.push(names[column]!);
      else said.push(!columnsDiffer && (things || column === "value") ? thing(topic) : column);
    }
    return said.join(", ");
  });
}

/** thing is what a topic is about: the values of its labels, but for the host, which says where; without labels its name. */
function thing(topic: string): string {
  const values = [...labelsOf(topic)].filter(([label]) => label !== "host").map(([, value]) => value);
  return values.length > 0 ? values.join(", ") : parts(topic).name;
}
