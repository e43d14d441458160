// The page: the element, and a copy of the page's own files for when there is no network.
import "./closed";
import { define } from "./app/element";

define();
void offline();

/** Only the page that a server has beside it has that script. Once it is asked for, the page may start no script of its
 * server's at all: a worker's address could carry something out. */
async function offline(): Promise<void> {
  const script = document.documentElement.dataset["offline"];
  if (script && "serviceWorker" in navigator && location.protocol.startsWith("http")) {
    await navigator.serviceWorker.register(script).catch(() => undefined);
  }
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "worker-src blob:";
  document.head.append(policy);
}
