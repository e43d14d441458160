// Texts that want to run, to freeze the page, or to be mistaken.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { content, entries, files, hold, inBrowser, it, open, paste, put, release, report, settled } from "./harness.mjs";

inBrowser();
beforeEach(() => open());

const SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>";

test("markup in names and paths is text wherever it is shown", async () => {
  await put({
    "compose.yaml": `services:\n  "${SCRIPT}":\n    image: x\n    environment:\n      "${SCRIPT}PASSWORD": hunter2\n      "API_TOKEN": hunter2\n    secrets: ["${SCRIPT}"]\nsecrets:\n  "${SCRIPT}": {file: "${SCRIPT}"}\n`,
    [`${SCRIPT}.env`]: `${SCRIPT}_PASSWORD=hunter2\nPASSWORD=a\n`,
  });
  assert.ok((await entries().count()) > 0);
  await it.page.click("#tab-plan");
  await it.page.locator("#plan table").waitFor();
  await it.page.click("#share");
  await it.page.locator("dialog[open]").waitFor();
  assert.equal(await it.page.locator("cosec-linter >> css=img, cosec-linter >> css=script").count(), 0);
  assert.deepEqual(it.complaints, []);
});

test("alias bombs and towers of brackets are answered, and the page goes on", async () => {
  const bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x]", ...Array.from({ length: 30 }, (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`)}]`)].join("\n");
  for (const text of ["[".repeat(100_000), bomb, "services: {a: {environment: {PASSWORD: !<x> *y}}}"]) {
    await put({ "compose.yaml": text });
    await settled("1 file is not valid.");
  }
  await put({ "compose.yaml": "services: {a: {image: x, environment: {PASSWORD: hunter2}}}" });
  await settled("1 error.");
});

test("five megabytes that are pasted do not make typing wait for the linter, and are checked as they are then", async () => {
  await open({ holds: true });
  const lines = Array.from({ length: 60_000 }, (_, at) => `      VARIABLE_NUMBER_${at}: ${"value".repeat(14)}`);
  const text = `services:\n  a:\n    image: x\n    environment:\n${lines.join("\n")}\n`;
  assert.ok(text.length > 5 << 20);
  await hold("lint");
  await it.page.evaluate((text) => {
    document.querySelector("cosec-linter").files = [{ path: "compose.yaml", text }];
    // The longest time for which the page answers nothing, from now on.
    let last = performance.now();
    window.longest = 0;
    setInterval(() => {
      window.longest = Math.max(window.longest, performance.now() - last);
      last = performance.now();
    }, 5);
  }, text);
  await content().click();
  await it.page.keyboard.press("ControlOrMeta+Home");
  await it.page.keyboard.type("# typed meanwhile\n");
  assert.match(await content().textContent(), /# typed meanwhile/);
  await release();
  assert.deepEqual((await report()).linted, ["compose.yaml"]);
  assert.match((await files())["compose.yaml"], /^# typed meanwhile\n/);
  console.log(`five megabytes: the page answers nothing for at most ${(await it.page.evaluate(() => window.longest)).toFixed(0)} ms`);
});

test("thousands of passwords on one line are found, shown and gone through", async () => {
  const many = Array.from({ length: 6000 }, (_, at) => `P${at}_PASSWORD: canary${at}`).join(", ");
  await put({ "compose.yaml": `services: {a: {image: x, environment: {${many}}}}\n` });
  await settled("6000 errors.");
  const texts = await it.page.locator(".excerpt").allTextContents();
  assert.ok(texts.every((text) => text.length < 1500 && !text.includes("canary")), texts[50]);
});

test("direction marks and other unseen characters are made visible in the editor and harmless in the list", async () => {
  await put({ "compose.yaml": 'services: {a: {image: x, environment: {"\u202eDROWSSAP_PASSWORD": "\u2066x\u200f"}}}' });
  assert.ok((await it.page.locator(".cm-specialChar").count()) >= 2);
  for (const excerpt of await it.page.locator(".excerpt").allTextContents()) assert.doesNotMatch(excerpt, /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/);
});

test("a linter that stops is started anew, and goes on with the next change", async () => {
  // The module has no text that stops it: its worker is made to fail once.
  await it.page.addInitScript(() => {
    const { postMessage } = Worker.prototype;
    let left = 1;
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message.kind === "lint" && left-- > 0) message = { kind: "lint", removed: 0, set: 0 };
      return postMessage.call(this, message, ...rest);
    };
  });
  await it.page.reload();
  await it.page.locator("#trouble:not([hidden])").waitFor();
  assert.match(await it.page.textContent("#trouble"), /goes on with the next change/);
  // What was said of an earlier text is not there as if it were about this one.
  assert.equal(await entries().count(), 0);
  assert.equal(await it.page.textContent("#summary"), "Not checked.");
  await paste("services: {a: {image: x, environment: {PASSWORD: hunter2}}}");
  await settled("1 error.");
  assert.equal(await it.page.locator("#trouble").isHidden(), true);
});
