// The built page in a real browser.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { after, afterEach, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, "..", "..");
export const dist = join(root, "web", "dist");
export const screenshots = join(here, "screenshots");
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

/** What the tests of one file share; filled by `inBrowser`. */
export const it = {};

/** Serves a directory on loopback. What is given to `listen` hears each path that is asked for. */
export async function serve(directory) {
  const listeners = [];
  const server = createServer((request, response) => {
    for (const listener of listeners) listener(request.url);
    const name = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname)).replace(/\/$/, "/index.html");
    const file = join(directory, name);
    if (!file.startsWith(directory) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close(), listen: (listener) => listeners.push(listener) };
}

/** Starts a browser. */
export async function launch() {
  const path = [process.env.COSEC_CHROMIUM, "/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find((path) => path && existsSync(path));
  assert.ok(path, "a browser is installed first: cargo xtask setup");
  const flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  if (process.getuid?.() === 0) flags.push("--no-sandbox");
  return chromium.launch({ executablePath: path, args: flags });
}

/** Starts a browser and a server for the tests of a file. */
export function inBrowser() {
  before(async () => {
    assert.ok(existsSync(join(dist, "cosec.html")), "the page is built first: cargo xtask web");
    mkdirSync(screenshots, { recursive: true });
    it.server = await serve(dist);
    it.address = it.server.address;
    it.browser = await launch();
  });
  after(async () => {
    await it.browser?.close();
    it.server?.close();
  });
  afterEach(async () => {
    await it.context?.close();
    it.context = undefined;
  });
}

/** What the page tells its worker can be held back: see `hold`. */
const holdable = () => {
  const { postMessage } = Worker.prototype;
  const held = [];
  window.hold = (kind) => (window.holds = kind);
  window.release = () => {
    window.holds = undefined;
    for (const send of held.splice(0)) send();
  };
  Worker.prototype.postMessage = function (message, ...rest) {
    const send = () => postMessage.call(this, message, ...rest);
    if (message.kind === window.holds) held.push(send);
    else send();
  };
};

/** Keeps the worker from hearing messages of a kind (`lint`, `fixes`, `ask`) until `release`; for what happens while an
 * answer is on its way. The page has to be opened with `holds: true`. */
export const hold = (kind) => it.page.evaluate((kind) => window.hold(kind), kind);
export const release = () => it.page.evaluate(() => window.release());

/** Waits for something that happens outside of the page, as long as the browser's own waits do. */
export async function until(condition, what) {
  for (const end = Date.now() + 30_000; !condition(); await new Promise((resolve) => setTimeout(resolve, 10))) {
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
  }
}

/** Opens the page anew. `it.requests` and `it.complaints` note what it asks for and what the browser minds. */
export async function open({ url, ready = true, holds = false, ...options } = {}) {
  await it.context?.close();
  it.context = await it.browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  it.page = await it.context.newPage();
  it.requests = [];
  it.complaints = [];
  it.context.on("request", (request) => it.requests.push(request.url()));
  it.page.on("console", (message) => ["error", "warning"].includes(message.type()) && it.complaints.push(message.text()));
  it.page.on("pageerror", (error) => it.complaints.push(error.message));
  it.page.on("dialog", (dialog) => {
    it.complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  if (holds) await it.page.addInitScript(holdable);
  await it.page.goto(url ?? it.address);
  if (ready) await report();
  return it.page;
}

/** Puts files in, and waits for their report and for its being shown. */
export async function put(files) {
  const entries = Object.entries(files).map(([path, text]) => ({ path, text }));
  await element().evaluate((element, files) => (element.files = files), entries);
  return report();
}

const element = () => it.page.locator("cosec-linter").first();

/** The report of the texts as they are now, when all of it is shown. */
export const report = () => element().evaluate((element) => element.checked());

/** All files, as they would go to the disk. */
export const files = async () => Object.fromEntries((await element().evaluate((element) => element.files)).map(({ path, text }) => [path, text]));

export const content = () => it.page.locator(".cm-content");
export const entries = () => it.page.locator("#list > li");
export const summary = () => it.page.locator("#summary");

/** Waits until this is what all that has been done comes to. */
export async function settled(text) {
  await summary().filter({ hasText: text }).waitFor();
  await report();
  assert.ok((await summary().textContent()).includes(text), `${await summary().textContent()} is not ${text}`);
}

export const tab = (path) => it.page.locator(`#tabs button.name[data-path="${path}"]`);

/** Puts a text in as a paste does. */
export async function paste(text) {
  await content().click();
  await it.page.keyboard.press("ControlOrMeta+a");
  await it.page.keyboard.insertText(text);
}

/** What is selected in the editor. */
export const selected = () =>
  it.page.evaluate(() => getSelection().toString() || document.querySelector("cosec-linter").shadowRoot.getSelection?.().toString());

/** Waits until the focus is in what the selector says, inside the element. */
export const focusIn = (selector) =>
  it.page.waitForFunction((selector) => document.activeElement?.shadowRoot?.activeElement?.matches(selector), selector);

export const current = () => it.page.locator('#tabs [aria-current="true"]').getAttribute("data-path");

/** The item of the open menu with this label. */
export const choose = async (button, label) => {
  await it.page.click(button);
  await it.page.locator(".menu:not([hidden]) [role=menuitem]", { hasText: label }).click();
};
