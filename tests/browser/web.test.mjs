// `cosec web`: the page out of the program, for this machine only.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inBrowser, it, open, put, root, settled } from "./harness.mjs";

inBrowser();

let program, address;

before(async () => {
  const path = process.env.COSEC_WEB ?? join(root, "target", "debug", "cosec");
  assert.ok(existsSync(path), "the program is built first: cargo build -p cosec --features web");
  program = spawn(path, ["web"], { stdio: ["ignore", "pipe", "inherit"] });
  address = await new Promise((resolve, reject) => {
    program.stdout.once("data", (line) => resolve(String(line).trim()));
    program.once("exit", (code) => reject(new Error(`cosec web ended with ${code}; it must be built with --features web`)));
  });
});
after(() => program?.kill());

const ask = (options) =>
  new Promise((resolve, reject) => {
    const sent = request(address, options, (response) => {
      response.resume();
      resolve([response.statusCode, response.headers]);
    });
    sent.on("error", reject);
    sent.end();
  });

test("the page comes out of the program and works as everywhere", async () => {
  await open({ url: address });
  await put({ "compose.yaml": "services: {a: {image: x, environment: {PASSWORD: hunter2}}}" });
  await settled("1 error.");
  assert.deepEqual(it.complaints, []);
});

test("it answers to loopback names and GET alone", async () => {
  const { host } = new URL(address);
  assert.match(host, /^127\.0\.0\.1:\d+$/);
  assert.equal((await ask({ headers: { host } }))[0], 200);
  assert.equal((await ask({ headers: { host: "evil.example" } }))[0], 421);
  assert.equal((await ask({ method: "POST", headers: { host } }))[0], 405);
  assert.equal((await ask({ path: "/etc/passwd", headers: { host } }))[0], 404);
  assert.equal((await ask({ headers: { host } }))[1]["x-frame-options"], "DENY");
});
