// @cosec/wasm as people install it, and the element in a page of somebody else's.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { inBrowser, it, open, root, serve } from "./harness.mjs";

inBrowser();

let project, site;
const installed = () => join(project, "node_modules", "@cosec", "wasm");

before(async () => {
  project = mkdtempSync(join(tmpdir(), "cosec-npm-"));
  const tarball = execFileSync("npm", ["pack", "--silent", "--pack-destination", project], { cwd: join(root, "web", "package"), encoding: "utf8" }).trim();
  // What `npm install FILE` does with a package that depends on nothing.
  mkdirSync(installed(), { recursive: true });
  execFileSync("tar", ["-xzf", join(project, tarball), "-C", installed(), "--strip-components=1"]);
  writeFileSync(join(project, "package.json"), '{"type":"module"}');
  site = await serve(project);
});
after(() => {
  site?.close();
  rmSync(project, { recursive: true, force: true });
});

test("the README's example runs in Node as it stands", () => {
  const example = /```js\n([^]*?)```/.exec(readFileSync(join(installed(), "README.md"), "utf8"))[1];
  assert.ok(example.trim().split("\n").filter((line) => line.trim()).length <= 10);
  writeFileSync(join(project, "example.mjs"), example);
  const said = execFileSync(process.execPath, ["example.mjs"], { cwd: project, encoding: "utf8" });
  assert.match(said, /^compose\.yaml:1 error inline-password: the value of POSTGRES_PASSWORD/);
  assert.ok(!said.includes("hunter2"));
});

test("all of it works in Node", () => {
  writeFileSync(
    join(project, "all.mjs"),
    `import { load } from "@cosec/wasm";
const cosec = await load();
const files = [{ path: "compose.yaml", text: "services: {a: {image: x, secrets: [s]}}\\nsecrets: {s: {file: ./s.txt}}" }, { path: ".gitignore", text: "x" }];
console.log(JSON.stringify([
  cosec.lint(files).findings[0].rule, cosec.plan(files, "compose.yaml").deliveries[0].target, JSON.parse(cosec.report(files, "sarif")).version,
  cosec.explain("inline-password").slice(0, 17), cosec.redact({ path: ".env", text: "A=canary" }), cosec.rules.length > 10, cosec.version,
]));`,
  );
  const said = JSON.parse(execFileSync(process.execPath, ["all.mjs"], { cwd: project, encoding: "utf8" }));
  assert.deepEqual(said, ["secret-file-not-ignored", "/run/secrets/s", "2.1.0", "# inline-password", "A=redacted\n", true, "0.1.0"]);
});

test("what cannot be fixed is told by an Error", () => {
  writeFileSync(
    join(project, "throws.mjs"),
    `import { load } from "@cosec/wasm";
try { (await load()).fix([{ path: "compose.yaml", text: "a: [" }], "compose.yaml"); } catch (error) { console.log(error instanceof Error, error.message.length > 10); }`,
  );
  assert.equal(execFileSync(process.execPath, ["throws.mjs"], { cwd: project, encoding: "utf8" }).trim(), "true true");
});

test("what a stopped module has not looked at is not said to be clean", async () => {
  const { Linter } = await import(pathToFileURL(join(installed(), "dist", "core", "linter.js")).href);
  // A worker that reports what it has been told, and stops at one text.
  class Worker {
    texts = new Map();
    postMessage(message) {
      const say = (data) => queueMicrotask(() => this.onmessage?.({ data }));
      if (message.kind === "start") say({ kind: "ready", version: "", rules: [] });
      for (const [path, text] of message.set ?? []) this.texts.set(path, text);
      if ([...this.texts.values()].includes("stop")) return say({ kind: "failed" });
      if (message.kind === "lint") say({ kind: "report", revision: message.revision, report: { fixes_known: true } });
      if (message.kind === "ask") say({ kind: "answer", id: message.id, answer: [...this.texts.keys()].join() });
    }
    terminate() {
      this.onmessage = undefined;
    }
  }
  const failed = [];
  const linter = new Linter(() => new Worker(), { ready() {}, report() {}, failed: (why) => failed.push(why) });
  linter.start({});
  linter.set("a", "x");
  assert.equal(await linter.ask("report", { format: "json" }), "a");
  linter.set("b", "stop");
  await assert.rejects(linter.ask("report", { format: "json" }), /stopped at this text/);
  await assert.rejects(linter.ask("report", { format: "json" }), /stopped at this text/);
  assert.equal(failed.length, 1);
  assert.equal(await linter.ask("explain", { rule: "x" }), "");
  linter.set("b", "goes");
  assert.equal(await linter.ask("report", { format: "json" }), "a,b");
  linter.stop();
});

test("its types fit its use", () => {
  writeFileSync(
    join(project, "use.ts"),
    `import { load, type Report } from "@cosec/wasm";
import { start } from "@cosec/wasm/linter";
import "@cosec/wasm/element";
const report: Report = (await load()).lint([{ path: "compose.yaml", text: "" }], { persona: "auditor" });
const linter = await start({ ready() {}, report: (report) => report.findings[0]?.excerpt.text, failed: (message: string) => message });
linter.set("compose.yaml", report.findings.map((finding) => finding.rule).join());
document.querySelector("cosec-linter")?.addEventListener("cosec-report", (event) => event.detail.linted);
// @ts-expect-error there is no such persona
(await load()).lint([], { persona: "nobody" });
`,
  );
  const options = { strict: true, noEmit: true, module: "nodenext", moduleResolution: "nodenext", target: "es2022", lib: ["es2022", "dom"], types: [] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["use.ts"] }));
  execFileSync(process.execPath, [join(root, "web", "node_modules", "typescript", "bin", "tsc"), "--project", project], { stdio: "inherit" });
});

test("the element works in another page, twice, with a policy of that page's own", async () => {
  const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:; style-src 'self'; style-src-attr 'unsafe-inline'";
  const element = (name) => `<cosec-linter><script type="text/plain" data-path="compose.yaml">
services: {a: {image: x, environment: {${name}: canary}}}
</script></cosec-linter>`;
  writeFileSync(
    join(project, "page.html"),
    `<!doctype html><meta http-equiv="Content-Security-Policy" content="${policy}"><script type="module" src="node_modules/@cosec/wasm/dist/element.js"></script><h1>Theirs</h1>${element("PASSWORD")}${element("USER")}`,
  );
  await open({ url: `${site.address}page.html`, ready: false });
  const heads = it.page.locator("#summary");
  await heads.nth(0).filter({ hasText: "1 error." }).waitFor();
  await heads.nth(1).filter({ hasText: "Nothing found." }).waitFor();
  assert.deepEqual(it.complaints, []);
  assert.equal(await it.page.locator("#share, #remember").count(), 0);
});

test("the element looks as it does everywhere in a page with a style of its own, and is as light or dark as that page", async () => {
  const style = `body{font:30px/3 serif;color:red;text-align:right;letter-spacing:1em;text-transform:uppercase;white-space:pre;background:white} button{background:red}`;
  writeFileSync(
    join(project, "styled.html"),
    `<!doctype html><html dir="rtl"><style>${style}</style><script type="module" src="node_modules/@cosec/wasm/dist/element.js"></script><div style="width:400px"><cosec-linter example></cosec-linter></div><p>after</p><cosec-linter example style="color-scheme: light dark"></cosec-linter></html>`,
  );
  await open({ url: `${site.address}styled.html`, colorScheme: "dark" });
  const looks = await it.page.evaluate(() =>
    [...document.querySelectorAll("cosec-linter")].map((element) => {
      const { fontSize, textAlign, letterSpacing, textTransform, whiteSpace, direction } = getComputedStyle(element.shadowRoot.querySelector("#summary"));
      const back = getComputedStyle(element).backgroundColor.match(/\d+/g).map(Number);
      return [fontSize, textAlign, letterSpacing, textTransform, whiteSpace, direction, back[0] < 128 ? "dark" : "light"].join();
    }),
  );
  assert.deepEqual(looks, ["16px,start,-0.16px,none,normal,ltr,light", "16px,start,-0.16px,none,normal,ltr,dark"]);
  // In a narrow place it is no longer than the page has given it.
  const [end, after] = await it.page.evaluate(() => [document.querySelector("cosec-linter").shadowRoot.host.getBoundingClientRect().bottom, document.querySelector("p").getBoundingClientRect().top]);
  assert.ok(end <= after);
  assert.ok(await it.page.evaluate(() => document.querySelector("cosec-linter").scrollHeight > document.querySelector("cosec-linter").clientHeight));
  await it.page.locator("cosec-linter").first().locator("#unchecked").scrollIntoViewIfNeeded();
});

test("an element that is moved keeps its text and undo, and leaves the keys of others alone", async () => {
  writeFileSync(
    join(project, "moved.html"),
    `<!doctype html><script type="module" src="node_modules/@cosec/wasm/dist/element.js"></script><input id="theirs"><div id="to"></div><cosec-linter persona="nobody"></cosec-linter><cosec-linter></cosec-linter>`,
  );
  await open({ url: `${site.address}moved.html`, ready: false });
  const first = it.page.locator("cosec-linter").first();
  await first.locator("#summary", { hasText: "No Compose file yet." }).waitFor();
  assert.equal(await first.locator("#persona").inputValue(), "regular");
  await first.locator(".cm-content").click();
  await it.page.keyboard.insertText("services: {a: {image: x, environment: {PASSWORD: canary}}}");
  await first.locator("#summary", { hasText: "1 error." }).waitFor();
  await it.page.evaluate(() => document.querySelector("#to").append(document.querySelector("cosec-linter")));
  await it.page.evaluate(() => (document.querySelector("cosec-linter").files[0].text.includes("canary") ? undefined : Promise.reject(new Error("lost"))));
  await first.locator(".cm-content").click();
  await it.page.keyboard.press("ControlOrMeta+End");
  await it.page.keyboard.insertText(" # more");
  await it.page.waitForFunction(() => document.querySelector("cosec-linter").report.findings.length === 1);
  await it.page.keyboard.press("ControlOrMeta+z");
  await it.page.keyboard.press("ControlOrMeta+z");
  assert.equal(await it.page.evaluate(() => document.querySelector("cosec-linter").files[0].text), "");
  await it.page.evaluate(() => {
    window.pressed = 0;
    document.querySelector("#theirs").addEventListener("keydown", (event) => setTimeout(() => (window.pressed += event.defaultPrevented ? 0 : 1)));
  });
  await it.page.locator("#theirs").focus();
  await it.page.keyboard.press("F8");
  await it.page.waitForFunction(() => window.pressed === 1);
  assert.equal(await it.page.evaluate(() => document.activeElement.id), "theirs");
});

test("the worker works from a page without a bundler", async () => {
  writeFileSync(
    join(project, "worker.html"),
    `<!doctype html><title></title><script type="module">
import { start } from "./node_modules/@cosec/wasm/dist/package/linter.js";
const linter = await start({ ready() {}, report: (report) => (document.title = report.findings.map((finding) => finding.rule).join()), failed: (message) => (document.title = message) });
linter.set("compose.yaml", "services: {a: {image: x, environment: {PASSWORD: canary}}}");
</script>`,
  );
  await open({ url: `${site.address}worker.html`, ready: false });
  await it.page.waitForFunction(() => document.title === "inline-password");
});
