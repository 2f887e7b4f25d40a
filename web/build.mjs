// Builds the page into axk1/server/web/static: hashed assets, the page, the manifest, icons, the service worker.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { png } from "./icon.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../axk1/server/web/static");
const partial = `${target}.partial`;
const source = (name) => join(here, "src", name);
const shared = {
  bundle: true,
  minify: true,
  metafile: true,
  outdir: join(partial, "assets"),
  publicPath: "/assets",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  // every browser of today reads woff2
  loader: { ".woff2": "file", ".woff": "empty", ".ttf": "empty" },
  logLevel: "warning",
};

const outputOf = (result, entry, ending) =>
  basename(
    Object.entries(result.metafile.outputs).find(
      ([path, one]) => path.endsWith(ending) && (one.entryPoint ?? "").endsWith(entry),
    )[0],
  );

rmSync(partial, { recursive: true, force: true });
mkdirSync(join(partial, "assets"), { recursive: true });

const math = await build({ ...shared, entryPoints: [join(here, "node_modules/katex/dist/katex.css")] });
const style = await build({ ...shared, entryPoints: [source("style.css")] });
const page = await build({
  ...shared,
  entryPoints: [source("main.tsx")],
  format: "esm",
  splitting: true,
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  external: [],
  define: { MATH_STYLE: JSON.stringify(`/assets/${outputOf(math, "katex.css", ".css")}`) },
});

const script = outputOf(page, "main.tsx", ".js");
const sheet = outputOf(style, "style.css", ".css");
const html = readFileSync(source("index.html"), "utf8")
  .replace("{{style}}", `/assets/${sheet}`)
  .replace("{{script}}", `/assets/${script}`);
writeFileSync(join(partial, "index.html"), html);

cpSync(source("icon.svg"), join(partial, "assets/icon.svg"));
for (const size of [192, 512]) writeFileSync(join(partial, `assets/icon-${size}.png`), png(size));
writeFileSync(join(partial, "manifest.webmanifest"), JSON.stringify(manifest(), null, 2));

// The documentation of the API, from this server too: elsewhere is out of reach for many who run one.
const docs = await build({ ...shared, entryPoints: [source("docs.ts")] });
const { version } = JSON.parse(readFileSync(join(here, "node_modules/swagger-ui-dist/package.json"), "utf8"));
for (const [file, name] of [["swagger-ui-bundle.js", `swagger-ui-${version}.js`], ["swagger-ui.css", `swagger-ui-${version}.css`]]) {
  cpSync(join(here, "node_modules/swagger-ui-dist", file), join(partial, "assets", name));
}
const docsHtml = readFileSync(source("docs.html"), "utf8")
  .replace("{{style}}", `/assets/swagger-ui-${version}.css`)
  .replace("{{swagger}}", `/assets/swagger-ui-${version}.js`)
  .replace("{{script}}", `/assets/${outputOf(docs, "docs.ts", ".js")}`);
writeFileSync(join(partial, "docs.html"), docsHtml);

// fonts of formulas are fetched when they are needed
const files = readdirSync(join(partial, "assets")).filter((name) => !/\.woff2$|^swagger|^docs/.test(name));
const kept = ["/", ...files.map((name) => `/assets/${name}`)];
await build({
  entryPoints: [source("sw.ts")],
  bundle: true,
  minify: true,
  outfile: join(partial, "sw.js"),
  define: {
    FILES: JSON.stringify(kept),
    VERSION: JSON.stringify(createHash("sha256").update(html).update(files.join()).digest("hex").slice(0, 12)),
  },
  logLevel: "warning",
});

rmSync(target, { recursive: true, force: true });
renameSync(partial, target);

function manifest() {
  return {
    name: "axk1",
    short_name: "axk1",
    lang: "ko",
    start_url: "/",
    display: "standalone",
    background_color: "#ffffff",
    theme_color: "#2f54c9",
    icons: [
      { src: "/assets/icon.svg", sizes: "any", type: "image/svg+xml" },
      { src: "/assets/icon-192.png", sizes: "192x192", type: "image/png" },
      { src: "/assets/icon-512.png", sizes: "512x512", type: "image/png", purpose: "any maskable" },
    ],
  };
}
