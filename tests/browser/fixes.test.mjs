// Fixes in the page: what is shown before, what is done, and how it is taken back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { choose, content, current, entries, files, focusIn, inBrowser, it, open, put, report, root, selected, settled, tab } from "./harness.mjs";

inBrowser();
beforeEach(() => open());

const POSTGRES = "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: canary1\n";
const FIXED = "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password\n    secrets:\n      - postgres_password\n\nsecrets:\n  postgres_password:\n    file: ./secrets/postgres_password\n";
const GRANT = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}\n";

const dialog = () => it.page.locator("dialog#fix[open]");
const fixButton = () => it.page.locator("#list .fix").first();

test("a fix is shown as a diff without the value, makes the secret's file, and is undone as a whole", async () => {
  await put({ "compose.yaml": POSTGRES });
  await fixButton().click();
  await dialog().waitFor();
  const shown = await dialog().textContent();
  assert.match(shown, /changes how the stack runs/);
  assert.match(shown, /removed:\s+POSTGRES_PASSWORD: \*\*\*/);
  assert.match(shown, /added:\s+POSTGRES_PASSWORD_FILE: \/run\/secrets\/postgres_password/);
  assert.match(shown, /secrets\/postgres_password a new file/);
  assert.ok(!shown.includes("canary1"));
  await it.page.click("#apply");
  await settled("Nothing found.");
  assert.deepEqual(await files(), { "compose.yaml": FIXED, "secrets/postgres_password": "canary1", ".gitignore": "/secrets/\n" });
  assert.equal(await current(), "compose.yaml");
  await focusIn(".cm-content");
  await it.page.click("#undo-fix");
  await settled("1 error.");
  assert.deepEqual(await files(), { "compose.yaml": POSTGRES });
  assert.deepEqual(it.complaints, []);
});

test("a fix that is not applied changes nothing and gives the focus back", async () => {
  await put({ "compose.yaml": POSTGRES });
  await fixButton().focus();
  await it.page.keyboard.press("Enter");
  await dialog().waitFor();
  await it.page.keyboard.press("Escape");
  await dialog().waitFor({ state: "detached" });
  assert.deepEqual(await files(), { "compose.yaml": POSTGRES });
  await focusIn("#list .fix");
});

test("keyboard alone: Ctrl-. fixes the finding at the cursor, Ctrl-Z takes it back in one step", async () => {
  await put({ "compose.yaml": POSTGRES });
  await content().focus();
  await it.page.keyboard.press("F8");
  await it.page.keyboard.press("Control+.");
  assert.match(await it.page.locator(".popup [role=menuitem]").first().textContent(), /^Fix inline-password….*changes how it runs$/);
  await it.page.keyboard.press("Enter");
  await dialog().waitFor();
  // Enter alone does not change how the stack runs.
  await focusIn("#fix .buttons button:not(#apply)");
  const notes = await dialog().evaluate((dialog) => dialog.getRootNode().getElementById(dialog.getAttribute("aria-describedby")).innerText);
  assert.match(notes, /This changes how the stack runs/);
  assert.doesNotMatch(notes, /Secrets\/postgres/);
  await it.page.keyboard.press("Shift+Tab");
  await it.page.keyboard.press("Enter");
  await settled("Nothing found.");
  await it.page.keyboard.press("Control+z");
  await settled("1 error.");
  assert.equal((await files())["compose.yaml"], POSTGRES);
  await it.page.keyboard.press("Control+Shift+z");
  await settled("Nothing found.");
});

test("the light in the margin and the tooltip lead to the fix as well", async () => {
  await put({ "compose.yaml": POSTGRES });
  await content().focus();
  await it.page.keyboard.press("F8");
  await it.page.locator(".cm-bulb span[title]").click();
  await it.page.locator(".popup [role=menuitem]", { hasText: "Fix inline-password" }).waitFor();
  await it.page.keyboard.press("Escape");
  assert.equal(await selected(), "canary1");
  await it.page.locator(".cm-lintRange-error").first().hover();
  await it.page.locator(".cm-tooltip .fix").click();
  await dialog().waitFor();
});

test("all that is safe is fixed at once, in all files, and what is not safe is left alone", async () => {
  const before = { "a/compose.yaml": GRANT, "b/compose.yaml": GRANT, "c/compose.yaml": POSTGRES, ".gitignore": "*.log" };
  await put(before);
  await it.page.locator("#fix-safe", { hasText: "Fix 2 safely" }).click();
  await dialog().waitFor();
  assert.doesNotMatch(await dialog().textContent(), /changes how the stack runs/);
  await it.page.click("#apply");
  await settled("1 error.");
  const after = await files();
  assert.equal(after["c/compose.yaml"], POSTGRES);
  assert.match(Object.entries(after).filter(([path]) => path.endsWith(".gitignore")).map(([, text]) => text).join(), /s\.txt/);
  // What the fix wrote into another tab is one step of that tab's undo.
  const changed = Object.keys(before).find((path) => before[path] !== after[path]);
  if (changed) {
    await tab(changed).click();
    await content().focus();
    await it.page.keyboard.press("Control+z");
    await report();
    assert.equal((await files())[changed], before[changed]);
  }
  assert.ok((await entries().count()) >= 1);
});

test("what can be fixed is known of every file, however many there are", async () => {
  const long = `# ${"comment ".repeat(5000)}\n`;
  await put(Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`s${at}/compose.yaml`, `${long}${POSTGRES}`])));
  assert.equal(await it.page.locator("#list .fix").count(), 12);
  assert.ok((await report()).fixes_known);
});

test("what has been changed since is not lost by undoing a fix", async () => {
  await put({ "compose.yaml": POSTGRES });
  await fixButton().click();
  await it.page.click("#apply");
  await settled("Nothing found.");
  await content().focus();
  await it.page.keyboard.press("Control+End");
  await it.page.keyboard.type("# mine");
  await it.page.click("#undo-fix");
  await it.page.locator("#notice", { hasText: "all is left as it is: compose.yaml" }).waitFor();
  assert.equal((await files())["compose.yaml"], `${FIXED}# mine`);
});

test("files that come while a fix is shown are not overwritten by it, and F8 moves nothing behind it", async () => {
  await put({ "compose.yaml": POSTGRES });
  await fixButton().click();
  await dialog().waitFor();
  await it.page.keyboard.press("F8");
  assert.doesNotMatch(await it.page.textContent("#announcement"), /line/);
  await put({ "compose.yaml": GRANT });
  await it.page.click("#apply");
  await it.page.locator("#notice", { hasText: "nothing was fixed" }).waitFor();
  assert.deepEqual(await files(), { "compose.yaml": GRANT });
});

test("what cannot be fixed says why", async () => {
  await put({ "compose.yaml": "services:\n  q:\n    image: redis\n    environment: {REDIS_PASSWORD: canary2}\n" });
  assert.equal(await it.page.locator("#list .fix").count(), 0);
  await content().focus();
  await it.page.keyboard.press("F8");
  await it.page.keyboard.press("Control+.");
  await it.page.locator(".popup [role=menuitem]", { hasText: "Why inline-password is not fixed" }).click();
  await dialog().waitFor();
  assert.match(await dialog().textContent(), /has to be fixed by hand: .*REDIS_PASSWORD/);
  assert.ok(!(await dialog().textContent()).includes("canary2"));
  assert.equal(await it.page.locator("#apply").count(), 0);
});

test("the fixed project goes to the disk as a zip", async () => {
  await put({ "compose.yaml": POSTGRES });
  await fixButton().click();
  await it.page.click("#apply");
  await settled("Nothing found.");
  const download = it.page.waitForEvent("download");
  await choose("#export", "zip");
  const require = createRequire(pathToFileURL(join(root, "web", "package.json")));
  const { strFromU8, unzipSync } = require("fflate");
  const zip = unzipSync(new Uint8Array(readFileSync(await (await download).path())));
  assert.deepEqual(Object.keys(zip).sort(), [".gitignore", "compose.yaml", "secrets/postgres_password"]);
  assert.equal(strFromU8(zip["secrets/postgres_password"]), "canary1");
  assert.equal(strFromU8(zip["compose.yaml"]), FIXED);
});
