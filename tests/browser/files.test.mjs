// Several files: tabs, folders, and what one file says of another.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { choose, content, current, files, inBrowser, it, open, paste, put, report, settled, tab } from "./harness.mjs";

inBrowser();
beforeEach(() => open());

let folder;
const PASSWORD = "services: {db: {image: x, environment: {PASSWORD: hunter2}}}\n";

before(() => {
  folder = join(mkdtempSync(join(tmpdir(), "cosec-")), "shop");
  const texts = {
    "compose.yaml":
      "include: [db/stack.yaml]\nservices: {web: {build: ., secrets: [p, e, t, g, v], extends: {file: common/base.yml, service: base}}}\n" +
      "secrets: {p: {file: ./secrets/db_password}, e: {file: ./secrets/empty}, t: {file: ./secrets/tls.pem}, g: {file: ./secrets/gone}, v: {file: ./secrets/app.env}}\n",
    "db/stack.yaml": PASSWORD,
    "common/base.yml": "services: {base: {image: x, environment: {API_TOKEN: q9Zt-41x}}}\n",
    "deployment.yaml": "kind: Deployment\n",
    ".env": "A=1\r\nB=2\r\n",
    Dockerfile: "FROM scratch\nENV A=1\nCOPY . /app\n",
    "src/main.c": "int main;\n",
    id_rsa: "canary-key",
    ".npmrc": "_authToken=canary-npm",
    "secrets/tls.pem": "canary-pem\n",
    "secrets/db_password": "canary-db\n",
    "secrets/empty": "",
    "secrets/app.env": "A=canary-env",
    ".git/config": "[core]\n",
    "node_modules/x/docker-compose.yml": PASSWORD,
    "blob.env": Buffer.from([1, 2, 0, 3]),
    "latin.env": Buffer.from([0x41, 0x3d, 0xe9]),
    "huge-compose.yaml": "#".repeat(5 << 20),
  };
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
});
after(() => rmSync(dirname(folder), { recursive: true, force: true }));

const paths = async () => Object.keys(await files()).sort();
const found = async () => (await report()).findings.map(({ rule, file }) => `${file} ${rule}`).sort();

/** What every way to open a folder must come to. */
async function isTheFolder() {
  await settled("4 errors, 4 warnings, 1 note.");
  // Included and extended files have come after, because others asked for them; no secret's file has.
  assert.deepEqual(await paths(), [".env", "Dockerfile", "common/base.yml", "compose.yaml", "db/stack.yaml"]);
  assert.deepEqual(await found(), [
    "Dockerfile docker-copy-secret",
    "common/base.yml inline-password",
    ...Array(4).fill("compose.yaml secret-file-in-context"),
    "compose.yaml secret-file-missing",
    "compose.yaml secret-trailing-newline",
    "db/stack.yaml inline-password",
  ]);
  assert.match(await it.page.textContent("#known"), /Not read.*: \.npmrc, id_rsa, secrets\/app\.env, secrets\/db_password, secrets\/empty, secrets\/tls\.pem\./);
  const notice = await it.page.textContent("#notice");
  for (const said of ["node_modules/ (packages)", ".git/ (git's own files)", "blob.env (it is no text)", "latin.env (it is not UTF-8 text)", "huge-compose.yaml (5.0 MB"]) {
    assert.ok(notice.includes(said), `${said} is not in: ${notice}`);
  }
  await it.page.click("#add");
  assert.ok(!/db_password|tls|npmrc/.test(await it.page.locator(".menu:not([hidden])").textContent()));
  await it.page.keyboard.press("Escape");
  await it.page.check("#remember");
  await it.page.waitForFunction(() => localStorage.getItem("cosec.files"));
  const held = await it.page.evaluate(() => JSON.stringify(document.querySelector("cosec-linter").files) + localStorage.getItem("cosec.files") + document.querySelector("cosec-linter").shadowRoot.textContent);
  assert.ok(!held.includes("canary"));
}

test("a folder opens with what cosec looks at and with what that asks for; the rest is left out with a word", async () => {
  await it.page.setInputFiles("#choose-folder", folder);
  await isTheFolder();
  assert.equal(await current(), "compose.yaml");
});

test("of a folder with many files the outermost come first, and all can be picked by name", async () => {
  const many = join(mkdtempSync(join(tmpdir(), "cosec-many-")), "shop");
  try {
    for (const path of ["z/compose.yaml", "b/c/compose.yaml", "b/compose.yaml", "compose.yaml", ".env", "y/1/compose.yaml", "y/2/compose.yaml", "y/3/compose.yaml"]) {
      mkdirSync(dirname(join(many, path)), { recursive: true });
      writeFileSync(join(many, path), path === "y/3/compose.yaml" ? PASSWORD : "services: {a: {image: x}}\n");
    }
    await it.page.setInputFiles("#choose-folder", many);
    await settled("1 error.");
    assert.equal(await current(), "compose.yaml");
    const names = ["compose.yaml", "b/compose.yaml", "b/c/compose.yaml", "y/1/compose.yaml", "y/2/compose.yaml", "y/3/compose.yaml", "z/compose.yaml"];
    assert.deepEqual((await it.page.locator("#all-files option").allTextContents()).filter((name) => name !== ".env"), names.map((name) => (name.startsWith("y/3") ? `${name} (1)` : name)));
    await it.page.selectOption("#all-files", "y/3/compose.yaml");
    assert.equal(await current(), "y/3/compose.yaml");
    assert.match(await content().textContent(), /hunter2/);
  } finally {
    rmSync(dirname(many), { recursive: true, force: true });
  }
});

test("a folder can be dropped", async () => {
  const box = await it.page.locator("#editor").boundingBox();
  const session = await it.context.newCDPSession(it.page);
  const data = { items: [], files: [folder], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await session.send("Input.dispatchDragEvent", { type, x: box.x + 50, y: box.y + 50, data });
    if (type === "dragOver") await it.page.locator("#drop").waitFor();
  }
  await isTheFolder();
  await it.page.locator("#drop").waitFor({ state: "hidden" });
});

test("where the browser can pick a folder by itself, that is used", async () => {
  await it.page.evaluate(async () => {
    const top = await navigator.storage.getDirectory();
    const write = async (directory, name, text) => {
      const stream = await (await directory.getFileHandle(name, { create: true })).createWritable();
      await stream.write(text);
      await stream.close();
    };
    await write(top, "compose.yaml", "include: [inner/x.yaml]\n");
    const inner = await top.getDirectoryHandle("inner", { create: true });
    await write(inner, "x.yaml", "services: {a: {image: x, environment: {PASSWORD: hunter2}}}\n");
    await write(await top.getDirectoryHandle(".git", { create: true }), "compose.yaml", "");
    window.showDirectoryPicker = async () => top;
  });
  await choose("#open", "Folder");
  await settled("1 error.");
  assert.deepEqual(await paths(), ["compose.yaml", "inner/x.yaml"]);
  assert.match(await it.page.textContent("#notice"), /\.git/);
});

test("files can be dropped and join what is there; the editor's text stays as it was", async () => {
  await put({ "compose.yaml": PASSWORD });
  await paste(PASSWORD);
  const box = await it.page.locator("#editor").boundingBox();
  const session = await it.context.newCDPSession(it.page);
  const data = { items: [], files: [join(folder, "Dockerfile"), join(folder, "src", "main.c")], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await session.send("Input.dispatchDragEvent", { type, x: box.x + 50, y: box.y + 50, data });
  await tab("main.c").waitFor();
  assert.deepEqual(await paths(), ["Dockerfile", "compose.yaml", "main.c"]);
  await tab("compose.yaml").click();
  assert.equal((await content().textContent()).trim(), PASSWORD.trim());
});

test("chosen files become tabs, and take the example's place", async () => {
  await it.page.setInputFiles("#choose-files", [join(folder, "db/stack.yaml"), join(folder, "blob.env")]);
  await tab("stack.yaml").waitFor();
  assert.deepEqual(await paths(), ["stack.yaml"]);
  assert.match(await it.page.textContent("#notice"), /blob\.env/);
  await settled("1 error.");
  assert.deepEqual(await found(), ["stack.yaml inline-password"]);
});

test("an override file is merged, and a change in one tab is seen in the other's findings", async () => {
  await put({
    "compose.yaml": "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: S}}\n",
    "compose.override.yaml": "services: {b: {image: y, secrets: [t]}}\n",
  });
  assert.deepEqual(await found(), ["compose.override.yaml secret-undefined"]);
  await tab("compose.yaml").click();
  await paste("services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: S}, t: {environment: T}}\n");
  await settled("Nothing found.");
});

test(".gitignore stands in for git, and it is said that git itself was not asked", async () => {
  await put({ "compose.yaml": "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}\n" });
  await settled("Nothing found.");
  assert.match(await it.page.locator("#unchecked").textContent(), /git cannot be asked here/);
  await it.page.locator("#unchecked summary").click();
  await it.page.locator("#unchecked button", { hasText: "Add .gitignore" }).first().click();
  assert.equal(await current(), ".gitignore");
  await it.page.keyboard.type("*.key\n");
  await settled("1 error.");
  await it.page.keyboard.type("*.txt\n");
  await settled("Nothing found.");
  assert.match(await it.page.locator("#unchecked").textContent(), /only \.gitignore was read here/);
});

test("an env file that git ignores is not linted, and its tab says so", async () => {
  await put({ ".env": "DB_PASSWORD=hunter2\n", ".gitignore": "" });
  await settled("1 warning.");
  await tab(".gitignore").click();
  await it.page.keyboard.type(".env");
  await settled("All that is here, git ignores.");
  await tab(".env").click();
  assert.match(await it.page.textContent("#place"), /covered by \.gitignore/);
});

test("a file that is asked for and not here is said, and can be added", async () => {
  await put({ "compose.yaml": "services: {a: {extends: {file: base.yaml, service: b}, image: x}}\n" });
  // Nothing that is clean only because a part of it is away looks clean.
  await settled("Nothing found. 1 file that these ask for is not here.");
  await it.page.locator("#unchecked li", { hasText: "base.yaml" }).waitFor();
  await choose("#add", "base.yaml");
  assert.equal(await current(), "base.yaml");
  await it.page.keyboard.insertText("services: {b: {environment: {PASSWORD: hunter2}}}");
  await settled("1 error.");
  assert.deepEqual(await found(), ["base.yaml inline-password"]);
});

test("tabs: new, rename, close, and each has its own undo", async () => {
  await put({ "compose.yaml": PASSWORD });
  await choose("#add", ".env");
  await it.page.keyboard.insertText("A=1");
  await tab("compose.yaml").click();
  await content().focus();
  await it.page.keyboard.press("ControlOrMeta+Home");
  await it.page.keyboard.insertText("# top\n");
  await tab(".env").click();
  await it.page.keyboard.press("ControlOrMeta+z");
  assert.equal(await it.page.locator(".cm-placeholder").count(), 1);
  await tab("compose.yaml").click();
  assert.match(await content().textContent(), /# top/);

  await tab("compose.yaml").focus();
  await it.page.keyboard.press("F2");
  await it.page.keyboard.type("docker-compose.yml");
  await it.page.keyboard.press("Enter");
  assert.equal(await current(), "docker-compose.yml");
  assert.equal((await files())["docker-compose.yml"], `# top\n${PASSWORD}`);
  assert.deepEqual(await found(), ["docker-compose.yml inline-password"]);
  // Undo has survived the new name.
  await content().focus();
  await it.page.keyboard.press("ControlOrMeta+z");
  assert.doesNotMatch(await content().textContent(), /# top/);

  // A name that is taken cannot be had.
  await tab(".env").dblclick();
  await it.page.keyboard.type("docker-compose.yml");
  await it.page.keyboard.press("Enter");
  assert.equal(await it.page.locator(".rename").getAttribute("aria-invalid"), "true");
  for (const said of ["#notice", "#announcement"]) assert.match(await it.page.textContent(said), /There is a file docker-compose\.yml already; this one is still \.env/);
  await it.page.keyboard.press("Escape");
  await tab(".env").focus();
  await it.page.keyboard.press("Delete");
  assert.deepEqual(await paths(), ["docker-compose.yml"]);
  await it.page.locator('[aria-label="Close docker-compose.yml"]').click();
  assert.deepEqual(await paths(), ["compose.yaml"]);
  assert.deepEqual(await found(), []);
});

test("tabs: arrows go from file to file", async () => {
  await tab("compose.yaml").focus();
  await it.page.keyboard.press("ArrowRight");
  assert.equal(await current(), "compose.override.yaml");
  await it.page.keyboard.press("End");
  assert.equal(await current(), ".gitignore");
  await it.page.keyboard.press("ArrowRight");
  assert.equal(await current(), "compose.yaml");
});

test("each kind of file has its colours", async () => {
  await put({ "compose.yaml": "a: b # c\n", ".env": "# c\nA='b'\n", Dockerfile: "# c\nFROM x\n", ".gitignore": "# c\n*.b\n" });
  for (const path of ["compose.yaml", ".env", "Dockerfile", ".gitignore"]) {
    await tab(path).click();
    // The editor colours when it has a moment.
    await it.page.waitForFunction(() => {
      const spans = document.querySelector("cosec-linter").shadowRoot.querySelectorAll(".cm-line span");
      return new Set([...spans].map((span) => getComputedStyle(span).color)).size >= 2;
    });
  }
});

test("all files can be taken home as a zip, line ends as they came", async () => {
  await it.page.setInputFiles("#choose-folder", folder);
  await isTheFolder();
  const download = it.page.waitForEvent("download");
  await choose("#export", "zip");
  const bytes = readFileSync(await (await download).path());
  assert.equal(bytes.subarray(0, 2).toString(), "PK");
  const { unzipSync, strFromU8 } = await import(join(import.meta.dirname, "..", "..", "web", "node_modules", "fflate", "esm", "browser.js"));
  const packed = unzipSync(bytes);
  assert.deepEqual(Object.keys(packed).sort(), [".env", "Dockerfile", "common/base.yml", "compose.yaml", "db/stack.yaml"]);
  assert.equal(strFromU8(packed[".env"]), "A=1\r\nB=2\r\n");
});

test("what a folder holds of packages and of git's own does not use up the room for files", async () => {
  const many = join(mkdtempSync(join(tmpdir(), "cosec-many-")), "shop");
  try {
    for (let at = 0; at < 120; at++) {
      mkdirSync(join(many, "node_modules", `p${at}`), { recursive: true });
      for (let file = 0; file < 90; file++) writeFileSync(join(many, "node_modules", `p${at}`, `f${file}`), "");
    }
    writeFileSync(join(many, "zz-compose.yaml"), PASSWORD);
    await it.page.setInputFiles("#choose-folder", many);
    await settled("1 error.");
    assert.deepEqual(await paths(), ["zz-compose.yaml"]);
  } finally {
    rmSync(dirname(many), { recursive: true, force: true });
  }
});

test("a text that is no Compose file is not passed in silence, and is looked at as far as it goes", async () => {
  await put({ "compose.yaml": "image: x\nenvironment: {PASSWORD: hunter2}\n" });
  await settled("1 error. 1 file is not valid.");
  assert.match(await it.page.textContent("#list"), /Compose refuses this file: it knows no image at the top/);
  await put({ "my-stack.yml": PASSWORD, "api/Dockerfile": "FROM x\nENV DB_PASSWORD=hunter2\n" });
  await settled("2 errors.");
  assert.match(await it.page.textContent("#list"), /ENV DB_PASSWORD=\*\*\*/);
});

test("a cosec.toml tab counts, and what is wrong in it is marked in it", async () => {
  await put({ "compose.yaml": PASSWORD });
  await choose("#add", "cosec.toml");
  await it.page.keyboard.insertText("[lint.rules]\ninline-password = 'warning'\n");
  await settled("1 warning.");
  assert.match(await it.page.textContent("#place"), /how the files beside and below it are linted/);
  await paste("[lint]\nexclude = ['compose.yaml']\n");
  await settled("All that is here, cosec.toml leaves out.");
  await paste("[lint]\npersonna = 'auditor'\n");
  await settled("1 error. 1 file is not valid.");
  assert.match(await it.page.textContent("#list"), /did you mean persona/);
  assert.match(await it.page.locator(".cm-lintRange-error").first().textContent(), /personna/);
});

test("a name that is written with ./ is the same name", async () => {
  await put({ "compose.yaml": PASSWORD });
  await tab("compose.yaml").focus();
  await it.page.keyboard.press("F2");
  await it.page.keyboard.type("./x-compose.yaml");
  await it.page.keyboard.press("Enter");
  assert.equal(await current(), "x-compose.yaml");
  await content().waitFor();
  assert.match(await content().textContent(), /PASSWORD/);
});

/** Puts a text in from the clipboard, over all that is there. */
async function pasteOver(text) {
  await content().click();
  await it.page.keyboard.press("ControlOrMeta+a");
  await content().evaluate((content, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    content.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}

test("what is pasted over the example is a project of its own, and the example can be brought back", async () => {
  const example = await files();
  await pasteOver(PASSWORD);
  await settled("1 error.");
  assert.deepEqual(await files(), { "compose.yaml": PASSWORD });
  await it.page.click("#bring-back");
  await settled("5 errors, 4 warnings.");
  assert.deepEqual(await files(), example);
});

test("what is typed over the example has none of the example's files beside it", async () => {
  await content().click();
  await it.page.keyboard.press("ControlOrMeta+a");
  await it.page.keyboard.type("s: 1");
  assert.deepEqual(await files(), { "compose.yaml": "s: 1" });
});

test("a file of the example that the user has changed stays when the others give way", async () => {
  await tab(".env").click();
  await content().click();
  await it.page.keyboard.press("ControlOrMeta+End");
  await it.page.keyboard.type("MINE=1");
  await tab("compose.yaml").click();
  await pasteOver(PASSWORD);
  assert.deepEqual(Object.keys(await files()), ["compose.yaml", ".env"]);
  await put({ "compose.yaml": PASSWORD, "compose.override.yaml": "services: {}\n" });
  await pasteOver("services: {}\n");
  assert.deepEqual(Object.keys(await files()), ["compose.yaml", "compose.override.yaml"]);
});
