// What somebody has written is not lost: by opening more, by closing, by a reload, by undoing a fix.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { choose, content, current, files, inBrowser, it, open, paste, put, report, settled, tab } from "./harness.mjs";

inBrowser();
beforeEach(() => open());

let folder;
const MINE = "services: {a: {image: x}} # mine\n";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "cosec-work-"));
  mkdirSync(join(folder, "other"));
  writeFileSync(join(folder, "compose.yaml"), "services: {a: {image: disk}}\r\n");
  writeFileSync(join(folder, "crlf.env"), "A=1\r\nB=2\r\n");
  writeFileSync(join(folder, "other", "compose.yaml"), "services: {o: {image: x}}\n");
});
after(() => rmSync(folder, { recursive: true, force: true }));

const undo = async () => {
  await content().focus();
  await it.page.keyboard.press("ControlOrMeta+z");
};
/** What is about to be kept is kept at once when a page is hidden. */
const keep = (page) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
const isBack = () => it.page.waitForFunction(() => document.querySelector("cosec-linter").files.some((file) => file.text.includes("# mine")));

/** Writes as somebody does. */
async function write() {
  await put({ "compose.yaml": "" });
  await paste(MINE);
  await settled("Nothing found.");
}

test("a second file leaves the undo of the first alone, and CRLF as it is", async () => {
  await it.page.setInputFiles("#choose-files", join(folder, "crlf.env"));
  await tab("crlf.env").waitFor();
  await content().focus();
  await it.page.keyboard.press("ControlOrMeta+Home");
  await it.page.keyboard.insertText("# top");
  await it.page.setInputFiles("#choose-files", join(folder, "compose.yaml"));
  await tab("compose.yaml").waitFor();
  assert.equal((await files())["crlf.env"], "# topA=1\r\nB=2\r\n");
  await tab("crlf.env").click();
  await undo();
  assert.equal((await files())["crlf.env"], "A=1\r\nB=2\r\n");
});

test("a file of a name that is there takes its place with a word, and Ctrl Z brings the text back", async () => {
  await write();
  await it.page.setInputFiles("#choose-files", join(folder, "compose.yaml"));
  await it.page.locator("#notice", { hasText: "Now as on the disk: compose.yaml" }).waitFor();
  assert.equal((await files())["compose.yaml"], "services: {a: {image: disk}}\r\n");
  await undo();
  await isBack();
});

for (const [what, act] of [
  ["the example", () => choose("#open", "Example")],
  ["closing all", () => choose("#open", "Close all")],
  ["closing a tab", () => it.page.locator('[aria-label="Close compose.yaml"]').click()],
  ["a folder", () => it.page.setInputFiles("#choose-folder", join(folder, "other"))],
  ["a link in the same tab", async () => {
    await it.page.click("#share");
    const hash = new URL(await it.page.inputValue("#link")).hash;
    await it.page.keyboard.press("Escape");
    await it.page.evaluate((hash) => (location.hash = hash), hash);
  }],
]) {
  test(`${what} can be taken back, with all undo`, async () => {
    await write();
    await act();
    await it.page.locator("#bring-back").waitFor();
    assert.ok(!JSON.stringify(await files()).includes("# mine"));
    await it.page.click("#bring-back");
    await isBack();
    assert.deepEqual(await files(), { "compose.yaml": MINE });
    await undo();
    assert.equal((await files())["compose.yaml"], "");
  });
}

test("who leaves is asked only where something is nowhere else", async () => {
  const asks = () => it.page.evaluate(() => !dispatchEvent(new Event("beforeunload", { cancelable: true })));
  assert.equal(await asks(), false);
  await it.page.setInputFiles("#choose-folder", join(folder, "other"));
  await settled("Nothing found.");
  assert.equal(await asks(), false);
  await content().focus();
  await it.page.keyboard.insertText("# mine");
  assert.equal(await asks(), true);
  await it.page.keyboard.press("ControlOrMeta+z");
  assert.equal(await asks(), false);
});

test("what is typed right before a reload is kept, with its line breaks", async () => {
  await it.page.setInputFiles("#choose-files", join(folder, "crlf.env"));
  await tab("crlf.env").waitFor();
  await it.page.check("#remember");
  await content().focus();
  await it.page.keyboard.press("ControlOrMeta+Home");
  await it.page.keyboard.type("X");
  await it.page.reload();
  await tab("crlf.env").waitFor();
  assert.deepEqual(await files(), { "crlf.env": "XA=1\r\nB=2\r\n" });
});

test("a link and the example leave what is kept alone", async () => {
  await write();
  await it.page.click("#share");
  const link = await it.page.inputValue("#link");
  await it.page.keyboard.press("Escape");
  await it.page.check("#remember");
  await choose("#open", "Example");
  await tab("compose.override.yaml").waitFor();
  const other = await it.context.newPage();
  await other.goto(link);
  await other.locator("#bring-back").waitFor();
  await keep(other);
  assert.match(await other.evaluate(() => localStorage.getItem("cosec.files")), /# mine/);
});

test("what is no longer kept in one window is not kept by another", async () => {
  await write();
  await it.page.check("#remember");
  const other = await it.context.newPage();
  await other.goto(it.address);
  await other.locator("#remember:checked").waitFor();
  await it.page.uncheck("#remember");
  await other.locator("#remember:not(:checked)").waitFor();
  await other.locator(".cm-content").click();
  await other.keyboard.type("canary");
  await keep(other);
  assert.equal(await it.page.evaluate(() => localStorage.length), 0);
});

test("of two windows the one that wrote last keeps its files, and the other says that it does not", async () => {
  await write();
  await it.page.check("#remember");
  const other = await it.context.newPage();
  await other.goto(it.address);
  await other.locator("#remember:checked").waitFor();
  await other.locator(".cm-content").click();
  await other.keyboard.type("# of the other");
  await it.page.locator("#remember:not(:checked)").waitFor();
  await it.page.locator("#notice", { hasText: "those of this one are no longer kept" }).waitFor();
  await content().focus();
  await it.page.keyboard.type("canary");
  await keep(it.page);
  const kept = await it.page.evaluate(() => localStorage.getItem("cosec.files"));
  assert.match(kept, /# of the other/);
  assert.doesNotMatch(kept, /canary/);
  await it.page.check("#remember");
  await other.locator("#remember:not(:checked)").waitFor();
  assert.match(await it.page.evaluate(() => localStorage.getItem("cosec.files")), /canary/);
});

test("a fix that was worked on is not undone by half: the secret stays in its file", async () => {
  await put({ "compose.yaml": "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: canary1\n" });
  await it.page.locator("#list .fix").first().click();
  await it.page.click("#apply");
  await settled("Nothing found.");
  await content().focus();
  await it.page.keyboard.press("ControlOrMeta+End");
  await it.page.keyboard.type("# more");
  await it.page.click("#undo-fix");
  await it.page.locator("#notice", { hasText: "all is left as it is: compose.yaml" }).waitFor();
  assert.equal((await files())["secrets/postgres_password"], "canary1");
});

test("without any file there is one to write in, and it is linted", async () => {
  for (const none of [[{ path: "/", text: "" }], []]) {
    await it.page.evaluate((none) => (document.querySelector("cosec-linter").files = none), none);
    assert.equal(await current(), "compose.yaml");
  }
  await paste("services: {a: {image: x, environment: {PASSWORD: hunter2}}}");
  await settled("1 error.");
});

test("an archive holds every file, inside of where it is unpacked", async () => {
  await put({ "../up/compose.yaml": "a: 1\n", "up/compose.yaml": "b: 1\n", "x/../../y.env": "C=1\n" });
  const download = it.page.waitForEvent("download");
  await choose("#export", "zip");
  const { readFileSync } = await import("node:fs");
  const { createRequire } = await import("node:module");
  const { unzipSync } = createRequire(new URL("../../web/package.json", import.meta.url))("fflate");
  const names = Object.keys(unzipSync(new Uint8Array(readFileSync(await (await download).path()))));
  assert.deepEqual(names.sort(), ["up/compose-2.yaml", "up/compose.yaml", "x/y.env"]);
});

test("the dot beside a finding goes along when its line is moved by Enter at its start", async () => {
  await put({ "compose.yaml": "services:\n  a:\n    image: x\n    environment:\n      API_TOKEN: canary3\n" });
  const line = it.page.locator(".cm-line", { hasText: "API_TOKEN" });
  const isBeside = async () => {
    const [dot, text] = [await it.page.locator(".cm-lint-marker-error").boundingBox(), await line.boundingBox()];
    return Math.abs(dot.y + dot.height / 2 - text.y - text.height / 2) < text.height / 2;
  };
  assert.ok(await isBeside());
  await line.click();
  await it.page.keyboard.press("Home");
  await it.page.keyboard.press("Home");
  await it.page.keyboard.press("Enter");
  await report();
  assert.equal(await it.page.locator(".cm-lint-marker-error").count(), 1);
  assert.ok(await isBeside());
});
