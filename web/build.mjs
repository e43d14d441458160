// All that is built from here: dist/index.html is the page as one file with a script beside it for the time without a
// network, dist/cosec.html the page alone, package/dist the npm package.
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

/** The page for the time without a network. */
function serviceWorker(page) {
  writeFileSync(at("dist", "sw.js"), read("src", "sw.js").replace("__VERSION__", hash(page, "hex").slice(0, 16)));
}

/** Script and style inside the page; the policy names them by their hashes, so that it allows nothing of any server's. */
function pages() {
  const assets = files(at("dist-page", "assets"));
  const only = (ending) => {
    const found = assets.filter((file) => file.endsWith(ending));
    if (found.length !== 1) throw new Error(`one ${ending} is expected, there is ${found.join(", ") || "none"}`);
    return read("dist-page", "assets", found[0]);
  };
  // The parser looks for the end of a script even inside its strings.
  const script = only(".js").replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
  const css = only(".css");
  const source = (text) => `'sha256-${hash(text, "base64")}'`;
  let page = read("dist-page", "index.html");
  const replace = (pattern, text) => {
    if (!pattern.test(page)) throw new Error(`the page has no ${pattern}`);
    page = page.replace(pattern, () => text);
  };
  replace(/<script[^>]*src=[^>]*><\/script>\s*/, "");
  replace(/<link rel="stylesheet"[^>]*>/, `<style>${css}</style>`);
  replace(/script-src 'self'/, `script-src ${source(script)}`);
  replace(/style-src 'self'/, `style-src ${source(css)}`);
  replace(/<\/body>/, `<script type="module">${script}</script>\n  </body>`);
  rmSync(at("dist"), { recursive: true, force: true });
  mkdirSync(at("dist"));
  const served = page.replace('<html lang="en">', '<html lang="en" data-offline="./sw.js">');
  if (served === page) throw new Error("the page has no <html lang=en>");
  writeFileSync(at("dist", "index.html"), served);
  serviceWorker(served);
  replace(/worker-src 'self' blob:/, "worker-src blob:");
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
pages();
vite("element");
npmPackage();
node(at("sizes.mjs"), []);
