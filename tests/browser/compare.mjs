// What a linter costs in a page, beside those of other languages: size and time to the first findings. Each runs alone
// in a worker of an empty page, in turn, in the same browser.
//
//   npm install --prefix DIRECTORY @astral-sh/ruff-wasm-web @biomejs/wasm-web
//   node compare.mjs DIRECTORY
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { launch, root, serve } from "./harness.mjs";

const ROUNDS = 10;
const AGAIN = 20;
const SIZE = 2_000;

const repeated = (head, part) => {
  let text = head;
  for (let at = 0; text.length < SIZE; at++) text += part(at);
  return text;
};
const modules = resolve(process.argv[2] ?? "", "node_modules");
const own = join(root, "web", "package", "dist");

/** `script` defines `ready()`, which may wait, and `lint(text)`, which gives the number of findings. */
const LINTERS = [
  {
    name: "cosec",
    directory: own,
    parts: ["wasm/cosec_bg.wasm", "wasm/cosec.js"],
    text: repeated("services:\n", (at) => `  s${at}:\n    image: registry.example/app:${at}\n    environment:\n      DB_HOST: db\n      DB_PASSWORD: hunter${at}\n`),
    script: `import init, { Workspace } from "./module/wasm/cosec.js";
      let workspace;
      export const ready = async () => { await init({ module_or_path: new URL("./module/wasm/cosec_bg.wasm", import.meta.url) }); workspace = new Workspace(); };
      export const lint = (text) => { workspace.set("compose.yaml", text); return JSON.parse(workspace.lint(false)).findings.length; };`,
  },
  {
    name: "ruff",
    directory: join(modules, "@astral-sh", "ruff-wasm-web"),
    parts: ["ruff_wasm_bg.wasm", "ruff_wasm.js"],
    text: repeated("", (at) => `import module_${at}\n\n\ndef function_${at}(argument):\n    return [argument, ${at}]\n\n\n`),
    script: `import init, { Workspace, PositionEncoding } from "./module/ruff_wasm.js";
      let workspace;
      export const ready = async () => { await init(); workspace = new Workspace(Workspace.defaultSettings(), PositionEncoding.Utf16); };
      export const lint = (text) => workspace.check(text).length;`,
  },
  {
    name: "biome",
    directory: join(modules, "@biomejs", "wasm-web"),
    parts: ["biome_wasm_bg.wasm", "biome_wasm.js"],
    text: repeated("", (at) => `export function f${at}(argument) {\n  debugger;\n  return [argument, ${at}];\n}\n\n`),
    script: `import init, { Workspace } from "./module/biome_wasm.js";
      let workspace, projectKey, version = 0;
      const path = "/a.js";
      export const ready = async () => { await init(); workspace = new Workspace(); ({ projectKey } = workspace.openProject({ path: "/", openUninitialized: true })); };
      export const lint = (text) => {
        if (version++ === 0) workspace.openFile({ projectKey, path, content: { type: "fromClient", content: text, version } });
        else workspace.changeFile({ projectKey, path, content: text, version });
        return workspace.pullDiagnostics({ projectKey, path, categories: ["syntax", "lint"], only: [], skip: [], enabledRules: [], pullCodeActions: false, includeCodeFix: false }).diagnostics.length;
      };`,
  },
];

const WORKER = `import { lint, ready } from "./linter.js";
  onmessage = async ({ data: { text, again } }) => {
    try {
      await ready();
      const found = lint(text);
      postMessage({ found });
      const times = [];
      for (let time = 0; time < again; time++) {
        const start = performance.now();
        lint(text + " ".repeat(time + 1));
        times.push(performance.now() - start);
      }
      postMessage({ times });
    } catch (error) { postMessage({ error: String(error?.stack ?? error) }); }
  };`;
const PAGE = `<!doctype html><script type="module">
  const worker = new Worker("./worker.js", { type: "module" });
  worker.onmessage = ({ data }) => {
    if (data.found !== undefined) globalThis.first = { found: data.found, ms: performance.now() };
    else globalThis.rest = data;
  };
  worker.postMessage(await (await fetch("./text.json")).json());
</script>`;

const median = (values) => [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)];
const sites = mkdtempSync(join(tmpdir(), "cosec-compare-"));
const browser = await launch();
const servers = [];
try {
  const there = LINTERS.filter(({ directory }) => existsSync(directory));
  for (const linter of there) {
    const site = join(sites, linter.name);
    mkdirSync(site);
    symlinkSync(linter.directory, join(site, "module"));
    const files = { "index.html": PAGE, "worker.js": WORKER, "linter.js": linter.script, "text.json": JSON.stringify({ text: linter.text, again: AGAIN }) };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(site, name), content);
    linter.server = await serve(site);
    servers.push(linter.server);
    Object.assign(linter, { firsts: [], again: [] });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const linter of there) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(linter.server.address);
      await page.waitForFunction(() => globalThis.rest, undefined, { timeout: 120_000 });
      const { first, rest } = await page.evaluate(() => ({ first: globalThis.first, rest: globalThis.rest }));
      if (rest.error || !(first.found > 0)) throw new Error(`${linter.name}: ${rest.error ?? "it finds nothing"}`);
      linter.firsts.push(first.ms);
      linter.again.push(median(rest.times));
      await context.close();
    }
  }
  const size = ({ directory, parts }) => parts.reduce((sum, part) => sum + brotliCompressSync(readFileSync(join(directory, part))).length, 0);
  const rows = there.map((linter) => ({ ...linter, size: size(linter), first: median(linter.firsts), later: median(linter.again) }));
  const [cosec] = rows;
  const times = (value, own) => `${(value / own).toFixed(1)} ×`;
  console.log("| | wasm and its script, brotli | | navigation to first findings | | a further lint of 2 KB |\n| --- | ---: | ---: | ---: | ---: | ---: |");
  for (const row of rows) {
    console.log(`| ${row.name} | ${Math.round(row.size / 1024)} KB | ${times(row.size, cosec.size)} | ${row.first.toFixed(0)} ms | ${times(row.first, cosec.first)} | ${row.later.toFixed(1)} ms |`);
  }
} finally {
  for (const server of servers) server.close();
  await browser.close();
  rmSync(sites, { recursive: true, force: true });
}
