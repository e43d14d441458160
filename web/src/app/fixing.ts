// Fixes: shown first, done in all files they touch, and taken back as a whole.
import type { Linter } from "../core/linter";
import type { Finding, Fixed } from "../core/types";
import { h } from "./dom";
import { fixDialog } from "./fix_dialog";
import type { Kept } from "./kept";
import { MOD } from "./keys";
import type { Notice } from "./notice";
import type { OpenFiles } from "./open_files";

export class Fixing {
  readonly #root: ShadowRoot;
  readonly #files: OpenFiles;
  readonly #linter: Linter;
  readonly #kept: Kept;
  readonly #notice: Notice;
  readonly #leave: () => void;

  /** `leave` is where the focus goes when a fix is done: the editor. */
  constructor(root: ShadowRoot, files: OpenFiles, linter: Linter, kept: Kept, notice: Notice, leave: () => void) {
    this.#root = root;
    this.#files = files;
    this.#linter = linter;
    this.#kept = kept;
    this.#notice = notice;
    this.#leave = leave;
  }

  async fix({ file, rule, line, column }: Finding): Promise<void> {
    await this.#preview(`Fix ${rule}`, () => this.#linter.ask("fix", { path: file, wanted: { rule, line, column } }));
  }

  async fixSafe(): Promise<void> {
    await this.#preview("Fix what is safe to fix", () => this.#linter.ask("fix", "safe"));
  }

  /** Shows what would be done, and does it. Focus goes back to where it was, or to the editor. */
  async #preview(title: string, ask: () => Promise<Fixed>): Promise<void> {
    const before = new Map(this.#files.texts().map(({ path, text }) => [path, text]));
    const opener = this.#root.activeElement;
    const fixed = await ask().catch(() => undefined);
    // Other files may come at any time, by a drop.
    const isStale = () => this.#files.paths.length !== before.size || this.#files.texts().some(({ path, text }) => before.get(path) !== text);
    const refuse = () => this.#notice.say("The files have changed meanwhile, or cannot be read: nothing was fixed. Try again.");
    if (!fixed || isStale() || fixed.fixes.length + fixed.refused.length === 0) return refuse();
    const isNew = (path: string) => !this.#files.has(path);
    const goes = await fixDialog(this.#root, title, fixed, isNew, (place) => this.#files.reveal(place));
    if (goes && isStale()) refuse();
    else if (goes) this.#apply(fixed, before);
    else if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  }

  #apply(fixed: Fixed, before: Map<string, string>): void {
    for (const { path, text } of fixed.files) this.#files.rewrite(path, text);
    this.#files.own = true;
    this.#kept.soon();
    const made = fixed.files.map(({ path }) => path).filter((path) => !before.has(path));
    const undo = h("button", { type: "button", className: "small", id: "undo-fix", onclick: () => this.#undo(fixed, before) }, "Undo");
    const count = fixed.fixes.length;
    this.#notice.say(`${count === 1 ? "1 finding is" : `${count} findings are`} fixed${made.length > 0 ? `; new: ${made.join(", ")}` : ""}.`, undo);
    this.#leave();
  }

  /** All that a fix did, in all files, or nothing of it: half of it undone would leave a value in no file. */
  #undo(fixed: Fixed, before: Map<string, string>): void {
    const now = new Map(this.#files.texts().map(({ path, text }) => [path, text]));
    const changed = fixed.files.filter(({ path, text }) => now.get(path) !== text).map(({ path }) => path);
    if (changed.length > 0) {
      this.#notice.say(`Changed since, so all is left as it is: ${changed.join(", ")}. ${MOD} Z takes back what was done in one file.`);
      return this.#leave();
    }
    for (const { path } of fixed.files) {
      const old = before.get(path);
      if (old !== undefined) this.#files.rewrite(path, old);
      else this.#files.close(path);
    }
    this.#kept.soon();
    this.#notice.say("The fix is undone.");
    this.#leave();
  }
}
