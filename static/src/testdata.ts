// Reads the files that the tests of Go and of TypeScript share. Tests are run in
// the directory of package.json.

import { readdirSync, readFileSync } from "node:fs";

export const json = (path: string): any => JSON.parse(readFileSync(path, "utf8"));

export const frames = (): [name: string, text: string][] =>
  readdirSync("testdata/frames").map((file) => [file.replace(".json", ""), readFileSync(`testdata/frames/${file}`, "utf8")]);
