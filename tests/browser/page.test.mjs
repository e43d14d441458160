// What people see and do: findings, plan, rules, reports.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { choose, content, current, dist, entries, files, focusIn, hold, inBrowser, it, open, paste, put, release, report, selected, settled, summary, tab } from "./harness.mjs";

inBrowser();
beforeEach(() => open());

const marks = (severity = "error") => it.page.locator(`.cm-lintRange-${severity}`);
const cameWithLink = () => it.page.locator("#notice", { hasText: "These files came with the link" }).waitFor();
const ONE = "services: {a: {image: x, environment: {API_TOKEN: canary1}}}";

test("the example shows what the page is for, and the browser has nothing to complain of", async () => {
  assert.equal(await summary().textContent(), "5 errors, 4 warnings.");
  assert.equal(await entries().count(), 9);
  assert.match(await entries().first().textContent(), /WORDPRESS_DB_PASSWORD: \*\*\*/);
  assert.deepEqual(it.complaints, []);
});

test("a password that is typed gives a marker and an entry, and no value is shown outside the editor", async () => {
  await put({ "compose.yaml": "" });
  await settled("No Compose file yet.");
  assert.match(await it.page.textContent("#list"), /Paste a compose\.yaml into the editor/);
  await paste("services:\n  db:\n    image: x\n    environment:\n      DB_PASSWORD: ");
  await it.page.keyboard.type("canary7");
  await settled("1 error.");
  assert.equal(await marks().first().textContent(), "canary7");
  assert.equal(await it.page.locator(".cm-lint-marker-error").count(), 1);
  assert.ok(!(await it.page.locator(".right").textContent()).includes("canary7"));
});

test("hover says what is wrong and leads to the rule", async () => {
  await marks().first().hover();
  const tooltip = it.page.locator(".cm-tooltip .hover").first();
  await tooltip.waitFor();
  assert.match(await tooltip.textContent(), /WORDPRESS_DB_PASSWORD.*inline-password/);
  assert.ok(!(await tooltip.textContent()).includes("s3cr3t"));
  await tooltip.locator(".rule").click();
  await it.page.locator("#page h2", { hasText: "inline-password" }).waitFor();
});

test("the mark covers the value, whatever stands before it", async () => {
  await put({ "compose.yaml": 'services: {"🙂é": {image: x, environment: {"🙂": "🙂", DB_PASSWORD: "pässwörd🙂"}}}' });
  assert.equal((await marks().allTextContents()).join(""), '"pässwörd🙂"');
});

test("keyboard alone: F8 goes through the findings of all files, a rule's page opens and gives the focus back", async () => {
  await content().focus();
  for (const [key, where, what] of [
    ["F8", "compose.yaml", "wordpress"],
    ["F8", "compose.yaml", "s3cr3t"],
    ["Shift+F8", "compose.yaml", "wordpress"],
    ["Shift+F8", ".env", "q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6"],
    ["F8", "compose.yaml", "wordpress"],
  ]) {
    await it.page.keyboard.press(key);
    assert.deepEqual([await current(), await selected()], [where, what]);
  }
  await it.page.locator("#list .rule").first().focus();
  await it.page.keyboard.press("Enter");
  await it.page.locator("#page h2", { hasText: "inline-password" }).waitFor();
  await it.page.keyboard.press("Tab");
  await it.page.keyboard.press("Enter");
  assert.ok(await it.page.locator("#page").isHidden());
  await focusIn("#list .rule");
});

test("keyboard alone: everything can be reached by Tab, and the editor can be left", async () => {
  await content().focus();
  await it.page.keyboard.press("Escape");
  const seen = new Set();
  for (let step = 0; step < 40; step++) {
    await it.page.keyboard.press("Tab");
    seen.add(await it.page.evaluate(() => {
      const inner = document.activeElement.shadowRoot?.activeElement ?? document.activeElement;
      return inner.id || inner.className || inner.tagName;
    }));
  }
  for (const place of ["tab-findings", "chip error", "filter-file", "persona", "jump", "rule"]) assert.ok(seen.has(place), `${place} of ${[...seen]}`);
});

test("keyboard alone: menus open with Enter, arrows move in them, Escape leaves them", async () => {
  await it.page.locator("#export").focus();
  await it.page.keyboard.press("Enter");
  const focused = () => it.page.evaluate(() => document.activeElement.shadowRoot.activeElement.textContent);
  assert.match(await focused(), /SARIF/);
  await it.page.keyboard.press("ArrowDown");
  assert.match(await focused(), /JSON/);
  await it.page.keyboard.press("ArrowUp");
  await it.page.keyboard.press("ArrowUp");
  assert.match(await focused(), /zip/);
  await it.page.keyboard.press("Escape");
  assert.match(await focused(), /Export/);
});

test("Ctrl-. at a finding explains it or ignores it with a comment that works", async () => {
  await content().focus();
  await it.page.keyboard.press("F8");
  await it.page.keyboard.press("Control+.");
  await it.page.locator(".popup [role=menuitem]", { hasText: "Ignore inline-password here" }).click();
  await it.page.keyboard.type("a throw-away database");
  await settled("4 errors, 4 warnings.");
  // The comment ignores before its reason is typed to its end.
  await content().filter({ hasText: "# cosec: ignore[inline-password] a throw-away database" }).waitFor();
  // The next is about the same value, the one after it about another.
  await it.page.keyboard.press("F8");
  await it.page.keyboard.press("F8");
  await it.page.keyboard.press("Control+.");
  await it.page.keyboard.press("Enter");
  await it.page.locator("#page h2", { hasText: "url-password" }).waitFor();
});

test("no comment is offered inside a text of several lines, where it would be text", async () => {
  await put({ "compose.yaml": "configs:\n  c:\n    content: |\n      user: a\n      password: hunter2\nservices: {a: {image: x, configs: [c]}}\n" });
  await content().focus();
  await it.page.keyboard.press("F8");
  await it.page.keyboard.press("Control+.");
  assert.deepEqual(await it.page.locator(".popup [role=menuitem]").allTextContents(), ["Fix secret-in-config…changes how it runs", "Explain secret-in-config"]);
});

test("a click on a finding leads to its place, across files", async () => {
  await it.page.locator("#list .jump", { hasText: "compose.override.yaml" }).first().click();
  assert.equal(await current(), "compose.override.yaml");
  assert.equal(await selected(), "example");
});

test("fast typing ends with the newest text's findings", async () => {
  await put({ "compose.yaml": "" });
  for (let count = 1; count <= 30; count++) {
    const lines = Array.from({ length: count }, (_, at) => `      PASSWORD_${at}: hunter2`);
    await paste(`services:\n  a:\n    image: x\n    environment:\n${lines.join("\n")}\n`);
  }
  await settled("30 errors.");
  assert.equal(await entries().count(), 30);
});

test("filters narrow the list by severity, file and rule, and never the marks", async () => {
  await it.page.locator(".chip.error").click();
  assert.equal(await entries().count(), 4);
  await it.page.locator(".chip.error").click();
  await it.page.selectOption("#filter-file", "compose.yaml");
  assert.equal(await entries().count(), 4);
  assert.equal(await it.page.locator(".chip.warning").textContent(), "1 warning");
  await it.page.selectOption("#filter-rule", "url-password");
  assert.equal(await entries().count(), 1);
  assert.equal(await it.page.locator(".cm-lint-marker-error").count(), 3);
});

test("a stricter persona is asked for and has an effect, or none where core has no such rule", async () => {
  await it.page.selectOption("#persona", "auditor");
  await report();
  assert.equal(await it.page.getAttribute("cosec-linter", "persona"), "auditor");
  assert.ok((await entries().count()) >= 6);
});

test("many findings do not make the page wait: a hundred are shown, the rest on demand", async () => {
  const lines = Array.from({ length: 250 }, (_, at) => `      PASSWORD_${at}: hunter2`);
  await put({ "compose.yaml": `services:\n  a:\n    image: x\n    environment:\n${lines.join("\n")}\n` });
  assert.equal(await entries().count(), 101);
  await it.page.click(".more");
  assert.equal(await entries().count(), 250);
});

test("the plan shows who gets which secret where, and a click leads to the grant", async () => {
  await it.page.click("#tab-plan");
  await it.page.locator("#plan table").waitFor();
  const rows = await it.page.locator("#plan tbody tr").allTextContents();
  assert.deepEqual(rows, [
    "wordpressauth_saltenvironment AUTH_SALT/run/secrets/auth_saltimage's user, 0400",
    "dbdb_passwordfile secrets/db_password/run/secrets/db_password999, 0400",
    "backupdb_passwordfile secrets/db_password/etc/backup/password1000, 0440",
  ]);
  assert.equal(await it.page.locator(".diagram .target").count(), 3);
  assert.equal(await it.page.locator(".diagram .edge").count(), 6);
  await it.page.locator("#plan tbody button", { hasText: "backup" }).click();
  assert.equal(await current(), "compose.override.yaml");
});

test("a project that cannot be planned says why and where", async () => {
  await put({ "compose.yaml": "services: {a: {image: x, secrets: [gone]}}" });
  await it.page.click("#tab-plan");
  assert.match(await it.page.locator("#plan .note").textContent(), /gone.*not define.*compose.yaml:1/s);
});

test("the resolved project is what Compose makes of the files; its values are shown only if asked for", async () => {
  await put({
    "compose.yaml": "services:\n  a:\n    image: app:${TAG:-1}\n    ports: ['${PORT}:80']\n    environment: {TOKEN: canary1, HOST: '${HOST}'}\n",
    "compose.override.yaml": "services: {a: {restart: always}}\n",
    ".env": "PORT=8080\n",
  });
  await it.page.click("#tab-config");
  const resolved = it.page.locator("#resolved");
  await resolved.waitFor();
  const masked = await resolved.textContent();
  assert.match(masked, /TOKEN: redacted\n[^]*image: app:1\n[^]*published: "8080"\n[^]*restart: always\n/);
  assert.match(await it.page.locator("#unset").textContent(), /Without a value here: HOST\./);
  await it.page.check("#values");
  await it.page.locator("#resolved", { hasText: "TOKEN: canary1" }).waitFor();
  assert.match(await resolved.textContent(), /published: "8080"\n/);
  await tab("compose.yaml").click();
  await content().focus();
  await it.page.keyboard.press("Control+Home");
  await it.page.keyboard.type("name: shop\n");
  await it.page.locator("#resolved", { hasText: "name: shop" }).waitFor();
});

test("what Compose would refuse is said, and a click leads to its place", async () => {
  for (const [text, says, what] of [
    ["services:\n  a:\n    imgae: x\n", /knows no imgae/, "imgae"],
    ["services:\n  a:\n    image: x\n    ports: {a: b}\n", /ports must be a list/, "ports"],
    ["services:\n  a:\n    image: x\n    depends_on: [gone]\n", /gone/, "depends_on"],
    ["services:\n  a:\n    image: x:${TAG:?set it}\n", /TAG/, ""],
  ]) {
    await put({ "compose.yaml": text });
    await it.page.click("#tab-config");
    const refusal = it.page.locator("#config .note.error");
    await refusal.filter({ hasText: says }).waitFor();
    assert.equal(await it.page.locator("#resolved").count(), 0);
    await refusal.locator("button").click();
    assert.match(await selected(), new RegExp(what));
  }
});

test("all rules can be read in place", async () => {
  await it.page.click("#tab-rules");
  assert.ok((await it.page.locator("#rules li").count()) >= 14);
  await it.page.locator('[data-rule="secret-unused"]').click();
  await it.page.locator("#page h3", { hasText: "Why is this bad" }).waitFor();
  await it.page.locator("#page button", { hasText: "All rules" }).click();
  assert.equal(await it.page.locator("#rules").isVisible(), true);
});

test("reports can be saved as SARIF, JSON and Markdown, and hold no value", async () => {
  await put({ "compose.yaml": ONE });
  for (const [label, name, check] of [
    ["SARIF", "cosec.sarif", (text) => assert.equal(JSON.parse(text).runs[0].results[0].ruleId, "inline-password")],
    ["JSON", "cosec.json", (text) => assert.equal(JSON.parse(text).findings.length, 1)],
    ["Markdown", "cosec.md", (text) => assert.match(text, /# cosec: 1 finding[^]*API_TOKEN: \*\*\*/)],
  ]) {
    const download = it.page.waitForEvent("download");
    await choose("#export", label);
    const file = await download;
    assert.equal(file.suggestedFilename(), name);
    const text = readFileSync(await file.path(), "utf8");
    check(text);
    assert.ok(!text.includes("canary1"));
  }
});

test("a link without values is made on demand only, shown before, and opens as the same project", async () => {
  const address = it.page.url();
  await put({ "compose.yaml": ONE + " # canary2", ".env": "DB_PASSWORD=canary3", id_rsa: "canary4" });
  await it.page.click("#share");
  await it.page.locator("dialog[open]").waitFor();
  assert.match(await it.page.locator("#redacted").textContent(), /API_TOKEN: redacted[^]*DB_PASSWORD=redacted/);
  assert.match(await it.page.locator("dialog").textContent(), /Not in it: id_rsa/);
  assert.ok(!(await it.page.locator("dialog").textContent()).includes("canary"));
  const link = await it.page.inputValue("#link");
  assert.ok(link.startsWith(`${address}#share=1.`));
  assert.equal(it.page.url(), address);
  await it.page.keyboard.press("Escape");
  const requests = it.requests;
  await open({ url: link });
  await cameWithLink();
  assert.deepEqual(await files(), {
    "compose.yaml": "services:\n  a:\n    image: x\n    environment:\n      API_TOKEN: redacted\n",
    ".env": "DB_PASSWORD=redacted\n",
  });
  await settled("1 error, 1 warning.");
  assert.ok([...requests, ...it.requests].every((url) => !new URL(url).hash.includes("canary")));
});

test("a link that is broken, or unfolds to gigabytes, opens nothing and says so", async () => {
  const bomb = await it.page.evaluate(async () => {
    const stream = new Blob([new Uint8Array(8 << 20)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
    return btoa(String.fromCharCode(...new Uint8Array(await new Response(stream).arrayBuffer())));
  });
  for (const fragment of ["#share=1.AAAA", "#share=1.%%%", `#share=1.${bomb}`]) {
    await open({ url: it.address + fragment });
    assert.equal(await tab("compose.override.yaml").count(), 1);
    await it.page.locator("#notice", { hasText: "This link is broken" }).waitFor();
    assert.deepEqual(it.complaints, []);
  }
});

test("a link holds no key that was pasted without quotes, and no value that stands in a key", async () => {
  const text = "services:\n  a:\n    image: x\n    environment:\n      '${V:-canary1}': x\n      'canary2 canary2': y\n    command: echo canary3\n";
  await put({ "compose.yaml": text, ".env": "A=1\nKEY=-----BEGIN KEY-----\nMIIEcanary4\ncanary5==\n-----END KEY-----\n", ".gitignore": "# canary6\n*.txt\n" });
  await it.page.click("#share");
  await it.page.locator("dialog[open]").waitFor();
  assert.ok(!(await it.page.textContent("dialog")).includes("canary"));
  await open({ url: await it.page.inputValue("#link") });
  await cameWithLink();
  const came = await files();
  assert.ok(Object.keys(came).length === 3 && !JSON.stringify(came).includes("canary"));
});

test("a link of many files has them all, and of too much there is none", async () => {
  await put(Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`s${at}/compose.yaml`, "services: {a: {image: x}}\n"])));
  await it.page.click("#share");
  await it.page.locator("dialog[open]").waitFor();
  await open({ url: await it.page.inputValue("#link") });
  await cameWithLink();
  assert.equal(Object.keys(await files()).length, 150);
  const lines = Array.from({ length: 60_000 }, (_, at) => `      VARIABLE_${at}: value`).join("\n");
  await put({ "compose.yaml": `services:\n  a:\n    image: x\n    environment:\n${lines}\n` });
  await it.page.click("#share");
  await it.page.locator("dialog[open] .note.error", { hasText: "more than a link takes" }).waitFor();
  assert.equal(await it.page.locator("#link").count(), 0);
});

test("where nothing can be shared that is said, and there is no link", async () => {
  await put({ id_rsa: "canary", "compose.yaml": "a: [" });
  await it.page.click("#share");
  await it.page.locator("dialog[open] .note.error", { hasText: "nothing to share" }).waitFor();
  assert.equal(await it.page.locator("#link").count(), 0);
  assert.ok(!(await it.page.textContent("dialog")).includes("canary"));
});

test("what the eye sees of a finding is said: F8 speaks, what is not valid is a stop, severity is a word", async () => {
  await put({ "compose.yaml": ONE, "b-compose.yaml": "a: [" });
  await settled("1 error. 1 file is not valid.");
  const said = it.page.locator("#announcement");
  await content().focus();
  await it.page.keyboard.press("F8");
  await said.filter({ hasText: /^error, compose\.yaml, line 1: .*API_TOKEN/ }).waitFor();
  await it.page.keyboard.press("F8");
  assert.equal(await current(), "b-compose.yaml");
  await said.filter({ hasText: /^error, b-compose\.yaml, line/ }).waitFor();
  assert.ok(!(await said.textContent()).includes("canary1"));
  assert.equal(await it.page.locator("#list .severity", { hasText: "error" }).count(), 2);
  await put({ "compose.yaml": "services: {a: {image: x}}" });
  await content().focus();
  await it.page.keyboard.press("Control+.");
  await it.page.locator("#notice", { hasText: "nothing to do in this line" }).waitFor();
  assert.match(await it.page.textContent(".footer"), /Escape then Tab leaves the editor/);
});

test("F8 says all that is found at a place, not only the first", async () => {
  await put({ "compose.yaml": "services: {a: {image: x, environment: {DB_PASSWORD: changeme}}}" });
  await content().focus();
  await it.page.keyboard.press("F8");
  await it.page.locator("#announcement", { hasText: /^error, compose\.yaml, line 1: .*\. warning: .*/ }).waitFor();
});

test("where the browser has no clipboard, that is said and the text can be taken by hand", async () => {
  await it.page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await it.page.click("#share");
  await it.page.locator("#copy").click();
  await it.page.locator("#copy", { hasText: "Press Ctrl C" }).waitFor();
  await focusIn("#link");
  await it.page.keyboard.press("Escape");
  await it.page.click("#tab-config");
  await it.page.locator("#resolved").waitFor();
  await it.page.click("#copy-config");
  await it.page.locator("#notice", { hasText: "does not let this page copy" }).waitFor();
});

test("hover names the rule once", async () => {
  await marks().first().hover();
  const tooltip = it.page.locator(".cm-tooltip").first();
  await tooltip.waitFor();
  assert.equal(await tooltip.locator("*", { hasText: /^inline-password$/ }).count(), 1);
});

test("F8 shows in the list and below the editor what it has come to, and the focus stays in the text", async () => {
  await it.page.setViewportSize({ width: 1440, height: 420 });
  await content().focus();
  const now = it.page.locator("#list > [aria-current=true]");
  const seen = [];
  // Two of the nine stand at one place.
  for (let step = 0; step < 8; step++) {
    await it.page.keyboard.press("F8");
    assert.equal(await now.count(), 1);
    const [entry, panel] = [await now.boundingBox(), await it.page.locator("#panel-findings").boundingBox()];
    assert.ok(entry.y + 20 >= panel.y && entry.y < panel.y + panel.height, `step ${step}: ${entry.y} in ${panel.y} and ${panel.height}`);
    seen.push(await now.textContent());
    await it.page.locator("#part:not(:empty)").waitFor();
  }
  assert.equal(new Set(seen).size, 8);
  assert.ok(await content().evaluate((content) => content.getRootNode().activeElement === content));
});

test("values that were asked for in one project are hidden in the next", async () => {
  await put({ "compose.yaml": ONE });
  await it.page.click("#tab-config");
  await it.page.check("#values");
  await it.page.locator("#resolved", { hasText: "canary1" }).waitFor();
  await put({ "compose.yaml": ONE.replace("canary1", "canary2") });
  await it.page.locator("#resolved", { hasText: "API_TOKEN" }).waitFor();
  assert.equal(await it.page.isChecked("#values"), false);
  assert.doesNotMatch(await it.page.locator("#resolved").textContent(), /canary/);
});

/** The address of a link with these entries. */
const linkOf = (entries, address) =>
  it.page.evaluate(
    async ([entries, address]) => {
      const stream = new Blob([JSON.stringify(entries)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
      const letters = String.fromCharCode(...new Uint8Array(await new Response(stream).arrayBuffer()));
      return `${address}#share=1.${btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
    },
    [entries, address],
  );

test("what is written into the files of a link is there after a reload, not the link's files again", async () => {
  const link = await linkOf([["compose.yaml", ONE]], it.address);
  await open({ url: link });
  await cameWithLink();
  assert.doesNotMatch(await it.page.textContent("#notice"), /taken out/);
  assert.equal(it.page.url(), link);
  await it.page.check("#remember");
  assert.equal(it.page.url(), it.address);
  await content().click();
  await it.page.keyboard.type("# mine");
  await it.page.waitForFunction(() => localStorage.getItem("cosec.files")?.includes("mine"));
  await it.page.reload();
  await report();
  assert.match((await files())["compose.yaml"], /mine/);
});

test("a link's page from the disk leaves the link, too, once somebody writes", async () => {
  const address = pathToFileURL(join(dist, "cosec.html")).href;
  await open({ url: await linkOf([["compose.yaml", ONE]], address) });
  await cameWithLink();
  await content().click();
  await it.page.keyboard.type("# mine");
  assert.equal(it.page.url(), address);
  assert.deepEqual(it.complaints, []);
});

test("a link of which one file would hide another opens nothing", async () => {
  for (const path of ["compose.yaml", "./compose.yaml", " "]) {
    await open({ url: await linkOf([["compose.yaml", ONE], [path, "services: {}"]], it.address) });
    await it.page.locator("#notice", { hasText: "This link is broken" }).waitFor();
  }
});

test("files that are none are refused, and what was there stays", async () => {
  await put({ "compose.yaml": ONE });
  for (const wrong of [null, undefined, "compose.yaml", [null], [{ path: "a" }], [{ path: "compose.yaml", text: "" }, { text: "x" }]]) {
    const error = await it.page.locator("cosec-linter").evaluate((element, wrong) => {
      try {
        element.files = wrong;
      } catch (error) {
        return [error.name, error.message];
      }
    }, wrong);
    assert.equal(error?.[0], "TypeError", JSON.stringify(wrong));
    assert.match(error[1], /`files/);
  }
  assert.deepEqual(await files(), { "compose.yaml": ONE });
});

test("a file that is not valid counts as found, and the plan says why in words", async () => {
  await put({ "compose.yaml": "services:\n  a: [\n" });
  assert.equal(await it.page.locator("#tab-findings").textContent(), "Findings 1");
  await put({ "compose.yaml": "services:\n  a:\n    image: x\n    secrets: [nope]\n" });
  await it.page.click("#tab-plan");
  await it.page.locator("#plan .error").waitFor();
  assert.doesNotMatch(await it.page.textContent("#plan"), /`/);
  assert.match(await it.page.locator("#plan .error code").allTextContents().then((all) => all.join()), /nope/);
});

test("a finding of a Dockerfile can be ignored with a comment, between the lines of an instruction, too, but not in a heredoc", async () => {
  const offered = async (text) => {
    await put({ Dockerfile: text });
    await content().focus();
    await it.page.keyboard.press("ControlOrMeta+Home");
    await it.page.keyboard.press("F8");
    await it.page.keyboard.press("Control+.");
    const items = await it.page.locator(".popup [role=menuitem]", { hasText: "Ignore" }).all();
    return items[0];
  };
  for (const text of ["FROM x\nRUN mysql -pcanary9x7\n", "FROM x\nENV A=1 \\\n    DB_PASSWORD=canary9x7\n"]) {
    await (await offered(text)).click();
    await settled("Nothing found.");
  }
  assert.equal(await offered("FROM x\nRUN <<E\nexport DB_PASSWORD=canary9x7\nE\n"), undefined);
});

test("the menu of new files offers a Compose file that another one includes", async () => {
  await put({ "compose.yaml": "include: [other/compose.yaml]\nservices: {a: {image: x}}\n" });
  await it.page.click("#add");
  const asked = it.page.locator(".menu:not([hidden]) [role=menuitem]", { hasText: "asked for" });
  assert.deepEqual(await asked.locator("span").allTextContents(), ["other/.env", "other/compose.yaml"]);
});

test("where the browser's picker of folders fails there is the other way, and a folder that cannot be read is said", async () => {
  await it.page.evaluate(() => {
    window.showDirectoryPicker = () => Promise.reject(new DOMException("no", "SecurityError"));
  });
  const chooser = it.page.waitForEvent("filechooser");
  await choose("#open", "Folder");
  await chooser;
  await it.page.evaluate(() => {
    const handle = {
      name: "shop",
      async *[Symbol.asyncIterator]() {
        yield ["compose.yaml", { kind: "file", getFile: async () => new Blob(["services: {a: {image: x}}"]) }];
        throw new DOMException("no", "NotReadableError");
      },
    };
    window.showDirectoryPicker = async () => handle;
  });
  await choose("#open", "Folder");
  await it.page.locator("#notice", { hasText: "shop/ (this folder, or a part of it, cannot be read)" }).waitFor();
  assert.deepEqual(await files(), { "compose.yaml": "services: {a: {image: x}}" });
});
