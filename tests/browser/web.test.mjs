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

/** The first line that comes; it may come in pieces. */
const line = (stream) =>
  new Promise((resolve) => {
    let text = "";
    stream.on("data", (piece) => {
      text += piece;
      if (text.includes("\n")) resolve(text.trim());
    });
  });

before(async () => {
  const path = process.env.COSEC_WEB ?? join(root, "target", "debug", "cosec");
  assert.ok(existsSync(path), "the program is built first: cargo build -p cosec --features web");
  program = spawn(path, ["web"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((_, reject) => {
    program.once("exit", (code) => reject(new Error(`cosec web ended with ${code}; it must be built with --features web`)));
  });
  address = await Promise.race([line(program.stdout), ended]);
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

test("it stands at the same port each time, so that what was kept is there; a second one says that it does not", async () => {
  const start = () => {
    const child = spawn(process.env.COSEC_WEB ?? join(root, "target", "debug", "cosec"), ["web"], { stdio: ["ignore", "pipe", "pipe"] });
    const said = line(child.stdout);
    const warned = line(child.stderr);
    return { child, said, warned };
  };
  const second = start();
  try {
    // The first one of this file has the usual port, unless something else on this machine does.
    assert.notEqual(await second.said, "http://127.0.0.1:26732/");
    assert.match(await second.warned, /port 26732 is taken/);
  } finally {
    second.child.kill();
  }
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
