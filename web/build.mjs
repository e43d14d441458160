// All that is built from here: dist/ is the page, dist/cosec.html the same as one file, package/dist the npm
// package.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const at = (...parts) => join(here, ...parts);
const node = (script, args, env = {}) =>
  execFileSync(process.execPath, [script, ...args], { cwd: here, stdio: "inherit", env: { ...process.env, ...env } });
const vite = (build) => node(at("node_modules", "vite", "bin", "vite.js"), ["build", "--logLevel", "warn"], { COSEC_BUILD: build });
const read = (...parts) => readFileSync(at(...parts), "utf8");
const hash = (text, encoding) => createHash("sha256").update(text).digest(encoding);

function files(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** The page's files for the time without a network. */
function serviceWorker() {
  const all = files(at("dist"));
  const version = hash(all.map((file) => hash(readFileSync(at("dist", file)), "hex")).join(), "hex").slice(0, 16);
  const list = ["./", ...all.filter((file) => file !== "index.html").map((file) => `./${file}`)];
  writeFileSync(at("dist", "sw.js"), read("src", "sw.js").replace("__FILES__", JSON.stringify(list)).replace("__VERSION__", version));
}

/** Script and style inside the page; the policy names them by their hashes. */
function singleFile() {
  const assets = files(at("dist-single", "assets"));
  const only = (ending) => {
    const found = assets.filter((file) => file.endsWith(ending));
    if (found.length !== 1) throw new Error(`one ${ending} is expected, there is ${found.join(", ") || "none"}`);
    return read("dist-single", "assets", found[0]);
  };
  // The parser looks for the end of a script even inside its strings.
  const script = only(".js").replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
  const css = only(".css");
  const source = (text) => `'sha256-${hash(text, "base64")}'`;
  let page = read("dist-single", "index.html");
  const replace = (pattern, text) => {
    if (!pattern.test(page)) throw new Error(`the page has no ${pattern}`);
    page = page.replace(pattern, () => text);
  };
  replace(/<script[^>]*src=[^>]*><\/script>\s*/, "");
  replace(/<link rel="stylesheet"[^>]*>/, `<style>${css}</style>`);
  replace(/script-src 'self'/, `script-src ${source(script)}`);
  replace(/style-src 'self'/, `style-src ${source(css)}`);
  replace(/worker-src 'self' blob:/, "worker-src blob:");
  replace(/<\/body>/, `<script type="module">${script}</script>\n  </body>`);
  writeFileSync(at("dist", "cosec.html"), page);
}

function npmPackage() {
  const out = at("package", "dist");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  cpSync(at("src", "wasm"), join(out, "wasm"), { recursive: true });
  cpSync(at("dist-element", "element.js"), join(out, "element.js"));
  node(at("node_modules", "typescript", "bin", "tsc"), ["--project", "tsconfig.package.json"]);
  for (const name of ["MIT", "APACHE"]) cpSync(at("..", `LICENSE-${name}`), at("package", `LICENSE-${name}`));
}

if (!process.argv.includes("--no-wasm")) node(at("wasm.mjs"), []);
vite("page");
serviceWorker();
vite("single");
singleFile();
vite("element");
npmPackage();
node(at("sizes.mjs"), []);
