// What a link would carry, shown before there is one.
import type { TextFile } from "../core/types";
import { h } from "./dom";
import { encode } from "./share";

export async function shareDialog(root: ShadowRoot, files: TextFile[], redact: (path: string, text: string) => Promise<string | undefined>): Promise<void> {
  const shared: TextFile[] = [];
  const left: string[] = [];
  for (const { path, text } of files) {
    const redacted = text.trim() === "" ? undefined : await redact(path, text).catch(() => undefined);
    if (redacted === undefined) left.push(path);
    else shared.push({ path, text: redacted });
  }
  const link = h("input", { id: "link", readOnly: true, aria: { label: "Link" } });
  const copy = h("button", { type: "button", id: "copy", className: "primary" }, "Copy link");
  const close = h("button", { type: "button" }, "Close");
  const preview = h("pre", { id: "redacted", tabIndex: 0, aria: { label: "What the link holds" } });
  preview.setAttribute("role", "region");
  preview.textContent = shared.map(({ path, text }) => `── ${path}\n${text}`).join("\n");
  const dialog = h(
    "dialog",
    { aria: { labelledby: "share-title" } },
    h("h2", { id: "share-title" }, "Share without the values"),
    h("p", {}, "Comments are gone, and every value but names and paths has been replaced, here in the page. This is all that the link holds; it is in the part behind ", h("code", {}, "#"), ", which browsers send to no server."),
    left.length > 0 && h("p", { className: "fine" }, `Not in it: ${left.join(", ")}.`),
    preview,
    shared.length > 0 && link,
    h("div", { className: "buttons" }, shared.length > 0 && copy, close),
  );
  const address = location.href.replace(/#.*/, "");
  link.value = address + (await encode(shared));
  link.addEventListener("focus", () => link.select());
  copy.addEventListener("click", () => {
    link.select();
    navigator.clipboard.writeText(link.value).then(
      () => (copy.textContent = "Copied"),
      () => (copy.textContent = "Press Ctrl C"),
    );
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  root.append(dialog);
  dialog.showModal();
}
