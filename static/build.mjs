// Builds what static.go embeds: scripts, style sheet, fonts and icon, under names
// that carry a hash of their content, each with its compressed forms beside it,
// and manifest.json, which maps the plain names to those.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = "dist";

const shared = {
  bundle: true,
  minify: true,
  target: "es2022",
  outdir: dist,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".svg": "copy" },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
};
const results = [
  await build({ ...shared, format: "esm", entryPoints: { app: "src/app.ts", embed: "src/embed.ts", readout: "css/readout.css", icon: "css/icon.svg" } }),
  // Runs before the page is drawn, so it is no module.
  await build({ ...shared, format: "iife", entryPoints: { early: "src/early.ts" } }),
];

// Assets that a page names itself, by the file they come from.
const named = {
  "inter-latin-wght-normal.woff2": "inter.woff2",
  "jetbrains-mono-latin-wght-normal.woff2": "mono.woff2",
  "icon.svg": "icon.svg",
};
const manifest = {};
for (const [path, output] of results.flatMap((r) => Object.entries(r.metafile.outputs))) {
  const file = basename(path);
  const from = basename(output.entryPoint ?? Object.keys(output.inputs)[0] ?? file);
  const extension = file.slice(file.lastIndexOf("."));
  const name = named[from] ?? (output.entryPoint ? from.slice(0, from.lastIndexOf(".")) + extension : from);
  manifest[name] = file;
  if (/\.(js|css|svg)$/.test(file)) {
    const bytes = readFileSync(path);
    writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  }
}

// The licences of what is inside, for whoever ships the binary.
const licences = ["@fontsource-variable/inter", "@fontsource-variable/jetbrains-mono"];
const licenceText = licences.map((p) => `${p}\n\n${readFileSync(`node_modules/${p}/LICENSE`, "utf8")}`).join("\n\n");
manifest["licences.txt"] = `licences-${createHash("sha256").update(licenceText).digest("hex").slice(0, 8)}.txt`;
writeFileSync(`${dist}/${manifest["licences.txt"]}`, licenceText);

writeFileSync(`${dist}/manifest.json`, `${JSON.stringify(manifest, Object.keys(manifest).sort(), 2)}\n`);

// What the manifest does not name is of an earlier build. It goes last, so that
// at no moment the manifest names what is not there.
const current = new Set([".keep", "manifest.json", ...Object.values(manifest).flatMap((name) => [name, `${name}.br`, `${name}.gz`])]);
for (const name of readdirSync(dist)) if (!current.has(name)) rmSync(`${dist}/${name}`, { recursive: true, force: true });
