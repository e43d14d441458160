// Who works with the keyboard or a screen reader stays where they are, whatever comes meanwhile.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { content, focusIn, hold, inBrowser, it, open, paste, put, release, report, selected, settled, tab } from "./harness.mjs";

inBrowser();
beforeEach(() => open({ holds: true }));

const POSTGRES = "  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: canary1\n";
const TOKENS = "  a:\n    image: x\n    environment:\n      A_TOKEN: canary2\n      B_TOKEN: canary3\n      C_TOKEN: canary4\n";
const PROJECT = `services:\n${POSTGRES}${TOKENS}`;

/** Puts the focus on something and remembers it, as the node that it is. */
async function stand(locator) {
  await locator.focus();
  await it.page.evaluate(() => (window.stood = document.activeElement.shadowRoot.activeElement));
}
const stands = () => it.page.evaluate(() => window.stood.isConnected && document.activeElement.shadowRoot?.activeElement === window.stood);
const entry = (name) => it.page.locator("#list > li", { hasText: name });

/** Has a report come of another text while the focus is elsewhere. */
async function whileChecking(text, what) {
  await hold("lint");
  await paste(text);
  await what();
  await release();
  await report();
}

test("what can be fixed comes late and leaves the focus on the entry that one reads", async () => {
  await hold("fixes");
  await it.page.evaluate((text) => (document.querySelector("cosec-linter").files = [{ path: "compose.yaml", text }]), PROJECT);
  await entry("POSTGRES_PASSWORD").waitFor();
  assert.equal(await it.page.locator("#list .fix").count(), 0);
  await stand(entry("POSTGRES_PASSWORD").locator(".rule"));
  await release();
  await entry("POSTGRES_PASSWORD").locator(".fix").waitFor();
  assert.ok(await stands());
});

test("a rule's page gives the focus back to the entry that it was opened from, though reports came meanwhile", async () => {
  await put({ "compose.yaml": PROJECT });
  await stand(entry("B_TOKEN").locator(".rule"));
  await it.page.keyboard.press("Enter");
  await it.page.locator("#page h2").waitFor();
  await it.page.evaluate(() => document.querySelector("cosec-linter").setAttribute("persona", "auditor"));
  await report();
  await it.page.keyboard.press("Tab");
  await it.page.keyboard.press("Enter");
  assert.ok(await stands());
});

test("findings that come, go and move leave the focus on the one that stays", async () => {
  await put({ "compose.yaml": PROJECT });
  await whileChecking(`# one line more\n${PROJECT.replace("      A_TOKEN: canary2\n", "      X_TOKEN: canary5\n      Y_TOKEN: canary6\n")}`, () => stand(entry("B_TOKEN").locator(".jump")));
  await entry("Y_TOKEN").waitFor();
  assert.equal(await entry("A_TOKEN").count(), 0);
  assert.match(await entry("B_TOKEN").textContent(), /line 12/);
  assert.ok(await stands());
  // It leads to where the finding is now.
  await it.page.keyboard.press("Enter");
  assert.equal(await selected(), "canary3");
});

test("where the entry that one reads goes away, its neighbour has the focus, and in the end the tab of the list", async () => {
  await put({ "compose.yaml": PROJECT });
  await whileChecking(PROJECT.replace("      B_TOKEN: canary3\n", ""), () => stand(entry("B_TOKEN").locator(".rule")));
  await focusIn("#list > li .jump");
  assert.match(await it.page.evaluate(() => document.activeElement.shadowRoot.activeElement.textContent), /C_TOKEN/);
  await whileChecking("services: {a: {image: x}}", () => stand(entry("C_TOKEN").locator(".jump")));
  await focusIn("#tab-findings");
});

test("the strip of tabs, the plan, the rules and what is not checked keep the focus where it is", async () => {
  const grants = (name) => `services:\n  ${name}:\n    image: x\n    secrets: [s]\n  z:\n    image: x\n    secrets: [s]\nsecrets: {s: {file: ./s.txt}}\n`;
  await put({ "compose.yaml": grants("b"), ".env": "A_TOKEN=\n" });
  await whileChecking(PROJECT, () => stand(tab(".env")));
  assert.match(await tab("compose.yaml").textContent(), /4 found/);
  assert.ok(await stands());

  await put({ "compose.yaml": grants("b") });
  await it.page.locator("#unchecked summary").click();
  await whileChecking(grants("c"), () => stand(it.page.locator("#unchecked button").first()));
  assert.ok(await stands());

  await it.page.click("#tab-plan");
  const row = (name) => it.page.locator("#plan tbody button", { hasText: name });
  await row("z").waitFor();
  await whileChecking(grants("a"), () => stand(row("z")));
  await row("a").waitFor();
  assert.ok(await stands());
});

test("more entries on demand: the first of them has the focus, and they stay when a report comes", async () => {
  const lines = Array.from({ length: 130 }, (_, at) => `      P${at}_PASSWORD: hunter2`).join("\n");
  await put({ "compose.yaml": `services:\n  a:\n    image: x\n    environment:\n${lines}\n` });
  await it.page.locator(".more").focus();
  await it.page.keyboard.press("Enter");
  assert.match(await it.page.evaluate(() => document.activeElement.shadowRoot.activeElement.textContent), /P100_PASSWORD/);
  await content().click();
  await it.page.keyboard.press("ControlOrMeta+End");
  await it.page.keyboard.type("# more");
  await settled("130 errors.");
  assert.equal(await it.page.locator("#list > li").count(), 130);
});

test("a name that is being written is taken when one goes elsewhere, and one stays there", async () => {
  await put({ "compose.yaml": PROJECT });
  await tab("compose.yaml").focus();
  await it.page.keyboard.press("F2");
  await it.page.keyboard.type("stack.yaml");
  await it.page.click("#tab-plan");
  await tab("stack.yaml").waitFor();
  await focusIn("#tab-plan");
});

test("what the page says is said to who does not see it", async () => {
  await content().focus();
  await it.page.keyboard.press("Control+.");
  await it.page.locator("#announcement", { hasText: "There is nothing to do in this line" }).waitFor();
});

test("what is said with a button keeps the focus when something else is said, and gives it to the editor when dismissed", async () => {
  await put({ "compose.yaml": "" });
  await paste("services: {a: {image: x}} # mine");
  await it.page.locator('[aria-label="Close compose.yaml"]').click();
  await it.page.locator("#bring-back").focus();
  await it.page.keyboard.press("Enter");
  await it.page.locator("#notice", { hasText: "It is back" }).waitFor();
  await it.page.locator('#notice [aria-label="Dismiss"]').focus();
  await it.page.keyboard.press("Enter");
  await focusIn(".cm-content");
});

test("by touch, the screen's keyboard comes where the text is touched and not before, and what was done is seen from anywhere", async () => {
  await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const isSeen = (selector) =>
    it.page.waitForFunction((selector) => {
      const { top, bottom } = document.querySelector("cosec-linter").shadowRoot.querySelector(selector).getBoundingClientRect();
      return bottom > top && top >= 0 && bottom <= innerHeight;
    }, selector);
  await it.page.locator("#list .jump", { hasText: ".env:2" }).tap();
  await isSeen("#editor");
  assert.equal(await tab(".env").getAttribute("aria-current"), "true");
  assert.equal(await it.page.locator(".cm-editor.cm-focused").count(), 0);
  await it.page.locator("#list .fix").last().tap();
  await it.page.locator("#apply").tap();
  await it.page.locator("#undo-fix").waitFor();
  await isSeen("#notice");
  assert.equal(await it.page.locator(".cm-editor.cm-focused").count(), 0);
  await content().tap();
  await focusIn(".cm-content");
});
