// Builds the page into a folder: `node build.mjs [folder]`, by default the one that is shipped.
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const shipped = join(here, "../services/gateway/http/studio");
const folder = process.argv[2] ? resolve(process.argv[2]) : shipped;

await mkdir(folder, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { studio: "src/main.ts" },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
await build({
  absWorkingDir: here,
  entryPoints: { studio: "src/style/main.css" },
  outdir: folder,
  bundle: true,
  minify: true,
  target: "chrome115",
  logLevel: "warning",
});
await copyFile(join(here, "src/index.html"), join(folder, "index.html"));
await copyFile(join(here, "src/icon.svg"), join(folder, "icon.svg"));
