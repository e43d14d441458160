// The line below the editor: where the cursor is, in which language, and what is found there, or what a file is for that
// is not linted.
import type { Report } from "../core/types";
import { h } from "./dom";
import type { Editor } from "./editor";
import { languageOf } from "./languages";

/** Typing has marks to wait for; the cursor's line and column come after them. */
const AFTER_MS = 30;

/** What files are for that are not linted. */
const OF_ITSELF: Record<string, string> = {
  ".gitignore": "stands in for git",
  ".dockerignore": "counts for the Dockerfiles that are built beside it",
  "cosec.toml": "how the files beside and below it are linted",
};

export class PlaceLine {
  readonly #cursor = h("span", { id: "cursor" });
  readonly #language = h("span", { id: "language" });
  readonly #part = h("span", { id: "part" });
  readonly box = h("div", { id: "place" }, this.#cursor, this.#language, this.#part);
  #timer: ReturnType<typeof setTimeout> | undefined;

  renderSoon(editor: () => Editor, report: () => Report | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.render(editor(), report()), AFTER_MS);
  }

  render(editor: Editor, report: Report | undefined): void {
    const { state } = editor.view;
    const head = state.selection.main.head;
    const line = state.doc.lineAt(head);
    this.#cursor.textContent = `${line.number}:${head - line.from + 1}`;
    this.#language.textContent = languageOf(editor.path).label;
    const { from, to } = state.selection.main;
    const found = editor.marks().filter((mark) => mark.from <= from && mark.to >= to);
    const said = found.map(({ message }) => message.replaceAll("`", "")).join("; ");
    this.#part.textContent = said || state.doc.length === 0 ? said : partOf(editor.path, report);
    this.#part.title = said;
  }
}

/** What a file that is not linted is for, or why it is not. */
function partOf(path: string, report: Report | undefined): string {
  if (!report || report.linted.includes(path)) return "";
  if (report.ignored.includes(path)) return "covered by .gitignore: not linted";
  if (report.excluded.includes(path)) return "left out by cosec.toml: not linted";
  if (report.read.includes(path)) return "read by another file";
  const own = OF_ITSELF[path.slice(path.lastIndexOf("/") + 1)];
  return own ?? "neither a Compose file, nor an env file, nor a Dockerfile: read only where another file asks for it";
}
