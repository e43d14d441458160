// The files that are open: their texts with their undo, which of them is shown, and what the linter hears of them.
import type { EditorState, Text } from "@codemirror/state";
import type { Linter } from "../core/linter";
import type { FileFacts, Place, TextFile } from "../core/types";
import type { Editor } from "./editor";
import type { Candidate } from "./intake";
import { clean } from "./paths";
import { range } from "./positions";

const NOTHING_YET = { path: "compose.yaml", text: "" };

interface Tab {
  /** The state while another tab is shown. */
  state: EditorState;
  /** The file came with CRLF; the editor knows LF only. */
  crlf: boolean;
  /** Its text on the disk, if it came from there. */
  onDisk?: Text | undefined;
  /** It was found in a folder, and nobody has looked at it yet. */
  found?: Candidate | undefined;
}

export interface Heard {
  /** Another file is shown. */
  shown(): void;
  /** Files have come, gone or got other names or texts. */
  changed(): void;
  /** All of them have given way to others. */
  cleared(): void;
}

const hasCrlf = (text: string) => text.includes("\r\n");

export class OpenFiles {
  readonly #editor: Editor;
  readonly #linter: Linter;
  readonly #heard: Heard;
  #tabs = new Map<string, Tab>();
  #known = new Map<string, FileFacts>();
  /** Whether the texts are the user's own by now. */
  own = false;
  /** The other files of a folder, to be read when a file asks for them. */
  pool = new Map<string, Candidate>();

  constructor(editor: Editor, linter: Linter, heard: Heard) {
    this.#editor = editor;
    this.#linter = linter;
    this.#heard = heard;
  }

  // ---------------------------------------------------------------- what there is

  get current(): string {
    return this.#editor.path;
  }

  /** In the order of their tabs. */
  get paths(): string[] {
    return [...this.#tabs.keys()];
  }

  /** Files that are there and are not read. */
  get known(): string[] {
    return [...this.#known.keys()];
  }

  has(path: string): boolean {
    return this.#tabs.has(path);
  }

  isKnown(path: string): boolean {
    return this.#known.has(path);
  }

  /** Where a file came from that was found in a folder and not looked at. */
  foundAt(path: string): Candidate | undefined {
    return this.#tabs.get(path)?.found;
  }

  /** The texts as the editor and the linter know them. */
  texts(): TextFile[] {
    return [...this.#tabs].map(([path, tab]) => ({ path, text: this.#state(path, tab).doc.toString() }));
  }

  /** The texts as the disk knows them. */
  written(): TextFile[] {
    return this.texts().map(({ path, text }) => ({ path, text: this.#tabs.get(path)?.crlf ? text.replaceAll("\n", "\r\n") : text }));
  }

  isEmpty(path?: string): boolean {
    const paths = path === undefined ? this.paths : [path];
    return paths.every((path) => !this.#doc(path)?.length);
  }

  /** Whether there is something that is nowhere but here. */
  get hasUnsaved(): boolean {
    return this.paths.some((path) => {
      const text = this.#doc(path);
      return text && text.length > 0 && !this.#tabs.get(path)?.onDisk?.eq(text);
    });
  }

  /** Files without anything in them. Nothing is drawn for it: it is asked at each key. */
  blank(): Set<string> {
    const blank = (text: Text | undefined) => text !== undefined && text.length < 1000 && text.toString().trim() === "";
    return new Set(this.paths.filter((path) => blank(this.#doc(path))));
  }

  #doc(path: string): Text | undefined {
    return path === this.current ? this.#editor.doc : this.#tabs.get(path)?.state.doc;
  }

  #state(path: string, tab: Tab): EditorState {
    return path === this.current ? this.#editor.view.state : tab.state;
  }

  // ---------------------------------------------------------------- one file

  put({ path, text }: TextFile): void {
    const state = this.#editor.state(path, text);
    this.#tabs.set(path, { state, crlf: hasCrlf(text) });
    this.#known.delete(path);
    this.#linter.set(path, state.doc.toString());
  }

  /** A file that is there and is not read. */
  know(path: string, told: FileFacts): void {
    if (this.#tabs.has(path)) return;
    this.#known.set(path, told);
    this.#linter.know(path, told);
  }

  /** What these files are now is what the disk has. */
  areOnDisk(paths: string[]): void {
    for (const path of paths) {
      const tab = this.#tabs.get(path);
      if (tab) tab.onDisk = this.#doc(path);
    }
  }

  found(path: string, found: Candidate): void {
    const tab = this.#tabs.get(path);
    if (tab && path !== ".env" && !path.endsWith("/.env")) tab.found = found;
  }

  /** The user has typed into the file that is shown. */
  typed(text: string): void {
    this.own = true;
    this.#linter.set(this.current, text);
  }

  /** Gives a file another text, as one step of its undo. */
  rewrite(path: string, text: string): void {
    const tab = this.#tabs.get(path);
    if (!tab) {
      this.put({ path, text });
      return this.#heard.changed();
    }
    const transaction = this.#editor.rewrite(this.#state(path, tab), text);
    if (path === this.current) return this.#editor.view.dispatch(transaction);
    tab.state = transaction.state;
    this.#linter.set(path, tab.state.doc.toString());
  }

  /** A file from the disk among those that are here. Whether one of its name had another text. */
  join({ path, text }: TextFile): boolean {
    const tab = this.#tabs.get(path);
    if (!tab) {
      // The empty one that was there for want of any other gives way.
      if (this.has(NOTHING_YET.path) && this.isEmpty(NOTHING_YET.path)) this.drop(NOTHING_YET.path);
      this.put({ path, text });
      return false;
    }
    const before = this.#state(path, tab).doc.toString();
    const plain = text.replace(/\r\n?/g, "\n");
    tab.crlf = hasCrlf(text);
    if (before === plain) return false;
    this.rewrite(path, plain);
    return before !== "";
  }

  drop(path: string): void {
    this.#tabs.delete(path);
    this.#linter.remove(path);
    if (path === this.current) this.#editor.show("", this.#editor.state("", ""));
  }

  /** A new file, or the one of that name. */
  add(path: string): void {
    if (!this.#tabs.has(path)) {
      this.put({ path, text: "" });
      this.own = true;
    }
    this.show(path);
    this.#heard.changed();
  }

  close(path: string): void {
    const paths = this.paths;
    const next = paths[paths.indexOf(path) + 1] ?? paths[paths.indexOf(path) - 1];
    this.own = true;
    if (next === undefined) return this.replaceAll([]);
    if (path === this.current) this.show(next, false);
    this.#tabs.delete(path);
    this.#linter.remove(path);
    this.#heard.changed();
  }

  /** False where the name cannot be had. */
  rename(path: string, wanted: string): boolean {
    const tab = this.#tabs.get(path);
    if (!tab || wanted === "" || this.#tabs.has(wanted)) return false;
    const isShown = path === this.current;
    const state = this.#editor.renamed(this.#state(path, tab), wanted);
    // In its old place among the others.
    this.#tabs = new Map([...this.#tabs].map(([other, its]) => (other === path ? [wanted, { ...its, state }] : [other, its])));
    this.#linter.remove(path);
    this.#linter.set(wanted, state.doc.toString());
    if (isShown) {
      this.#editor.show(wanted, state);
      this.#heard.shown();
    }
    this.own = true;
    this.#heard.changed();
    return true;
  }

  // ---------------------------------------------------------------- all files

  #clear(): void {
    for (const path of [...this.#tabs.keys(), ...this.#known.keys()]) this.#linter.remove(path);
    this.#tabs = new Map();
    this.#known = new Map();
    this.pool = new Map();
    // What is shown belongs to none of the new ones, whatever their names.
    this.#editor.show("", this.#editor.state("", ""));
    this.#heard.cleared();
  }

  replaceAll(files: TextFile[], own = false): void {
    this.#clear();
    this.own = own;
    // A file needs a name.
    for (const { path, text } of files.length > 0 ? files : [NOTHING_YET]) this.put({ path: clean(path) || NOTHING_YET.path, text });
    const first = this.paths.find((path) => /compose/.test(path)) ?? this.paths[0];
    if (first !== undefined) this.show(first, false);
  }

  /** How to have the files back as they are now, with their undo; nothing where all are empty. */
  remembered(): (() => void) | undefined {
    if (this.isEmpty()) return undefined;
    const tabs = new Map([...this.#tabs].map(([path, tab]) => [path, { ...tab, state: this.#state(path, tab) }]));
    const [known, pool, own, shown] = [this.#known, this.pool, this.own, this.current];
    return () => {
      this.#clear();
      [this.#tabs, this.#known, this.pool, this.own] = [tabs, known, pool, own];
      for (const [path, { state }] of tabs) this.#linter.set(path, state.doc.toString());
      for (const [path, told] of known) this.#linter.know(path, told);
      this.show(shown);
    };
  }

  // ---------------------------------------------------------------- what is shown

  show(path: string, focus = true): void {
    const tab = this.#tabs.get(path);
    if (!tab) return;
    const before = this.#tabs.get(this.current);
    if (path !== this.current || !before) {
      const state = this.#editor.show(path, tab.state);
      if (before && before !== tab) before.state = state;
    }
    tab.found = undefined;
    this.#heard.shown();
    if (focus) this.#editor.focus();
  }

  reveal(place: Place): void {
    if (!this.#tabs.has(place.file)) return;
    this.show(place.file);
    const { from, to } = range(this.#editor.view.state.doc, place);
    this.#editor.select(from, to);
  }
}
