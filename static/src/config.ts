// What a panel is to show, as the server left it in data-config: the JSON of
// dashboard.Panel.

import type { Threshold } from "./thresholds";

export type Kind = "stat" | "line" | "area" | "stacked" | "gauge" | "bars" | "table" | "timeline" | "text";
export type Figure = "last" | "min" | "max" | "avg";

export interface Config {
  title: string;
  note: string;
  kind: Kind;
  topics: string[];
  columns: string[];
  unit: string;
  min: number; // NaN when it is not said
  max: number;
  decimals: number; // -1 when it is not said
  names: Record<string, string>;
  thresholds: Threshold[];
  legend: Figure[];
  limit: number;
}

const KINDS = new Set(["stat", "line", "area", "stacked", "gauge", "bars", "table", "timeline", "text"]);
const LINES = 12;
const ROWS = 8; // of bars and tables

/** readConfig reads an element's data-config; what is missing takes its default. */
export function readConfig(element: HTMLElement): Config {
  let given: Partial<Config> = {};
  try {
    given = JSON.parse(element.dataset.config ?? "{}") as Partial<Config>;
  } catch {
    // The server wrote it; without it the panel has no topics and says so.
  }
  const named = element.dataset.panel ?? "";
  const kind = (KINDS.has(named) ? named : KINDS.has(given.kind ?? "") ? given.kind : "line") as Kind;
  return {
    title: given.title ?? "",
    note: given.note ?? "",
    kind,
    topics: given.topics ?? [],
    columns: given.columns ?? [],
    unit: given.unit ?? "",
    min: given.min ?? Number.NaN,
    max: given.max ?? Number.NaN,
    decimals: given.decimals ?? -1,
    names: given.names ?? {},
    thresholds: given.thresholds ?? [],
    legend: given.legend ?? [],
    limit: given.limit && given.limit > 0 ? given.limit : kind === "bars" || kind === "table" ? ROWS : LINES,
  };
}
