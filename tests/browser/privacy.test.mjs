// What is put into the page stays in it: the policy, the network, the disk, the worker, the time without a network.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { content, dist, inBrowser, it, open, paste, put, report, settled, until } from "./harness.mjs";

inBrowser();
beforeEach(() => open());

const SECRET = "services: {a: {image: x, environment: {API_TOKEN: canary8}}}";
const FROM_DISK = pathToFileURL(join(dist, "cosec.html")).href;

/** Uses everything that could tempt a page to talk. */
async function work() {
  await put({ "compose.yaml": SECRET, ".env": "A=1\n" });
  await paste(`${SECRET} # more`);
  await settled("1 error.");
  await it.page.locator("#list .rule").first().click();
  await it.page.locator("#page h2").waitFor();
  await it.page.click("#tab-plan");
  await it.page.click("#share");
  await it.page.locator("dialog[open]").waitFor();
  await it.page.keyboard.press("Escape");
}

const kept = () =>
  it.page.evaluate(async () => ({
    local: { ...localStorage },
    session: sessionStorage.length,
    cookies: document.cookie,
    databases: (await indexedDB.databases?.())?.length ?? 0,
  }));
const NOTHING = { local: {}, session: 0, cookies: "", databases: 0 };

test("nothing but the page's own files is asked for, and nothing at all once it is loaded", async () => {
  await it.page.evaluate(() => navigator.serviceWorker.ready);
  assert.ok(it.requests.every((url) => url.startsWith(it.address) || url.startsWith("blob:") || url.startsWith("data:")), it.requests.join("\n"));
  const before = it.requests.length;
  await work();
  await it.page.waitForTimeout(300);
  assert.deepEqual(it.requests.slice(before).filter((url) => !url.startsWith("blob:")), []);
});

test("nothing is kept, and what is kept for the time without a network is the page alone", async () => {
  await it.page.evaluate(() => navigator.serviceWorker.ready);
  await work();
  assert.deepEqual(await kept(), NOTHING);
  const cached = await it.page.evaluate(async () => {
    const texts = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) texts.push([request.url, await (await cache.match(request)).text()]);
    }
    return texts;
  });
  assert.equal(cached.length, 1);
  assert.ok(cached.every(([url, text]) => !url.includes("#") && !text.includes("canary8")));
});

test("files are kept when asked for, come back, and are gone when no longer asked for", async () => {
  await put({ "compose.yaml": "" });
  await it.page.check("#remember");
  await paste(SECRET);
  await it.page.waitForFunction(() => localStorage.getItem("cosec.files")?.includes("canary8"));
  await it.page.reload();
  await settled("1 error.");
  assert.match(await content().textContent(), /canary8/);
  await it.page.uncheck("#remember");
  assert.deepEqual(await kept(), NOTHING);
});

test("the page's policy names no other place, and forbids every connection, from the worker too", async () => {
  for (const url of [it.address, FROM_DISK]) {
    await open({ url });
    const policy = await it.page.getAttribute('meta[http-equiv="Content-Security-Policy"]', "content");
    assert.match(policy, /^default-src 'none';/);
    assert.match(policy, /connect-src 'none'/);
    // Style attributes are the browser's own: it writes them when it replaces what is selected in the editor.
    assert.doesNotMatch(policy, /(script|style)-src [^;]*'(unsafe-(inline|eval)|self)'|https?:|\*/);
    const fromPage = await it.page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "sent", () => "refused"));
    assert.equal(fromPage, "refused");
    const toItself = await it.page.evaluate(() => fetch(location.href).then(() => "sent", () => "refused"));
    assert.equal(toItself, "refused");
    assert.ok(it.complaints.some((text) => text.includes("Content Security Policy")), it.complaints.join("\n"));
    const fromWorker = await it.page.evaluate(
      () =>
        new Promise((resolve) => {
          const source = `addEventListener("securitypolicyviolation", (event) => postMessage(event.effectiveDirective)); fetch("http://127.0.0.1:9/").catch(() => {});`;
          const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
          worker.onmessage = ({ data }) => resolve(data);
        }),
    );
    assert.equal(fromWorker, "connect-src");
  }
});

/** Tries them all, in the page. */
const tempt = async () => {
  const at = (way) => new URL(`?${way}=canary`, location.href).href;
  const add = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
  const ways = {
    script: (url) => add("script", { src: url }),
    module: (url) => add("script", { src: url, type: "module" }),
    import: (url) => import(url).catch(() => {}),
    style: (url) => add("link", { rel: "stylesheet", href: url }),
    imported: (url) => add("style", { textContent: `@import "${url}"` }),
    prefetch: (url) => add("link", { rel: "prefetch", href: url }),
    preload: (url) => add("link", { rel: "preload", as: "script", href: url }),
    modulepreload: (url) => add("link", { rel: "modulepreload", href: url }),
    icon: (url) => add("link", { rel: "icon", href: url }),
    manifest: (url) => add("link", { rel: "manifest", href: url }),
    worker: (url) => new Worker(url),
    shared: (url) => new SharedWorker(url),
    service: (url) => navigator.serviceWorker.register(url).catch(() => {}),
    img: (url) => add("img", { src: url }),
    video: (url) => add("video", { src: url }),
    frame: (url) => add("iframe", { src: url }),
    object: (url) => add("object", { data: url }),
    font: (url) => new FontFace("x", `url(${url})`).load().catch(() => {}),
    fetch: (url) => fetch(url).catch(() => {}),
    beacon: (url) => navigator.sendBeacon(url, "canary"),
    socket: (url) => new WebSocket(url.replace("http", "ws")),
    events: (url) => new EventSource(url),
  };
  for (const [name, way] of Object.entries(ways)) {
    try {
      way(at(name));
    } catch {
      // Refused at once.
    }
  }
};

/** The last of them: where it is allowed it puts an end to the page, and to all others. */
const submit = () => {
  const form = Object.assign(document.createElement("form"), { action: new URL("?form=canary", location.href).href, method: "post", target: "_self" });
  document.body.append(form);
  form.submit();
};

test("no way that a page has of asking its server for something carries a word out", async () => {
  await it.page.evaluate(() => navigator.serviceWorker.ready);
  await it.page.locator('meta[content="worker-src blob:"]').waitFor({ state: "attached" });
  // At the server itself: what the browser reports is not all that it sends.
  const asked = [];
  it.server.listen((url) => url.includes("canary") && asked.push(url));
  await it.page.evaluate(tempt);
  await it.page.evaluate(submit);
  await it.page.waitForTimeout(1000);
  assert.deepEqual(asked, []);
  // Without the policy they do: the ways are ways.
  await open({ bypassCSP: true, serviceWorkers: "block" });
  await it.page.evaluate(tempt);
  await until(() => asked.length >= 15, "fifteen requests");
  await it.page.evaluate(submit).catch(() => undefined);
  await until(() => asked.some((url) => url.includes("form=canary")), "the form");
});

/** Asks for the way from outside to here, as a call would: each question is a packet to the server of `port`. */
const call = async (port) => {
  const Connection = window.RTCPeerConnection ?? window.webkitRTCPeerConnection;
  if (!Connection) return "there is none";
  const connection = new Connection({ iceServers: [{ urls: `stun:127.0.0.1:${port}` }] });
  connection.createDataChannel("canary");
  await connection.setLocalDescription(await connection.createOffer());
  return "called";
};

test("no call carries a word out: what the browser's policy does not forbid is not in the page", async () => {
  const socket = createSocket("udp4");
  let heard = 0;
  socket.on("message", () => heard++);
  await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve));
  try {
    const { port } = socket.address();
    for (const url of [it.address, FROM_DISK]) {
      await open({ url });
      assert.equal(await it.page.evaluate(call, port), "there is none");
      assert.equal(await it.page.evaluate(() => typeof WebTransport), "undefined");
      const isBack = await it.page.evaluate(() => Reflect.deleteProperty(window, "RTCPeerConnection") || Reflect.defineProperty(window, "RTCPeerConnection", { value: 1 }));
      assert.equal(isBack, false);
    }
    await it.page.waitForTimeout(500);
    assert.equal(heard, 0);
    // A page beside this one does: the way is a way.
    await it.page.goto(`${it.address}none`);
    assert.equal(await it.page.evaluate(call, port), "called");
    await until(() => heard > 0, "a packet");
  } finally {
    socket.close();
  }
});

test("from the disk nothing is kept, as other pages there share what is, and that is said", async () => {
  await open({ url: FROM_DISK });
  assert.equal(await it.page.locator("#remember").count(), 0);
  assert.match(await it.page.textContent("#not-kept"), /not kept: other pages on this disk could read it/);
});

test("a page that is open goes on working when a newer one has taken its place", async () => {
  await it.page.evaluate(() => navigator.serviceWorker.ready);
  await put({ "compose.yaml": SECRET });
  await it.page.evaluate(async () => {
    for (const name of await caches.keys()) await caches.delete(name);
  });
  await it.context.setOffline(true);
  const download = it.page.waitForEvent("download");
  await it.page.click("#export");
  await it.page.locator(".menu:not([hidden]) [role=menuitem]", { hasText: "zip" }).click();
  assert.equal((await download).suggestedFilename(), "compose-project.zip");
  await it.page.click("#tab-config");
  await it.page.locator("#resolved").waitFor();
});

test("it opens again when the network is gone", async () => {
  await it.page.evaluate(() => navigator.serviceWorker.ready);
  await it.context.setOffline(true);
  for (const url of [it.address, `${it.address}index.html`]) {
    await it.page.goto(url);
    await report();
    await put({ "compose.yaml": SECRET });
    await settled("1 error.");
  }
});

test("one file on the disk is the whole page", async () => {
  await open({ url: FROM_DISK });
  await work();
  assert.deepEqual(it.complaints, []);
  assert.deepEqual(it.requests.filter((url) => !url.startsWith("blob:") && !url.startsWith("data:")), [FROM_DISK]);
});

test("no field and no panel that shows the files is offered to the browser's spell check, memory or translation", async () => {
  await content().click();
  await it.page.keyboard.press("ControlOrMeta+f");
  for (const name of ["search", "replace"]) {
    const field = it.page.locator(`.cm-search input[name=${name}]`);
    await field.click();
    const kept = await field.evaluate(({ spellcheck, autocomplete, translate }) => ({ spellcheck, autocomplete, translate }));
    assert.deepEqual(kept, { spellcheck: false, autocomplete: "off", translate: false });
  }
  for (const box of ["#editor", "#tabs", "#notice", "#panel-findings", "#panel-plan", "#panel-config"]) assert.equal(await it.page.locator(box).evaluate((element) => element.closest("[translate=no]") !== null), true, box);
});
