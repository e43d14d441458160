// <cosec-linter>: its life in a page, and what a page gives it and asks of it.
import type { Report, TextFile } from "../core/types";
import { compile } from "../core/wasm";
import styleText from "./element.css?inline";
import { EXAMPLE } from "./example";
import { personaOf } from "./findings_panel";
import { Parts } from "./parts";
import { decode } from "./share";

/** One module for all elements of a page. */
let compiled: Promise<WebAssembly.Module> | undefined;

const style = new CSSStyleSheet();
style.replaceSync(styleText);

/** Scripts give anything. */
function checked(files: unknown): TextFile[] {
  if (!Array.isArray(files)) throw new TypeError("`files` is a list of {path, text}.");
  return files.map((file: Partial<TextFile> | null | undefined, at): TextFile => {
    const { path, text } = file ?? {};
    if (typeof path !== "string" || typeof text !== "string") throw new TypeError(`\`files[${at}]\` lacks a \`path\` or a \`text\` that is a string.`);
    return { path, text };
  });
}

export class CosecLinter extends HTMLElement {
  static observedAttributes = ["persona"];

  readonly #root = this.attachShadow({ mode: "open" });
  #parts: Parts | undefined;

  /** All files as they stand, with the line breaks that they came with. */
  get files(): TextFile[] {
    return this.#parts?.files.written() ?? [];
  }

  /** Throws where these are no files; what was there stays then. */
  set files(files: TextFile[]) {
    this.#build().files.replaceAll(checked(files));
  }

  /** What was said last; it belongs to the files as they were then. */
  get report(): Report | undefined {
    return this.#parts?.report;
  }

  /** The report of the files as they are now, when it is known what can be fixed and all of it is shown; none where they
   * cannot be checked. It waits until the element is in a page. */
  checked(): Promise<Report | undefined> {
    return this.#build().checked();
  }

  connectedCallback(): void {
    const parts = this.#build();
    addEventListener("keydown", this.#keys);
    addEventListener("beforeunload", this.#guard);
    if (this.hasAttribute("share")) addEventListener("hashchange", this.#load);
    parts.kept.listen();
    compiled ??= compile();
    compiled.then(
      (module) => this.isConnected && parts.linter.start(module),
      () => parts.fail("The linter could not be loaded. Reload the page; if it stays so, this browser may lack WebAssembly."),
    );
  }

  /** It may come back, elsewhere in the page: the files and their undo stay. */
  disconnectedCallback(): void {
    removeEventListener("keydown", this.#keys);
    removeEventListener("beforeunload", this.#guard);
    removeEventListener("hashchange", this.#load);
    this.#parts?.kept.leave();
    this.#parts?.linter.stop();
  }

  attributeChangedCallback(_: string, __: string | null, value: string | null): void {
    if (this.#parts) this.#parts.persona = personaOf(value);
  }

  #build(): Parts {
    if (this.#parts) return this.#parts;
    this.#root.adoptedStyleSheets = [style];
    const parts = new Parts(this, this.#root);
    this.#parts = parts;
    this.#begin(parts);
    return parts;
  }

  /** The first files: what was kept, what the page gives, or the example. */
  #begin({ files, kept, remember }: Parts): void {
    const given = [...this.querySelectorAll<HTMLScriptElement>('script[type="text/plain"][data-path]')].map((script) => ({
      path: script.dataset["path"] ?? "compose.yaml",
      text: script.textContent.replace(/^\n/, ""),
    }));
    const stored = remember ? kept.take() : undefined;
    if (stored && remember) {
      remember.checked = true;
      files.replaceAll(stored, true);
    } else if (given.length > 0) files.replaceAll(given);
    else files.replaceAll(this.hasAttribute("example") ? EXAMPLE : []);
    if (this.hasAttribute("share")) this.#load();
  }

  /** Opens the files of a link, if the page's address is one. */
  readonly #load = (): void => {
    void decode(location.hash).then((files) => {
      const { notice, replacing } = this.#build();
      if (files === "broken") notice.say("This link is broken, or a part of it was cut off: nothing was opened.");
      else if (files) replacing.replace(files, "These files came with the link. Whoever made the link may have put anything in it.");
    });
  };

  /** Asks before what is nowhere else goes away. */
  readonly #guard = (event: BeforeUnloadEvent): void => {
    const parts = this.#parts;
    if (parts?.files.own && !parts.kept.on && parts.files.hasUnsaved) event.preventDefault();
  };

  /** F8 works wherever the focus is in here, and where it is nowhere. Other parts of a page have their own keys. */
  readonly #keys = (event: KeyboardEvent): void => {
    if (event.key !== "F8" || event.defaultPrevented) return;
    const isNowhere = event.target === document.body || event.target === document.documentElement;
    const isFirst = document.querySelector("cosec-linter") === this;
    if (!event.composedPath().includes(this) && !(isNowhere && isFirst)) return;
    // Behind a dialog nothing moves.
    if (this.#root.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.#parts?.jump(event.shiftKey ? -1 : 1);
  };
}

export function define(): void {
  if (!customElements.get("cosec-linter")) customElements.define("cosec-linter", CosecLinter);
}
