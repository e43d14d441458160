// The wasm build and the program say the same of real files.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { root } from "./harness.mjs";

const corpus = join(root, "..", "shared", "corpus", "files");
const fallback = process.env.COSEC_CORPUS;
const files = [fallback, corpus].find((path) => path && existsSync(path));

test("the same findings as the program's, on real files", { skip: files ? false : "not run: there is no corpus beside the checkout" }, async () => {
  const { load } = await import(join(root, "web", "package", "dist", "package", "node.js"));
  const cosec = await load();
  const directory = mkdtempSync(join(tmpdir(), "cosec-corpus-"));
  try {
    cpSync(files, directory, { recursive: true });
    // A repository, so that .gitignore files count for the program as they do in the page.
    execFileSync("git", ["init", "--quiet", directory]);
    const program = process.env.COSEC_WEB ?? join(root, "target", "debug", "cosec");
    const run = spawnSync(program, ["lint", "--format", "json", "."], { cwd: directory, encoding: "utf8", maxBuffer: 1 << 28 });
    assert.notEqual(run.stdout, "", run.stderr);
    const native = JSON.parse(run.stdout);

    const texts = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(directory, join(entry.parentPath ?? entry.path, entry.name)))
      .filter((path) => !path.startsWith(".git/"))
      .map((path) => ({ path, text: readFileSync(join(directory, path), "utf8") }));
    const wasm = cosec.lint(texts);

    // What needs the disk or git: there the program knows, here it is said that it is not known.
    const needsMore = new Set(cosec.rules.filter((rule) => rule.needs !== "text").map((rule) => rule.id));
    const told = ({ findings }) => findings.filter((finding) => !needsMore.has(finding.rule)).map(({ excerpt, ...finding }) => finding);
    const [ours, theirs] = [told(wasm), told(native)];
    assert.ok(theirs.length > 100, `${theirs.length} findings`);
    assert.deepEqual(ours, theirs);
    const unread = ({ not_checked }) => not_checked.filter((entry) => entry.rule === "*" && !entry.reason.endsWith("Dockerfile: there is no disk here"));
    assert.deepEqual(unread(wasm), unread(native));
    console.log(`${texts.length} files, ${theirs.length} findings, all the same; apart: ${[...needsMore].join(", ")}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
