// What a fix would do, as a diff, before it is done.
import type { Fixed, Place } from "../core/types";
import { diff, type Run } from "./diff";
import { h } from "./dom";
import { capital, inline } from "./markdown";

/** Lines around a change that say where it is. */
const AROUND = 2;

type Change = Fixed["files"][number];

/** Shows a fix, or why there is none. Resolves to whether it is to be done. */
export function fixDialog(root: ShadowRoot, title: string, fixed: Fixed, isNew: (path: string) => boolean, show: (place: Place) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const can = fixed.files.length > 0;
    const apply = h("button", { type: "button", id: "apply", className: "primary" }, "Apply");
    const cancel = h("button", { type: "button" }, can ? "Cancel" : "Close");
    const isUnsafe = fixed.fixes.some((fix) => fix.kind === "unsafe");
    const said = (text: string, className = "") => {
      const line = h("p", { className });
      inline(line, text);
      return line;
    };
    const sentence = (text: string) => capital(text) + (/[.!?]$/.test(text) ? "" : ".");
    // Several findings may be one fix.
    const titles = [...new Set(fixed.fixes.map((fix) => sentence(fix.title)))];
    const notes = [...new Set(fixed.fixes.flatMap((fix) => fix.notes))];
    const refused = fixed.refused.map((refusal) => {
      const place = h("button", { type: "button", className: "small" }, `${refusal.place.file}:${refusal.place.line}`);
      place.addEventListener("click", () => {
        dialog.close();
        show(refusal.place);
      });
      return h("div", { className: "note" }, said(`\`${refusal.rule}\` has to be fixed by hand: ${refusal.reason}`), place);
    });
    const dialog = h(
      "dialog",
      { id: "fix", translate: false, aria: { labelledby: "fix-title", describedby: "fix-notes" } },
      h("h2", { id: "fix-title" }, title),
      h(
        "div",
        { id: "fix-notes" },
        ...titles.map((text) => said(text)),
        isUnsafe && h("p", { className: "caution" }, h("strong", {}, "This changes how the stack runs. "), "Look at it before you apply it."),
        ...notes.map((note) => said(sentence(note), "fine")),
      ),
      ...fixed.files.map((file) => fileDiff(file, isNew(file.path))),
      ...refused,
      can && h("p", { className: "fine" }, "Only the tabs here change. Export, then “These files as zip”, takes them to your disk."),
      h("div", { className: "buttons" }, can && apply, cancel),
    );
    let answer = false;
    apply.addEventListener("click", () => {
      answer = true;
      dialog.close();
    });
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    root.append(dialog);
    dialog.showModal();
    // What changes how the stack runs is not to be one key away.
    (can && !isUnsafe ? apply : cancel).focus();
  });
}

function fileDiff(file: Change, isNew: boolean): HTMLElement {
  const box = h("pre", { className: "diff", tabIndex: 0, aria: { label: `Changes in ${file.path}` } });
  box.setAttribute("role", "region");
  if (file.secret) box.append(line("new", "the value alone; it is not shown here"));
  else box.append(...diff(...file.shown).flatMap((run, at, all) => rows(run, at > 0, at < all.length - 1)));
  return h("figure", {}, h("figcaption", {}, h("code", {}, file.path), isNew && h("span", { className: "fine" }, " a new file")), box);
}

function rows(run: Run, after: boolean, before: boolean): HTMLElement[] {
  const texts = run.lines.map((text) => text.replace(/\n$/, ""));
  if (run.kind !== "same") return texts.map((text) => line(run.kind, text));
  const [head, tail] = [after ? texts.slice(0, AROUND) : [], before ? texts.slice(-AROUND) : []];
  if (head.length + tail.length >= texts.length) return texts.map((text) => line("same", text));
  return [...head.map((text) => line("same", text)), line("gap", "⋯"), ...tail.map((text) => line("same", text))];
}

const SIGNS = { gone: "−", new: "+", same: " ", gap: " " };
const WORDS = { gone: "removed: ", new: "added: ", same: "", gap: "" };

function line(kind: keyof typeof SIGNS, text: string): HTMLElement {
  const words = WORDS[kind];
  return h("span", { className: kind }, h("span", { className: "sign", aria: { hidden: "true" } }, SIGNS[kind]), words !== "" && h("span", { className: "unseen" }, words), h("bdi", {}, text), "\n");
}
