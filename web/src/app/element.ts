// <cosec-linter>: files in tabs, the editor, and what the core says of them.
import type { EditorState } from "@codemirror/state";
import { strToU8, zipSync } from "fflate";
import { Linter } from "../core/linter";
import LinterWorker from "../core/linter.worker?worker&inline";
import type { Config, FileFacts, Finding, Fixed, Persona, Place, Report, ReportFormat, Rule, TextFile } from "../core/types";
import { compile } from "../core/wasm";
import { type Deeds, findingActions } from "./actions";
import { renderConfig } from "./config";
import { download, h, icon, menu, type MenuItem, popup } from "./dom";
import { Editor, type Mark } from "./editor";
import styleText from "./element.css?inline";
import { EXAMPLE } from "./example";
import { fixDialog } from "./fix_dialog";
import { type Filter, FindingsList, fixButton, passes, renderUnchecked, SEVERITIES, summary, UNSAFE } from "./findings";
import { type Candidate, facts, fromDrop, fromHandle, fromList, type Intake, isCredential, read } from "./intake";
import { Kept, notHere } from "./kept";
import { languageOf } from "./languages";
import { render as renderMarkdown } from "./markdown";
import { renderPlan } from "./plan";
import { clean, inArchive } from "./paths";
import { range } from "./positions";
import { decode } from "./share";
import { shareDialog } from "./share_dialog";
import { TabStrip } from "./tabs";

/** What files are for that are not linted. */
const OF_ITSELF: Record<string, string> = {
  ".gitignore": "stands in for git",
  ".dockerignore": "counts for the Dockerfiles that are built beside it",
  "cosec.toml": "how the files beside and below it are linted",
};

/** One module for all elements of a page. */
let compiled: Promise<WebAssembly.Module> | undefined;

const style = new CSSStyleSheet();
style.replaceSync(styleText);

const ANNOUNCE_AFTER_MS = 900;
/** Typing has marks to wait for; the cursor's line and column come after them. */
const PLACE_AFTER_MS = 30;

const PANELS = ["findings", "plan", "config", "rules"] as const;
type Panel = (typeof PANELS)[number];

const PERSONAS = [
  ["regular", "Everybody's rules"],
  ["pedantic", "Stricter rules too"],
  ["auditor", "Auditors' rules too"],
] as const;

/** The persona of an attribute that may say anything. */
const personaOf = (value: string | null): Persona => PERSONAS.find(([name]) => name === value)?.[0] ?? "regular";

const NOTHING_YET = { path: "compose.yaml", text: "" };

interface Tab {
  /** The state while another tab is shown. */
  state: EditorState;
  /** The file came with CRLF; the editor knows LF only. */
  crlf: boolean;
  /** It was found in a folder, and nobody has looked at it yet. */
  found?: Candidate | undefined;
}

const hasCrlf = (text: string) => text.includes("\r\n");

export class CosecLinter extends HTMLElement {
  static observedAttributes = ["persona"];

  #root = this.attachShadow({ mode: "open" });
  #tabs = new Map<string, Tab>();
  #editor!: Editor;
  #linter!: Linter;
  #strip!: TabStrip;
  #list!: FindingsList;
  #built = false;
  #report: Report | undefined;
  #rules: Rule[] = [];
  #pool = new Map<string, Candidate>();
  /** Files that are there and are not read. */
  #known = new Map<string, FileFacts>();
  #kept = new Kept(
    () => this.#written(),
    (message) => this.#say(message),
    () => this.#notKept(),
  );
  #filter: Filter = { hidden: new Set(), file: "", rule: "" };
  #panel: Panel = "findings";
  #project = "";
  #config: Config | undefined;
  /** Whether the texts are the user's own by now. */
  #own = false;
  #loading = false;
  #renderTimer: ReturnType<typeof setTimeout> | undefined;
  #placeTimer: ReturnType<typeof setTimeout> | undefined;
  #announceTimer: ReturnType<typeof setTimeout> | undefined;
  /** Brings back what was here before it was replaced. */
  #bringBack: (() => void) | undefined;

  /** All files as they stand, with the line breaks that they came with. */
  get files(): TextFile[] {
    return this.#built ? this.#written() : [];
  }

  set files(files: TextFile[]) {
    this.#build();
    this.#replaceAll(files);
  }

  /** What was said last; it belongs to the files as they were then. */
  get report(): Report | undefined {
    return this.#report;
  }

  connectedCallback(): void {
    this.#build();
    addEventListener("keydown", this.#keys);
    addEventListener("beforeunload", this.#guard);
    if (this.hasAttribute("share")) addEventListener("hashchange", this.#load);
    this.#kept.listen();
    compiled ??= compile();
    compiled.then(
      (module) => this.isConnected && this.#linter.start(module),
      () => this.#fail("The linter could not be loaded. Reload the page; if it stays so, this browser may lack WebAssembly."),
    );
  }

  /** It may come back, elsewhere in the page: the files and their undo stay. */
  disconnectedCallback(): void {
    removeEventListener("keydown", this.#keys);
    removeEventListener("beforeunload", this.#guard);
    removeEventListener("hashchange", this.#load);
    this.#kept.leave();
    this.#linter.stop();
  }

  attributeChangedCallback(_: string, __: string | null, value: string | null): void {
    if (!this.#built) return;
    const persona = personaOf(value);
    this.#linter.persona = persona;
    this.#pick<HTMLSelectElement>("#persona").value = persona;
  }

  // ---------------------------------------------------------------- what stands where

  #pick<E extends HTMLElement>(selector: string): E {
    const found = this.#root.querySelector<E>(selector);
    if (!found) throw new Error(`<cosec-linter> has no ${selector}`);
    return found;
  }

  #build(): void {
    if (this.#built) return;
    this.#built = true;
    this.#root.adoptedStyleSheets = [style];
    const share = this.hasAttribute("share");
    const remember = this.hasAttribute("remember");

    const openButton = h("button", { type: "button", id: "open" }, icon("open"), "Open", icon("chevron"));
    const exportButton = h("button", { type: "button", id: "export" }, icon("download"), "Export", icon("chevron"));
    const shareButton = h("button", { type: "button", id: "share" }, icon("link"), "Share");
    shareButton.addEventListener("click", () => void shareDialog(this.#root, this.#texts(), (path, text) => this.#linter.ask("redact", { path, text })));
    const chooseFiles = h("input", { type: "file", multiple: true, id: "choose-files", hidden: true, tabIndex: -1 });
    const chooseFolder = h("input", { type: "file", id: "choose-folder", hidden: true, tabIndex: -1 });
    chooseFolder.webkitdirectory = true;
    for (const input of [chooseFiles, chooseFolder]) {
      input.addEventListener("change", () => {
        if (input.files?.length) void fromList(input.files).then((intake) => this.#take(intake, input === chooseFolder));
        input.value = "";
      });
    }
    const toolbar = h(
      "div",
      { className: "toolbar" },
      h("slot", { name: "brand" }),
      h("div", { className: "buttons" }, menu(openButton, () => this.#openItems()), menu(exportButton, () => this.#exportItems()), share && shareButton),
      chooseFiles,
      chooseFolder,
    );

    const addButton = h("button", { type: "button", id: "add", className: "ghost", title: "New file", aria: { label: "New file" } }, icon("plus"));
    const renameButton = h("button", { type: "button", id: "rename", className: "ghost", title: "Rename (F2)", aria: { label: "Rename the file" } }, icon("pencil"));
    renameButton.addEventListener("click", () => this.#strip.edit(this.#editor.path));
    const strip = h("ul", { id: "tabs", aria: { label: "Files" } });
    const editorBox = h("div", { id: "editor" });
    const left = h(
      "section",
      { className: "left", aria: { label: "Editor" } },
      h("div", { className: "strip" }, strip, menu(addButton, () => this.#addItems()), renameButton),
      editorBox,
      h("div", { id: "place" }, h("span", { id: "cursor" }), h("span", { id: "language" }), h("span", { id: "part" })),
    );

    const panelTab = (panel: Panel, label: string) => {
      const tab = h("button", { type: "button", id: `tab-${panel}`, tabIndex: -1 }, label);
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", `panel-${panel}`);
      tab.addEventListener("click", () => this.#open(panel));
      return tab;
    };
    const panelBox = (panel: Panel, ...content: (Node | string)[]) => {
      const box = h("div", { id: `panel-${panel}`, className: "panel", hidden: true }, ...content);
      box.setAttribute("role", "tabpanel");
      box.setAttribute("aria-labelledby", `tab-${panel}`);
      return box;
    };
    const tablist = h("div", { className: "panel-tabs" }, panelTab("findings", "Findings"), panelTab("plan", "Plan"), panelTab("config", "Config"), panelTab("rules", "Rules"));
    tablist.setAttribute("role", "tablist");
    tablist.setAttribute("aria-label", "Results");
    tablist.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      this.#open(PANELS[(PANELS.indexOf(this.#panel) + step + PANELS.length) % PANELS.length] ?? "findings");
      this.#pick(`#tab-${this.#panel}`).focus();
    });

    const chips = SEVERITIES.map((severity) => {
      const chip = h("button", { type: "button", className: `chip ${severity}`, data: { severity } });
      chip.addEventListener("click", () => {
        if (!this.#filter.hidden.delete(severity)) this.#filter.hidden.add(severity);
        this.#render();
      });
      return chip;
    });
    const choice = (id: "file" | "rule", label: string) => {
      const select = h("select", { id: `filter-${id}`, aria: { label } });
      select.addEventListener("change", () => {
        this.#filter[id] = select.value;
        this.#render();
      });
      return select;
    };
    const persona = h(
      "select",
      { id: "persona", aria: { label: "Whose rules" } },
      ...PERSONAS.map(([value, label]) => h("option", { value }, label)),
    );
    persona.value = personaOf(this.getAttribute("persona"));
    persona.addEventListener("change", () => this.setAttribute("persona", persona.value));
    const status = h("p", { id: "summary" }, "Getting ready…");
    const announcement = h("p", { id: "announcement", className: "unseen" });
    announcement.setAttribute("role", "status");
    const findings = h("ol", { id: "list" });
    const unchecked = h("details", { id: "unchecked", hidden: true }, h("summary"), h("ul"), h("p", {}, "On your machine, ", h("code", {}, "cosec lint"), " asks git and the disk as well."));
    const project = () => {
      const select = h("select", { className: "project", aria: { label: "Project" }, hidden: true });
      select.addEventListener("change", () => {
        this.#project = select.value;
        this.#renderProject();
      });
      return select;
    };
    const values = h("input", { type: "checkbox", id: "values" });
    values.addEventListener("change", () => this.#renderProject());
    const copy = h("button", { type: "button", className: "small", id: "copy-config" }, "Copy");
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(this.#config?.text ?? "").then(
        () => this.#announce("Copied."),
        () => this.#say("The browser does not let this page copy; select the text instead."),
      );
    });
    const fixSafe = h("button", { type: "button", className: "small fix", id: "fix-safe", hidden: true });
    fixSafe.addEventListener("click", () => void this.#fixSafe());
    const right = h(
      "section",
      { className: "right", aria: { label: "Results" } },
      tablist,
      panelBox(
        "findings",
        h("div", { className: "head" }, h("div", { className: "summary" }, status, fixSafe), h("div", { className: "filters" }, ...chips, h("span", { className: "break" }), choice("file", "Of which file"), choice("rule", "Of which rule"), persona)),
        findings,
        h("p", { id: "known", className: "fine", hidden: true }),
        unchecked,
      ),
      panelBox("plan", project(), h("div", { id: "plan" })),
      panelBox("config", h("div", { className: "head config" }, project(), h("label", {}, values, " show values"), copy), h("div", { id: "config" })),
      panelBox("rules", h("ul", { id: "rules" }), h("article", { id: "page", tabIndex: -1, hidden: true, aria: { label: "Rule" } })),
    );

    const trouble = h("p", { id: "trouble", hidden: true });
    trouble.setAttribute("role", "alert");
    const notice = h("div", { id: "notice", hidden: true });
    notice.setAttribute("role", "status");
    const rememberBox = h("input", { type: "checkbox", id: "remember" });
    rememberBox.addEventListener("change", () => this.#remember(rememberBox.checked));
    const footer = h(
      "div",
      { className: "footer" },
      h("span", { className: "keys" }, h("kbd", {}, "F8"), " next finding ", h("kbd", {}, "Shift F8"), " previous ", h("kbd", {}, "Ctrl ."), " what to do ", h("kbd", {}, "Escape"), " then ", h("kbd", {}, "Tab"), " leaves the editor"),
      remember && (notHere ? h("span", { id: "not-kept" }, `Files are ${notHere}`) : h("label", {}, rememberBox, " keep these files in this browser")),
      h("span", {}, "cosec ", h("span", { id: "version" })),
    );
    const drop = h("div", { id: "drop", hidden: true }, "Drop files or a folder: they stay in this page");

    this.#root.replaceChildren(
      h("div", { className: "app" }, toolbar, h("slot", { name: "banner" }), notice, trouble, h("div", { className: "main" }, left, right), footer, announcement, drop),
    );

    this.#editor = new Editor(editorBox, this.#root, {
      changed: (text) => this.#changed(text.toString()),
      moved: () => {
        clearTimeout(this.#placeTimer);
        this.#placeTimer = setTimeout(() => this.#built && this.#renderPlace(), PLACE_AFTER_MS);
      },
      jump: (direction) => this.#jump(direction),
      actions: () => this.#actions(),
    });
    this.#strip = new TabStrip(strip, {
      select: (path) => this.#show(path),
      close: (path) => this.#close(path),
      rename: (path, to) => this.#rename(path, to),
      leave: () => this.#editor.view.focus(),
    });
    this.#list = new FindingsList(findings, this.#listActions());
    this.#linter = new Linter(() => new LinterWorker(), {
      ready: (version, rules) => {
        this.#pick("#version").textContent = version;
        this.#rules = rules;
        this.#renderRules();
      },
      report: (report) => this.#receive(report),
      failed: (message) => this.#fail(message),
    });
    this.#linter.persona = persona.value as Persona;
    this.#drops(drop);
    this.#open("findings");
    this.#begin();
    new ResizeObserver(() => this.#panel === "plan" && this.#renderProject()).observe(right);
  }

  #begin(): void {
    const given = [...this.querySelectorAll<HTMLScriptElement>('script[type="text/plain"][data-path]')].map((script) => ({
      path: script.dataset["path"] ?? "compose.yaml",
      text: script.textContent.replace(/^\n/, ""),
    }));
    const stored = this.hasAttribute("remember") && !notHere ? this.#kept.take() : undefined;
    if (stored) {
      this.#pick<HTMLInputElement>("#remember").checked = true;
      this.#replaceAll(stored);
      this.#own = true;
    } else if (given.length > 0) this.#replaceAll(given);
    else this.#replaceAll(this.hasAttribute("example") ? EXAMPLE : []);
    if (this.hasAttribute("share")) this.#load();
  }

  /** Opens the files of a link, if the page's address is one. */
  readonly #load = (): void => {
    void decode(location.hash).then((files) => {
      if (files === "broken") this.#say("This link is broken, or a part of it was cut off: nothing was opened.");
      else if (files) this.#replace(files, "These files came with the link. Their values were taken out before it was made.");
    });
  };

  // ---------------------------------------------------------------- files

  #state(path: string, tab: Tab): EditorState {
    return path === this.#editor.path ? this.#editor.view.state : tab.state;
  }

  /** The texts as the editor and the linter know them. */
  #texts(): TextFile[] {
    return [...this.#tabs].map(([path, tab]) => ({ path, text: this.#state(path, tab).doc.toString() }));
  }

  /** The texts as the disk knows them. */
  #written(): TextFile[] {
    return this.#texts().map(({ path, text }) => ({ path, text: this.#tabs.get(path)?.crlf ? text.replaceAll("\n", "\r\n") : text }));
  }

  #put({ path, text }: TextFile): void {
    this.#tabs.set(path, { state: this.#editor.state(path, text), crlf: hasCrlf(text) });
    this.#known.delete(path);
    this.#linter.set(path, this.#tabs.get(path)?.state.doc.toString() ?? "");
  }

  #know(path: string, told: FileFacts): void {
    if (this.#tabs.has(path)) return;
    this.#known.set(path, told);
    this.#linter.know(path, told);
  }

  #found(path: string, found: Candidate): void {
    const tab = this.#tabs.get(path);
    if (tab && path !== ".env" && !path.endsWith("/.env")) tab.found = found;
  }

  #clear(): void {
    for (const path of [...this.#tabs.keys(), ...this.#known.keys()]) this.#linter.remove(path);
    this.#tabs = new Map();
    this.#known = new Map();
    this.#pool = new Map();
    this.#filter = { hidden: new Set(), file: "", rule: "" };
    // What is shown belongs to none of the new ones, whatever their names.
    this.#editor.show("", this.#editor.state("", ""));
  }

  #replaceAll(files: TextFile[]): void {
    this.#clear();
    this.#own = false;
    for (const file of files.length > 0 ? files : [NOTHING_YET]) this.#put({ ...file, path: clean(file.path) });
    const first = [...this.#tabs.keys()].find((path) => /compose/.test(path)) ?? [...this.#tabs.keys()][0];
    if (first !== undefined) this.#show(first, false);
  }

  /** All files give way to others: what was the user's own can be brought back, and what the browser keeps of it stays
   * until the user writes something else. */
  #replace(files: TextFile[], message: string): void {
    const back = this.#own ? this.#remembered() : undefined;
    this.#replaceAll(files);
    this.#offer(back && this.#kept.on ? `${message} What is kept changes when you write here.` : message, back);
  }

  /** The files as they are now, with their undo, to be brought back. */
  #remembered(): (() => void) | undefined {
    if (this.#texts().every(({ text }) => text === "")) return undefined;
    const tabs = new Map([...this.#tabs].map(([path, tab]) => [path, { ...tab, state: this.#state(path, tab) }]));
    const [known, pool, own, shown] = [this.#known, this.#pool, this.#own, this.#editor.path];
    return () => {
      this.#clear();
      [this.#tabs, this.#known, this.#pool, this.#own] = [tabs, known, pool, own];
      for (const [path, { state }] of tabs) this.#linter.set(path, state.doc.toString());
      for (const [path, told] of known) this.#linter.know(path, told);
      this.#show(shown);
      this.#kept.soon();
    };
  }

  /** Says what has been done, and how to have it back as it was. */
  #offer(message: string, back: (() => void) | undefined): void {
    this.#bringBack = back;
    if (!back) return this.#say(message);
    const undo = h("button", { type: "button", className: "small", id: "bring-back" }, "Bring back what was here");
    undo.addEventListener("click", () => this.#undoReplacing());
    this.#say(message, undo);
  }

  #undoReplacing(): void {
    const back = this.#bringBack;
    const now = this.#own ? this.#remembered() : undefined;
    back?.();
    this.#offer("It is back.", now);
  }

  /** What came from the disk. A folder is a project of its own, files join what is there. */
  async #take(intake: Intake, alone: boolean): Promise<void> {
    const isNothing = intake.files.length + intake.known.size === 0;
    const back = this.#own ? this.#remembered() : undefined;
    const said: string[] = [];
    if (!isNothing) {
      if (alone || !this.#own) {
        this.#replaceAll(intake.files);
        this.#pool = intake.pool;
        for (const [path, candidate] of intake.found) this.#found(path, candidate);
      } else {
        const changed = intake.files.filter((file) => this.#join(file));
        if (changed.length > 0) said.push(`Now as on the disk: ${changed.map(({ path }) => path).join(", ")}; Ctrl Z there takes it back.`);
        for (const [path, candidate] of intake.pool) this.#pool.set(path, candidate);
      }
      for (const [path, told] of intake.known) this.#know(path, told);
      this.#own = true;
      const first = intake.files.find((file) => /compose/.test(file.path)) ?? intake.files[0];
      if (first) this.#show(clean(first.path));
      this.#kept.soon();
    }
    const out = intake.skipped.map(({ path, why }) => `${path} (${why})`);
    if (isNothing) said.push("Nothing in it that cosec looks at.");
    if (out.length > 0) said.push(`Left out: ${out.slice(0, 8).join(", ")}${out.length > 8 ? ` and ${out.length - 8} more` : ""}.`);
    const replaced = alone && !isNothing ? back : undefined;
    if (replaced) said.unshift("The folder has taken the place of what was here.");
    if (replaced || said.length > 0) this.#offer(said.join(" "), replaced);
    else this.#say("");
  }

  /** A file from the disk among those that are here. Whether one of its name had another text. */
  #join({ path, text }: TextFile): boolean {
    const tab = this.#tabs.get(path);
    if (!tab) {
      // The empty one that was there for want of any other gives way.
      for (const [other, its] of this.#tabs) if (this.#state(other, its).doc.length === 0 && other === NOTHING_YET.path) this.#drop(other);
      this.#put({ path, text });
      return false;
    }
    const before = this.#state(path, tab).doc.toString();
    const plain = text.replace(/\r\n?/g, "\n");
    tab.crlf = hasCrlf(text);
    if (before === plain) return false;
    this.#rewrite(path, plain);
    return before !== "";
  }

  #drop(path: string): void {
    this.#tabs.delete(path);
    this.#linter.remove(path);
    if (path === this.#editor.path) this.#editor.show("", this.#editor.state("", ""));
  }

  /** Files of an opened folder that others ask for become tabs of their own; secrets' files are not read. */
  async #fetchWanted(report: Report): Promise<void> {
    const isFound = report.secret_files.some((path) => this.#tabs.get(path)?.found);
    if (this.#loading || (this.#pool.size === 0 && !isFound)) return;
    this.#loading = true;
    const pool = this.#pool;
    // What looked like variables and is a secret's file is none of the page's.
    for (const path of report.secret_files) {
      const found = this.#tabs.get(path)?.found;
      const told = found && this.#tabs.size > 1 && (await facts(found));
      if (!told || path === this.#editor.path || pool !== this.#pool) continue;
      this.#drop(path);
      this.#know(path, told);
      this.#kept.soon();
    }
    const take = async <T>(paths: string[], get: (candidate: Candidate) => Promise<T>, use: (path: string, content: T) => void) => {
      for (const path of paths) {
        const candidate = pool.get(path);
        if (!candidate || this.#tabs.has(path)) continue;
        const content = await get(candidate);
        // Other files may have come meanwhile.
        if (pool === this.#pool) use(path, content);
      }
    };
    await take(report.wanted_facts.filter((path) => !this.#known.has(path)), facts, (path, told) => told && this.#know(path, told));
    await take(report.wanted.filter((path) => !isCredential(path)), read, (path, content) => {
      pool.delete(path);
      if ("text" in content) this.#put({ path, text: content.text });
      else this.#say(`Left out: ${path} (${content.why})`);
    });
    this.#loading = false;
    this.#renderTabs();
    // What was said meanwhile may ask for more.
    if (this.#report && this.#report !== report) void this.#fetchWanted(this.#report);
  }

  #show(path: string, focus = true): void {
    const tab = this.#tabs.get(path);
    if (!tab) return;
    const before = this.#tabs.get(this.#editor.path);
    if (path !== this.#editor.path || !before) {
      const state = this.#editor.show(path, tab.state);
      if (before && before !== tab) before.state = state;
    }
    tab.found = undefined;
    this.#mark();
    this.#renderTabs();
    this.#renderPlace();
    if (focus) this.#editor.view.focus();
  }

  #add(path: string, text = ""): void {
    if (!this.#tabs.has(path)) {
      this.#put({ path, text });
      this.#own = true;
    }
    this.#show(path);
  }

  #close(path: string): void {
    const paths = [...this.#tabs.keys()];
    const next = paths[paths.indexOf(path) + 1] ?? paths[paths.indexOf(path) - 1];
    const tab = this.#tabs.get(path);
    const isEmpty = !tab || this.#state(path, tab).doc.length === 0;
    const back = isEmpty ? undefined : this.#remembered();
    this.#own = true;
    if (next === undefined) {
      this.#replaceAll([]);
    } else {
      if (path === this.#editor.path) this.#show(next, false);
      this.#tabs.delete(path);
      this.#linter.remove(path);
      if (this.#filter.file === path) this.#filter.file = "";
      this.#renderTabs();
    }
    this.#kept.soon();
    if (back) this.#offer(`${path} is closed.`, back);
    this.#strip.focus(this.#editor.path);
  }

  /** False where the name cannot be had. */
  #rename(path: string, wanted: string): boolean {
    const tab = this.#tabs.get(path);
    if (!tab || wanted === "" || this.#tabs.has(wanted)) return false;
    const shown = path === this.#editor.path;
    const state = this.#editor.renamed(this.#state(path, tab), wanted);
    // In its old place among the others.
    this.#tabs = new Map([...this.#tabs].map(([other, its]) => (other === path ? [wanted, { ...its, state }] : [other, its])));
    this.#linter.remove(path);
    this.#linter.set(wanted, state.doc.toString());
    if (shown) {
      this.#editor.show(wanted, state);
      this.#renderPlace();
    }
    this.#own = true;
    this.#renderTabs();
    this.#kept.soon();
    return true;
  }

  #changed(text: string): void {
    this.#own = true;
    this.#linter.set(this.#editor.path, text);
    this.#kept.soon();
  }

  // ---------------------------------------------------------------- what the browser keeps, if asked to

  #remember(on: boolean): void {
    this.#kept.switch(on);
    this.#say(on ? "These files are kept in this browser, passwords included, until you take the mark away." : "");
  }

  /** Another window has put an end to it. */
  #notKept(): void {
    this.#pick<HTMLInputElement>("#remember").checked = false;
    this.#say("Another window of this page no longer keeps files in this browser; neither does this one.");
  }

  readonly #guard = (event: BeforeUnloadEvent): void => {
    if (this.#own && !this.#kept.on && this.#texts().some((file) => file.text !== "")) event.preventDefault();
  };

  // ---------------------------------------------------------------- results

  #receive(whole: Report): void {
    const report = this.#withoutBlank(whole);
    this.#report = report;
    this.#pick("#trouble").hidden = true;
    // Marks first, they are what one looks at while typing; lists when the browser has drawn them.
    this.#mark();
    this.dispatchEvent(new CustomEvent("cosec-report", { detail: report, bubbles: true, composed: true }));
    clearTimeout(this.#renderTimer);
    this.#renderTimer = setTimeout(() => this.#render());
    clearTimeout(this.#announceTimer);
    this.#announceTimer = setTimeout(() => this.#announce(summary(report)), ANNOUNCE_AFTER_MS);
    void this.#fetchWanted(report);
  }

  /** A file without anything in it is not wrong yet: somebody has just made it. */
  #withoutBlank(report: Report): Report {
    const blank = new Set<string>();
    for (const [path, tab] of this.#tabs) {
      const text = path === this.#editor.path ? this.#editor.doc : tab.state.doc;
      if (text.length < 1000 && text.toString().trim() === "") blank.add(path);
    }
    if (blank.size === 0) return report;
    const holds = ({ file }: { file: string }) => !blank.has(file);
    const linted = report.linted.filter((path) => !blank.has(path));
    return { ...report, linted, errors: report.errors.filter(holds), not_checked: report.not_checked.filter(holds) };
  }

  /** What was said of an earlier text says nothing of this one. */
  #fail(message: string): void {
    const trouble = this.#pick("#trouble");
    trouble.textContent = message;
    trouble.hidden = false;
    this.#report = undefined;
    clearTimeout(this.#renderTimer);
    clearTimeout(this.#announceTimer);
    this.#pick("#summary").textContent = "Not checked.";
    this.#pick("#tab-findings").textContent = "Findings";
    for (const chip of this.#root.querySelectorAll(".chip")) chip.replaceChildren("–");
    for (const id of ["#list", "#plan", "#config"]) this.#pick(id).replaceChildren();
    for (const id of ["#fix-safe", "#unchecked", "#known"]) this.#pick(id).hidden = true;
    this.#mark();
    this.#renderTabs();
  }

  #announce(message: string): void {
    this.#pick("#announcement").textContent = message;
  }

  #say(message: string, ...more: HTMLButtonElement[]): void {
    const notice = this.#pick("#notice");
    notice.hidden = message === "";
    const close = h("button", { type: "button", className: "ghost", aria: { label: "Dismiss" } }, icon("close"));
    close.addEventListener("click", () => (notice.hidden = true));
    notice.replaceChildren(h("span", {}, message), ...more, close);
  }

  #mark(): void {
    const text = this.#editor.doc;
    const path = this.#editor.path;
    const found: Mark[] = [];
    for (const finding of this.#report?.findings ?? []) {
      if (finding.file !== path) continue;
      found.push({ ...range(text, finding), severity: finding.severity, rule: finding.rule, finding, message: finding.message, renderMessage: () => this.#hover(finding) });
    }
    for (const error of this.#report?.errors ?? []) {
      if (error.place?.file === path) found.push({ ...range(text, error.place), severity: "error", message: error.message });
    }
    this.#editor.mark(found);
  }

  #hover(finding: Finding): HTMLElement {
    const message = h("strong");
    message.textContent = finding.message.replaceAll("`", "");
    const rule = h("button", { type: "button", className: "rule" }, finding.rule);
    rule.addEventListener("click", () => void this.#explain(finding.rule));
    const summary = this.#rules.find((rule) => rule.id === finding.rule)?.summary;
    const fix = finding.fix && h("p", {}, fixButton(finding, () => void this.#fix(finding)));
    return h("div", { className: "hover" }, message, h("p", {}, finding.help.replaceAll("`", "")), fix ?? "", h("p", { className: "fine" }, rule, " ", summary));
  }

  #render(): void {
    const report = this.#report;
    if (!report) return;
    this.#pick("#summary").textContent = summary(report);
    const safe = report.findings.filter((finding) => finding.fix === "safe").length;
    const fixSafe = this.#pick("#fix-safe");
    fixSafe.hidden = safe === 0;
    fixSafe.textContent = safe === 1 ? "Fix 1 safely…" : `Fix ${safe} safely…`;
    const { hidden } = this.#filter;
    for (const chip of this.#root.querySelectorAll<HTMLButtonElement>(".chip")) {
      const severity = chip.dataset["severity"] as Finding["severity"];
      const count = report.findings.filter((finding) => passes({ ...this.#filter, hidden: new Set() }, finding) && finding.severity === severity).length;
      chip.replaceChildren(h("span", { className: "dot" }), `${count} ${{ error: "error", warning: "warning", info: "note" }[severity]}${count === 1 ? "" : "s"}`);
      chip.setAttribute("aria-pressed", String(!hidden.has(severity)));
    }
    const options = (id: "file" | "rule", all: string, values: Iterable<string>) => {
      const select = this.#pick<HTMLSelectElement>(`#filter-${id}`);
      const known = [...new Set(values)].sort();
      if (this.#filter[id] !== "" && !known.includes(this.#filter[id])) this.#filter[id] = "";
      select.replaceChildren(h("option", { value: "" }, all), ...known.map((value) => h("option", { value }, value)));
      select.value = this.#filter[id];
      select.hidden = known.length < 2;
    };
    options("file", "All files", [...report.findings.map((finding) => finding.file), ...report.errors.map((error) => error.file)]);
    options("rule", "All rules", report.findings.map((finding) => finding.rule));
    this.#list.render(report, this.#filter, [...this.#tabs.keys()]);
    renderUnchecked(this.#pick("#unchecked"), report, this.#listActions());
    const known = this.#pick("#known");
    known.hidden = this.#known.size === 0;
    known.textContent = `Not read, as what is in it is nobody's: ${[...this.#known.keys()].sort().join(", ")}. Of these the page knows the size and how they end.`;
    this.#pick("#tab-findings").textContent = report.findings.length === 0 ? "Findings" : `Findings ${report.findings.length}`;
    this.#renderTabs();
    this.#renderPlace();
    this.#renderProject();
  }

  #renderTabs(): void {
    const report = this.#report;
    this.#strip.render(
      [...this.#tabs.keys()].map((path) => {
        const own = report?.findings.filter((finding) => finding.file === path) ?? [];
        const broken = report?.errors.some((error) => error.file === path) ?? false;
        const worst = broken ? "error" : SEVERITIES.find((severity) => own.some((finding) => finding.severity === severity));
        return { path, count: own.length, worst, broken, faint: report ? report.ignored.includes(path) || report.excluded.includes(path) : false };
      }),
      this.#editor.path,
    );
  }

  #renderPlace(): void {
    const { state } = this.#editor.view;
    const head = state.selection.main.head;
    const line = state.doc.lineAt(head);
    this.#pick("#cursor").textContent = `${line.number}:${head - line.from + 1}`;
    this.#pick("#language").textContent = languageOf(this.#editor.path).label;
    this.#pick("#part").textContent = state.doc.length === 0 ? "" : this.#part(this.#editor.path);
  }

  /** What a file that is not linted is for, or why it is not. */
  #part(path: string): string {
    const report = this.#report;
    if (!report || report.linted.includes(path)) return "";
    if (report.ignored.includes(path)) return "covered by .gitignore: not linted";
    if (report.excluded.includes(path)) return "left out by cosec.toml: not linted";
    if (report.read.includes(path)) return "read by another file";
    const own = OF_ITSELF[path.slice(path.lastIndexOf("/") + 1)];
    return own ?? "neither a Compose file, nor an env file, nor a Dockerfile: read only where another file asks for it";
  }

  #listActions() {
    return {
      show: (place: Place) => this.#reveal(place),
      fix: (finding: Finding) => void this.#fix(finding),
      explain: (rule: string) => void this.#explain(rule),
      add: (path: string) => this.#add(path),
      example: () => this.#replace(EXAMPLE, ""),
    };
  }

  #reveal(place: Place): void {
    if (!this.#tabs.has(place.file)) return;
    this.#show(place.file);
    const { from, to } = range(this.#editor.view.state.doc, place);
    this.#editor.select(from, to);
  }

  /** The next finding from the cursor, through all files; what is not valid counts as one. */
  #jump(direction: 1 | -1): void {
    const here = this.#editor.view.state.selection.main.from;
    const own = this.#editor.marks();
    const places = direction === 1 ? own : own.reverse();
    const next = places.find(({ from }) => (direction === 1 ? from > here : from < here));
    if (next) {
      this.#editor.select(next.from, next.to);
      return this.#tell(next.severity, next.message, this.#editor.path, this.#editor.view.state.doc.lineAt(next.from).number);
    }
    const paths = [...this.#tabs.keys()];
    const start = paths.indexOf(this.#editor.path);
    for (let step = 1; step <= paths.length; step++) {
      const path = paths[(start + direction * step + paths.length * step) % paths.length] ?? "";
      const stops: (Place & { severity: string; message: string })[] = [
        ...(this.#report?.findings ?? []).filter((finding) => finding.file === path),
        ...(this.#report?.errors ?? [])
          .filter((error) => error.file === path)
          .map(({ message, place }) => ({ ...(place ?? { file: path, line: 1, column: 1, end_line: 1, end_column: 1 }), severity: "error", message })),
      ].sort((left, right) => left.line - right.line || left.column - right.column);
      const stop = direction === 1 ? stops[0] : stops.at(-1);
      if (!stop) continue;
      this.#reveal(stop);
      return this.#tell(stop.severity, stop.message, stop.file, stop.line);
    }
    this.#announce(this.#report ? summary(this.#report) : "Not checked.");
  }

  /** What F8 has come to, for who does not see it. */
  #tell(severity: string, message: string, file: string, line: number): void {
    clearTimeout(this.#announceTimer);
    this.#announce(`${severity === "info" ? "note" : severity}, ${file}, line ${line}: ${message.replaceAll("`", "")}`);
  }

  /** What can be done about the findings at the cursor. */
  #actions(): void {
    const head = this.#editor.view.state.selection.main.head;
    const line = this.#editor.view.state.doc.lineAt(head);
    const onLine = this.#editor.marks().filter(({ from, to, rule }) => rule !== "" && from <= line.to && to >= line.from);
    const at = onLine.filter(({ from, to }) => from <= head && to >= head);
    const findings = at.length > 0 ? at : onLine;
    if (findings.length === 0) return this.#say("There is nothing to do in this line. F8 goes to the next finding.");
    const items = findings.flatMap((mark) => {
      const deeds: Deeds = { explain: (rule) => void this.#explain(rule), ...this.#fixItems(mark.finding) };
      return findingActions(this.#editor.view, mark, deeds);
    });
    const coordinates = this.#editor.view.coordsAtPos(head);
    popup(this.#pick(".app"), coordinates ?? { left: 0, bottom: 0 }, "What to do", items, () => this.#editor.view.focus());
  }

  #fixItems(finding: Finding | undefined): Pick<Deeds, "fix" | "refusal"> {
    if (!finding) return { fix: undefined, refusal: undefined };
    const run = () => void this.#fix(finding);
    const isFixable = this.#report?.fixes_known && this.#rules.find((rule) => rule.id === finding.rule)?.fix;
    return {
      fix: finding.fix ? { label: `Fix ${finding.rule}…`, hint: finding.fix === "unsafe" ? UNSAFE : "safe", run } : undefined,
      refusal: isFixable && !finding.fix ? { label: `Why ${finding.rule} is not fixed…`, run } : undefined,
    };
  }

  async #fix(finding: Finding): Promise<void> {
    const { file, rule, line, column } = finding;
    await this.#preview(`Fix ${rule}`, () => this.#linter.ask("fix", { path: file, wanted: { rule, line, column } }));
  }

  async #fixSafe(): Promise<void> {
    await this.#preview("Fix what is safe to fix", () => this.#linter.ask("fix", "safe"));
  }

  /** Shows what would be done, and does it. Focus goes back to where it was, or to the editor. */
  async #preview(title: string, ask: () => Promise<Fixed>): Promise<void> {
    const before = new Map(this.#texts().map(({ path, text }) => [path, text]));
    const opener = this.#root.activeElement;
    const fixed = await ask().catch(() => undefined);
    const isStale = this.#texts().some(({ path, text }) => before.get(path) !== text);
    if (!fixed || isStale || fixed.fixes.length + fixed.refused.length === 0) {
      return this.#say("The files have changed meanwhile, or cannot be read: nothing was fixed. Try again.");
    }
    const isNew = (path: string) => !this.#tabs.has(path);
    const goes = await fixDialog(this.#root, title, fixed, isNew, (place) => this.#reveal(place));
    if (goes) this.#apply(fixed, before);
    else if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  }

  #apply(fixed: Fixed, before: Map<string, string>): void {
    for (const { path, text } of fixed.files) this.#rewrite(path, text);
    this.#own = true;
    this.#kept.soon();
    this.#renderTabs();
    const made = fixed.files.map(({ path }) => path).filter((path) => !before.has(path));
    const undo = h("button", { type: "button", className: "small", id: "undo-fix" }, "Undo");
    undo.addEventListener("click", () => this.#undo(fixed, before));
    const count = fixed.fixes.length;
    this.#say(`${count === 1 ? "1 finding is" : `${count} findings are`} fixed${made.length > 0 ? `; new: ${made.join(", ")}` : ""}.`, undo);
    this.#editor.view.focus();
  }

  /** All that a fix did, in all files, or nothing of it: half of it undone would leave a value in no file. */
  #undo(fixed: Fixed, before: Map<string, string>): void {
    const now = new Map(this.#texts().map(({ path, text }) => [path, text]));
    const changed = fixed.files.filter(({ path, text }) => now.get(path) !== text).map(({ path }) => path);
    if (changed.length > 0) {
      this.#say(`Changed since, so all is left as it is: ${changed.join(", ")}. Ctrl Z takes back what was done in one file.`);
      return this.#editor.view.focus();
    }
    for (const { path } of fixed.files) {
      const old = before.get(path);
      if (old !== undefined) this.#rewrite(path, old);
      else this.#close(path);
    }
    this.#bringBack = undefined;
    this.#kept.soon();
    this.#say("The fix is undone.");
    this.#editor.view.focus();
  }

  /** Gives a file another text, as one step of its undo. */
  #rewrite(path: string, text: string): void {
    const tab = this.#tabs.get(path);
    if (!tab) return this.#put({ path, text });
    const transaction = this.#editor.rewrite(this.#state(path, tab), text);
    if (path === this.#editor.path) return this.#editor.view.dispatch(transaction);
    tab.state = transaction.state;
    this.#linter.set(path, tab.state.doc.toString());
  }

  async #explain(rule: string): Promise<void> {
    const opener = this.#root.activeElement;
    const page = this.#pick("#page");
    const back = h("button", { type: "button", className: "small" }, "All rules");
    back.addEventListener("click", () => {
      page.hidden = true;
      this.#pick("#rules").hidden = false;
      this.#pick(`#rules [data-rule="${rule}"]`).focus();
    });
    const close = h("button", { type: "button", className: "small" }, "Back to findings");
    close.addEventListener("click", () => {
      this.#open("findings");
      if (opener instanceof HTMLElement && opener.isConnected && opener.id !== "page") opener.focus();
      else this.#pick("#tab-findings").focus();
    });
    const markdown = await this.#linter.ask("explain", { rule });
    page.replaceChildren(h("div", { className: "ways" }, close, back), renderMarkdown(markdown));
    page.hidden = false;
    this.#pick("#rules").hidden = true;
    this.#open("rules");
    page.focus();
    page.scrollIntoView({ block: "nearest" });
  }

  #renderRules(): void {
    this.#pick("#rules").replaceChildren(
      ...this.#rules.map((rule) => {
        const open = h("button", { type: "button", data: { rule: rule.id } }, h("span", { className: "dot" }), h("code", {}, rule.id), h("span", {}, rule.summary));
        open.addEventListener("click", () => void this.#explain(rule.id));
        return h("li", { className: rule.severity }, open);
      }),
    );
  }

  /** The panel that is about one project, if it is open. */
  #renderProject(): void {
    if (this.#panel === "plan" || this.#panel === "config") void this.#renderProjectPanel(this.#panel);
  }

  async #renderProjectPanel(panel: "plan" | "config"): Promise<void> {
    const projects = (this.#report?.linted ?? []).filter((path) => /\.ya?ml$/i.test(path) && !/\.override\./i.test(path));
    const select = this.#pick<HTMLSelectElement>(`#panel-${panel} .project`);
    if (!projects.includes(this.#project)) this.#project = projects.includes(this.#editor.path) ? this.#editor.path : (projects[0] ?? "");
    select.hidden = projects.length < 2;
    select.replaceChildren(...projects.map((path) => h("option", { value: path }, path)));
    select.value = this.#project;
    const box = this.#pick(`#${panel}`);
    if (this.#project === "") return box.replaceChildren(h("p", { className: "note" }, "No Compose file yet."));
    const path = this.#project;
    const show = (place: Place) => this.#reveal(place);
    if (panel === "plan") {
      const plan = await this.#linter.ask("plan", { path }).catch(() => undefined);
      if (plan) renderPlan(box, plan, show);
    } else {
      const { checked } = this.#pick<HTMLInputElement>("#values");
      const config = await this.#linter.ask("config", { path, values: checked }).catch(() => undefined);
      if (!config || !this.#built) return;
      this.#config = config;
      this.#pick("#copy-config").hidden = config.text === null;
      renderConfig(box, config, show);
    }
  }

  #open(panel: Panel): void {
    this.#panel = panel;
    for (const name of PANELS) {
      const tab = this.#pick<HTMLButtonElement>(`#tab-${name}`);
      tab.setAttribute("aria-selected", String(name === panel));
      tab.tabIndex = name === panel ? 0 : -1;
      this.#pick(`#panel-${name}`).hidden = name !== panel;
    }
    this.#renderProject();
  }

  // ---------------------------------------------------------------- menus, drops, keys

  #openItems(): MenuItem[] {
    return [
      { label: "Files…", run: () => this.#pick("#choose-files").click() },
      { label: "Folder…", hint: "what cosec looks at in it", run: () => void this.#chooseFolder() },
      { label: "Example", run: () => this.#replace(EXAMPLE, this.#own ? "This is the example." : "") },
      {
        label: "Close all",
        run: () => {
          this.#replace([], this.#own ? "All is closed." : "");
          this.#kept.soon();
          this.#editor.view.focus();
        },
      },
      ...(this.#bringBack ? [{ label: "Bring back what was here", run: () => this.#undoReplacing() }] : []),
    ];
  }

  async #chooseFolder(): Promise<void> {
    // Its question is about reading; the other's sounds like sending.
    const picker = (window as { showDirectoryPicker?: (options: object) => Promise<FileSystemDirectoryHandle> }).showDirectoryPicker;
    if (!picker) return this.#pick("#choose-folder").click();
    const handle = await picker.call(window, { mode: "read" }).catch(() => undefined);
    if (handle) await this.#take(await fromHandle(handle), true);
  }

  #addItems(): MenuItem[] {
    const names = ["compose.yaml", "compose.override.yaml", ".env", ".gitignore", "Dockerfile", ".dockerignore", "cosec.toml"];
    const wanted = (this.#report?.wanted ?? []).filter((path) => !/(^|\/)(docker-)?compose(\.override)?\.ya?ml$/.test(path) && !names.includes(path) && !isCredential(path));
    return [
      ...wanted.slice(0, 6).map((path) => ({ label: path, hint: "asked for", run: () => this.#add(path) })),
      ...names.filter((path) => !this.#tabs.has(path)).map((path) => ({ label: path, run: () => this.#add(path) })),
      {
        label: "Another name…",
        run: () => {
          let number = 1;
          while (this.#tabs.has(`file-${number}.yaml`)) number++;
          this.#add(`file-${number}.yaml`);
          this.#strip.edit(`file-${number}.yaml`);
        },
      },
    ];
  }

  #exportItems(): MenuItem[] {
    const report = (format: ReportFormat, name: string, type: string) => async () => {
      const text = await this.#linter.ask("report", { format });
      download(name, text, type);
    };
    const run = (work: () => Promise<void>) => () => void work().catch(() => this.#fail("The report could not be made."));
    return [
      { label: "Report as SARIF", hint: "code scanning", run: run(report("sarif", "cosec.sarif", "application/sarif+json")) },
      { label: "Report as JSON", hint: "programs", run: run(report("json", "cosec.json", "application/json")) },
      { label: "Report as Markdown", hint: "issues, reviews", run: run(report("markdown", "cosec.md", "text/markdown")) },
      {
        label: "These files as zip",
        hint: "with their values",
        run: run(async () => {
          const files = this.#written();
          const names = inArchive(files.map(({ path }) => path));
          const entries = files.map(({ path, text }) => [names.get(path) ?? path, strToU8(text)] as const);
          download("compose-project.zip", zipSync(Object.fromEntries(entries)) as Uint8Array<ArrayBuffer>, "application/zip");
        }),
      },
    ];
  }

  #drops(overlay: HTMLElement): void {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    let depth = 0;
    const listen = (type: "dragenter" | "dragover" | "dragleave" | "drop", act: (event: DragEvent) => void) =>
      // Before the editor, which would write a dropped file into its text.
      this.#root.addEventListener(
        type,
        (event) => {
          if (!hasFiles(event as DragEvent)) return;
          event.preventDefault();
          event.stopPropagation();
          act(event as DragEvent);
          overlay.hidden = depth <= 0;
        },
        { capture: true },
      );
    listen("dragenter", () => depth++);
    listen("dragover", (event) => event.dataTransfer && (event.dataTransfer.dropEffect = "copy"));
    listen("dragleave", () => depth--);
    listen("drop", (event) => {
      depth = 0;
      const transfer = event.dataTransfer;
      if (!transfer) return;
      const folder = transfer.items.length === 1 && transfer.items[0]?.webkitGetAsEntry()?.isDirectory === true;
      void fromDrop(transfer).then((intake) => this.#take(intake, folder));
    });
    this.#root.addEventListener(
      "paste",
      (event) => {
        const files = (event as ClipboardEvent).clipboardData?.files;
        if (!files?.length) return;
        event.preventDefault();
        event.stopPropagation();
        void fromList(files).then((intake) => this.#take(intake, false));
      },
      { capture: true },
    );
  }

  /** F8 works wherever the focus is in here, and where it is nowhere. Other parts of a page have their own keys. */
  readonly #keys = (event: KeyboardEvent): void => {
    if (event.key !== "F8" || event.defaultPrevented) return;
    const isNowhere = event.target === document.body || event.target === document.documentElement;
    const isFirst = document.querySelector("cosec-linter") === this;
    if (!event.composedPath().includes(this) && !(isNowhere && isFirst)) return;
    event.preventDefault();
    this.#jump(event.shiftKey ? -1 : 1);
  };
}

export function define(): void {
  if (!customElements.get("cosec-linter")) customElements.define("cosec-linter", CosecLinter);
}
