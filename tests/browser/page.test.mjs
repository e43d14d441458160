// The built page in a real browser: what people see, what never leaves, what cannot break it.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join, normalize } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "..", "..", "web", "dist");
const screenshots = join(here, "screenshots");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };
const browserPath = [process.env.COSEC_CHROMIUM, "/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find((path) => path && existsSync(path));

let server, address, browser, context, page, requests, complaints;

before(async () => {
  assert.ok(existsSync(join(dist, "index.html")), "the page is built first: cargo xtask web");
  assert.ok(browserPath, "a browser is installed first: cargo xtask setup");
  mkdirSync(screenshots, { recursive: true });
  server = createServer((request, response) => {
    const name = normalize(new URL(request.url, "http://x").pathname).replace(/\/$/, "/index.html");
    const file = join(dist, name);
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${server.address().port}/`;
  const flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  if (process.getuid?.() === 0) flags.push("--no-sandbox");
  browser = await chromium.launch({ executablePath: browserPath, args: flags });
});

after(async () => {
  await browser?.close();
  server?.close();
});

beforeEach(() => open());
afterEach(() => context?.close());

async function open(options = {}) {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  page = await context.newPage();
  requests = [];
  complaints = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(address);
  await page.waitForFunction(() => /finding|Nothing/.test(document.querySelector("#summary").textContent));
}

const content = () => page.locator(".cm-content");
const entries = () => page.locator("#list > li");
const marks = () => page.locator(".cm-lintRange-error");
const settled = (text) => page.waitForFunction((text) => document.querySelector("#summary").textContent === text, text);

/** Puts a text in as a paste does. */
async function paste(text) {
  await content().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

test("the example shows what the page is for, and the browser has nothing to complain of", async () => {
  assert.equal(await page.textContent("#summary"), "5 findings.");
  assert.equal(await entries().count(), 5);
  assert.deepEqual(complaints, []);
});

test("a password that is typed gives a marker and an entry within a second, and no value is shown", async () => {
  await page.click("#clear");
  await settled("This is no Compose file yet.");
  await page.keyboard.type("services:\ndb:\nenvironment:\nDB_PASSWORD: canary7", { delay: 0 });
  await paste("services:\n  db:\n    environment:\n      DB_PASSWORD: ");
  await page.keyboard.press("End");
  const start = Date.now();
  await page.keyboard.type("canary7");
  await settled("1 finding.");
  await marks().first().waitFor();
  const took = Date.now() - start;
  assert.ok(took < 1000, `${took} ms`);
  assert.equal(await marks().first().textContent(), "canary7");
  assert.ok(!(await page.textContent(".findings")).includes("canary7"));
});

test("nothing but the page's own files is asked for, and nothing at all after that", async () => {
  assert.ok(requests.every((url) => url.startsWith(address) || url.startsWith("blob:") || url.startsWith("data:")), requests.join("\n"));
  const before = requests.length;
  await paste("services: {a: {environment: {API_TOKEN: canary8}}}");
  await settled("1 finding.");
  await page.click(".rule");
  await page.waitForSelector("#page:not([hidden])");
  assert.equal(requests.length, before);
  const stored = await page.evaluate(async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length]);
  assert.deepEqual(stored, [0, 0, "", 0]);
});

test("the page's policy forbids to send anything anywhere, from the worker too", async () => {
  const policy = await page.getAttribute('meta[http-equiv="Content-Security-Policy"]', "content");
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /connect-src 'self'/);
  assert.doesNotMatch(policy, /(script|style)-src [^;]*'unsafe-(inline|eval)'|https?:/);
  const fromPage = await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "sent", () => "refused"));
  assert.equal(fromPage, "refused");
  assert.ok(complaints.some((text) => text.includes("Content Security Policy")), complaints.join("\n"));
  const fromWorker = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const source = `addEventListener("securitypolicyviolation", (event) => postMessage(event.effectiveDirective)); fetch("http://127.0.0.1:9/").catch(() => {});`;
        const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
        worker.onmessage = ({ data }) => resolve(data);
      }),
  );
  assert.equal(fromWorker, "connect-src");
});

test("it goes on working when the network is gone", async () => {
  await context.setOffline(true);
  await paste("services: {a: {environment: {API_TOKEN: canary9}}}");
  await settled("1 finding.");
});

test("hostile text neither runs nor freezes anything", async () => {
  const bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x]", ...Array.from({ length: 30 }, (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`)}]`)].join("\n");
  for (const text of ["[".repeat(100_000), bomb, "services: {a: {environment: {PASSWORD: !<x> *y}}}"]) {
    await paste(text);
    await settled("This is no Compose file yet.");
  }
  const script = "<img src=x onerror=alert(1)><script>alert(2)</script>";
  await paste(`services:\n  "${script}":\n    environment:\n      "${script}PASSWORD": hunter2\n      PASSWORD: "\u202e\u2066x"\n`);
  await page.waitForFunction(() => document.querySelectorAll("#list > li").length > 0);
  assert.equal(await page.locator("img, .findings script").count(), 0);
  assert.deepEqual(complaints, []);
});

test("the mark covers the value, whatever stands before it", async () => {
  await paste('services: {"🙂é": {environment: {"🙂": "🙂", DB_PASSWORD: "pässwörd🙂"}}}');
  await settled("1 finding.");
  assert.equal((await marks().allTextContents()).join(""), '"pässwörd🙂"');
});

test("keyboard alone: F8 goes through the findings, Enter opens a rule's page and Escape is not needed", async () => {
  await content().focus();
  await page.keyboard.press("ControlOrMeta+Home");
  const selected = () => page.evaluate(() => getSelection().toString() || document.querySelector("#editor").shadowRoot.getSelection?.().toString());
  await page.keyboard.press("F8");
  assert.equal(await selected(), "wordpress");
  await page.keyboard.press("F8");
  assert.equal(await selected(), "s3cr3t");
  await page.keyboard.press("Shift+F8");
  assert.equal(await selected(), "wordpress");
  await page.locator(".rule").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#page:not([hidden])");
  assert.match(await page.textContent("#page h3"), /inline-password/);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.ok(await page.isHidden("#page"));
  assert.equal(await page.evaluate(() => document.activeElement.className), "rule");
});

test("a click on a finding leads to its place", async () => {
  await page.locator(".jump").nth(4).click();
  assert.equal(await page.evaluate(() => getSelection().toString() || document.querySelector("#editor").shadowRoot.getSelection?.().toString()), "backup_key");
});

test("fast typing ends with the newest text's findings", async () => {
  for (let count = 1; count <= 30; count++) {
    const lines = Array.from({ length: count }, (_, at) => `      PASSWORD_${at}: hunter2`);
    await paste(`services:\n  a:\n    environment:\n${lines.join("\n")}\n`);
  }
  await settled("30 findings.");
  assert.equal(await entries().count(), 30);
});

test("what cannot be checked here is said", async () => {
  await paste("services: {a: {secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}\n");
  await settled("Nothing found.");
  assert.match(await page.textContent("#unchecked"), /secret-file-not-ignored: git cannot be asked here/);
});

for (const colorScheme of ["light", "dark"]) {
  test(`nobody is shut out, ${colorScheme}`, async () => {
    await open({ colorScheme });
    await page.click(".rule");
    await page.waitForSelector("#page:not([hidden])");
    await page.evaluate((source) => (0, Function)(source)(), axe).catch(() => page.addScriptTag({ content: axe }).catch(() => {}));
    const loaded = await page.evaluate(() => typeof globalThis.axe);
    if (loaded === "undefined") {
      // The page's policy keeps the checker out: load the same page with the policy lifted for it.
      await open({ colorScheme, bypassCSP: true });
      await page.click(".rule");
      await page.waitForSelector("#page:not([hidden])");
      await page.addScriptTag({ content: axe });
    }
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`), []);
  });

  for (const width of [1440, 390]) {
    test(`it fits ${width} pixels, ${colorScheme}`, async () => {
      await open({ colorScheme, viewport: { width, height: width === 390 ? 844 : 900 } });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} pixels too wide`);
      await page.screenshot({ path: join(screenshots, `${width}-${colorScheme}.png`), fullPage: width === 390 });
    });
  }
}

if (process.env.COSEC_DOCS_SCREENSHOT) {
  test("the picture of the README", async () => {
    await open({ viewport: { width: 1280, height: 720 } });
    await page.screenshot({ path: join(here, "..", "..", "docs", "images", "browser.png") });
  });
}
