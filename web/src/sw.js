// The page without a network. It keeps the page, which is one file and asks for nothing more: a newer one can take its
// place while an older one is open.
const FILES = ["./"];
const CACHE = "cosec-__VERSION__";

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("cosec-") && name !== CACHE;
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const own = event.request.method === "GET" && url.href.startsWith(registration.scope);
  // The same page by its longer name.
  const asked = url.pathname.endsWith("/index.html") ? new URL("./", url).href : event.request;
  if (own) event.respondWith(caches.match(asked, { ignoreSearch: true, cacheName: CACHE }).then((found) => found ?? fetch(event.request)));
});
