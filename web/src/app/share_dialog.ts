// What a link would carry, shown before there is one.
import type { TextFile } from "../core/types";
import { copyText } from "./copy";
import { h } from "./dom";
import { MOD } from "./keys";
import { encode } from "./share";

export async function shareDialog(root: ShadowRoot, files: TextFile[], redact: (path: string, text: string) => Promise<string | undefined>): Promise<void> {
  const shared: TextFile[] = [];
  const left: string[] = [];
  for (const { path, text } of files) {
    const redacted = text.trim() === "" ? undefined : await redact(path, text).catch(() => undefined);
    if (redacted === undefined) left.push(path);
    else shared.push({ path, text: redacted });
  }
  const made = await encode(shared);
  const can = shared.length > 0 && "fragment" in made;
  const link = h("input", { id: "link", readOnly: true, aria: { label: "Link" } });
  const copy = h("button", { type: "button", id: "copy", className: "primary", aria: { live: "polite" } }, "Copy link");
  const close = h("button", { type: "button" }, "Close");
  const preview = h("pre", { id: "redacted", tabIndex: 0, aria: { label: "What the link holds" } });
  preview.setAttribute("role", "region");
  preview.textContent = shared.map(({ path, text }) => `── ${path}\n${text}`).join("\n");
  const dialog = h(
    "dialog",
    { translate: false, aria: { labelledby: "share-title" } },
    h("h2", { id: "share-title" }, "Share without the values"),
    h("p", {}, "Comments are gone, and all that is no known name or path has been replaced, here in the page. Names are yours: look at them. This is all that the link holds; it is in the part behind ", h("code", {}, "#"), ", which browsers send to no server."),
    left.length > 0 && h("p", { className: "fine" }, `Not in it: ${left.join(", ")}.`),
    shared.length === 0 ? h("p", { className: "note error" }, "There is nothing to share: only valid YAML, env files and ignore files can be written anew without their values.") : preview,
    "why" in made && h("p", { className: "note error" }, made.why),
    can && link,
    h("div", { className: "buttons" }, can && copy, close),
  );
  if ("fragment" in made) link.value = location.href.replace(/#.*/, "") + made.fragment;
  link.addEventListener("focus", () => link.select());
  copy.addEventListener("click", async () => {
    const isCopied = await copyText(link.value);
    copy.textContent = isCopied ? "Copied" : `Press ${MOD} C`;
    if (!isCopied) link.focus();
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  root.append(dialog);
  dialog.showModal();
}
