// The messages of /live, as DESIGN section 4 has them. Fields that are not known
// are ignored, and so are messages of a type that is not known: a newer server
// may speak to an older page.

export type Value = number | string | boolean | null;
/** Row is one reading: its own time in ms, then one value for each column. */
export type Row = [t: number, ...values: Value[]];

export interface Welcome {
  type: "welcome";
  replica: string;
  now: number;
}
export interface Snapshot {
  type: "snapshot";
  topic: string;
  columns: string[];
  units: string[];
  interval: number;
  rows: Row[];
  id: string;
  /** How many readings the rows stand for. */
  of: number;
}
export interface Readings {
  type: "readings";
  topic: string;
  rows: Row[];
  id: string;
  prev: string;
  of: number;
  /** Only before the first row that needs them. */
  columns?: string[];
  units?: string[];
  interval?: number;
}
export interface Gap {
  type: "gap";
  topic: string;
  from: string;
  to: string;
  lost: number | null;
  why: string;
}
export interface Reset {
  type: "reset";
  topic: string;
  why: string;
}
export interface Problem {
  type: "error";
  id?: number;
  topic?: string;
  code: string;
  message: string;
}
/** Topics names those by which a selector grew. */
export interface Topics {
  type: "topics";
  id: number;
  topics: string[];
}
/** Limit names the topics that this socket may not watch beside the others. */
export interface Limit {
  type: "limit";
  id: number;
  topics: string[];
}
export interface Lag {
  type: "lag";
  queued: number;
}
/** Stale says since when the store does not answer for a topic; its next message ends it. */
export interface Stale {
  type: "stale";
  topic: string;
  since: number;
}
/** Store says how the store is: ok, or since when new readings are refused or nothing answers, and why. */
export interface Store {
  type: "store";
  state: string;
  since: number;
  message: string;
}
/** Dashboard says that a dashboard which this page follows has changed. */
export interface Dashboard {
  type: "dashboard";
  slug: string;
  version: string;
}
export interface Drain {
  type: "drain";
  retry_ms: number;
}

export type Message = Welcome | Snapshot | Readings | Gap | Reset | Problem | Topics | Limit | Lag | Stale | Store | Dashboard | Drain;

type Fields = Record<string, unknown>;
const text = (v: unknown): string => (typeof v === "string" ? v : "");
const count = (v: unknown): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);
const texts = (v: unknown): string[] => (Array.isArray(v) ? v.filter((s) => typeof s === "string") : []);
const rows = (v: unknown): Row[] => (Array.isArray(v) ? v.filter((r) => Array.isArray(r) && typeof r[0] === "number") : []);
// The first column and unit are those of the time, which every row begins with.
const values = (v: unknown): string[] => texts(v).slice(1);

/** decode reads one text message; null for what is not JSON or of no known type. */
export function decode(data: string): Message | null {
  try {
    return messageOf(JSON.parse(data));
  } catch {
    return null;
  }
}

/** messageOf reads what JSON held; null for what is of no known type. */
export function messageOf(parsed: unknown): Message | null {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return null;
  const m = parsed as Fields;
  const topic = text(m.topic);
  switch (m.type) {
    case "welcome":
      return { type: "welcome", replica: text(m.replica), now: count(m.now) };
    case "snapshot": {
      if (!topic) return null;
      const shown = rows(m.rows);
      const of = typeof m.of === "number" ? m.of : shown.length;
      return { type: "snapshot", topic, columns: values(m.columns), units: values(m.units), interval: count(m.interval), rows: shown, id: text(m.id), of };
    }
    case "readings": {
      if (!topic) return null;
      const r: Readings = { type: "readings", topic, rows: rows(m.rows), id: text(m.id), prev: text(m.prev), of: count(m.of) };
      if (Array.isArray(m.columns)) r.columns = values(m.columns);
      if (Array.isArray(m.units)) r.units = values(m.units);
      if (typeof m.interval === "number") r.interval = m.interval;
      return r;
    }
    case "gap":
      if (!topic) return null;
      return { type: "gap", topic, from: text(m.from), to: text(m.to), lost: typeof m.lost === "number" ? m.lost : null, why: text(m.why) };
    case "reset":
      return topic ? { type: "reset", topic, why: text(m.why) } : null;
    case "error": {
      const p: Problem = { type: "error", code: text(m.code), message: text(m.message) };
      if (typeof m.id === "number") p.id = m.id;
      if (topic) p.topic = topic;
      return p;
    }
    case "topics":
      return { type: "topics", id: count(m.id), topics: texts(m.topics) };
    case "limit":
      return { type: "limit", id: count(m.id), topics: texts(m.topics) };
    case "lag":
      return { type: "lag", queued: count(m.queued) };
    case "stale":
      return topic ? { type: "stale", topic, since: count(m.since) } : null;
    case "store":
      return { type: "store", state: text(m.state), since: count(m.since), message: text(m.message) };
    case "dashboard":
      return { type: "dashboard", slug: text(m.slug), version: text(m.version) };
    case "drain":
      return { type: "drain", retry_ms: count(m.retry_ms) };
  }
  return null;
}
