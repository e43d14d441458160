// The page: the element, and a copy of the page's own files for when there is no network.
import { define } from "./app/element";

define();
if (import.meta.env.PROD && !__SINGLE__ && "serviceWorker" in navigator && location.protocol.startsWith("http")) {
  void navigator.serviceWorker.register("./sw.js").catch(() => undefined);
}
