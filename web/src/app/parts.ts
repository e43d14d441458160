// What an element is made of. Each part knows those that are made before it; what they have to tell those that come
// later goes through here.
import { Linter } from "../core/linter";
import LinterWorker from "../core/linter.worker?worker&inline";
import type { Finding, Persona, Report, Rule, Severity } from "../core/types";
import { cursorActions } from "./cursor_actions";
import { h, icon } from "./dom";
import { Editor } from "./editor";
import { EXAMPLE } from "./example";
import { SEVERITIES, summary } from "./findings";
import { FindingsPanel, personaOf } from "./findings_panel";
import { FileSelect } from "./file_select";
import { Fixing } from "./fixing";
import { Incoming } from "./incoming";
import { jump } from "./jump";
import { type End, Kept, notHere } from "./kept";
import { MOD } from "./keys";
import { marksOf } from "./marks";
import { menu, popup } from "./menu";
import { addItems, exportItems, openItems } from "./menu_items";
import { Notice } from "./notice";
import { OpenFiles } from "./open_files";
import { Panels } from "./panels";
import { PlaceLine } from "./place_line";
import { ProjectPanels } from "./project_panels";
import { Replacing } from "./replacing";
import { RulesPanel } from "./rules_panel";
import { leaveLink } from "./share";
import { shareDialog } from "./share_dialog";
import { TabStrip, type TabView } from "./tabs";
import { Taking } from "./taking";

export class Parts {
  report: Report | undefined;
  readonly notice: Notice;
  readonly linter: Linter;
  readonly files: OpenFiles;
  readonly kept: Kept;
  readonly replacing: Replacing;
  /** Whether files are kept; none where that is not offered. */
  readonly remember: HTMLInputElement | undefined;
  readonly #element: HTMLElement;
  readonly #root: ShadowRoot;
  readonly #app = h("div", { className: "app" });
  readonly #editor: Editor;
  readonly #place = new PlaceLine();
  readonly #taking: Taking;
  readonly #fixing: Fixing;
  readonly #strip: TabStrip;
  readonly #select = new FileSelect((path) => this.files.show(path, false));
  readonly #findings: FindingsPanel;
  readonly #projects: ProjectPanels;
  readonly #rulesPanel: RulesPanel;
  readonly #panels: Panels;
  readonly #version = h("span", { id: "version" });
  readonly #toEditor = () => this.#editor.focus();
  readonly #explain = (rule: string) => void this.#rulesPanel.explain(rule, this.#root.activeElement);
  readonly #fix = (finding: Finding) => void this.#fixing.fix(finding);
  #rules: Rule[] = [];
  #renderTimer: ReturnType<typeof setTimeout> | undefined;
  #awaiting: ((report: Report | undefined) => void)[] = [];

  constructor(element: HTMLElement, root: ShadowRoot) {
    this.#element = element;
    this.#root = root;
    const persona = personaOf(element.getAttribute("persona"));

    this.notice = new Notice(this.#toEditor);
    const editorBox = h("div", { id: "editor" });
    this.#editor = new Editor(editorBox, root, {
      changed: (text, whole) => {
        if (whole) this.replacing.overExample();
        this.files.typed(text.toString());
        this.kept.soon();
      },
      moved: () => this.#place.renderSoon(() => this.#editor, () => this.report),
      jump: (direction) => this.jump(direction),
      actions: () => this.#openActions(),
    });
    this.linter = new Linter(() => new LinterWorker(), {
      ready: (version, rules) => {
        this.#version.textContent = version;
        this.#rules = rules;
        this.#rulesPanel.render(rules);
      },
      report: (report) => this.#receive(report),
      failed: (message) => this.fail(message),
    });
    this.linter.persona = persona;
    this.files = new OpenFiles(this.#editor, this.linter, {
      shown: () => {
        this.#mark();
        this.#renderTabs();
        this.#place.render(this.#editor, this.report);
      },
      changed: () => {
        this.#renderTabs();
        this.kept.soon();
      },
      cleared: () => {
        this.#findings.reset();
        this.#projects.reset();
      },
    });
    this.kept = new Kept(
      () => this.files.written(),
      (message) => this.notice.say(message),
      () => element.hasAttribute("share") && leaveLink(),
      (by) => this.#notKept(by),
    );
    this.replacing = new Replacing(this.files, this.kept, this.notice);
    this.#taking = new Taking(this.files, this.replacing, this.kept, this.notice);
    this.#fixing = new Fixing(root, this.files, this.linter, this.kept, this.notice, this.#toEditor);
    this.#strip = new TabStrip({
      select: (path) => this.files.show(path),
      close: (path) => {
        this.replacing.close(path);
        this.#strip.focus(this.files.current);
      },
      rename: (path, to) => this.files.rename(path, to),
      refused: (why) => this.notice.say(why),
      leave: this.#toEditor,
    });
    this.#findings = new FindingsPanel(
      {
        show: (place) => this.files.reveal(place),
        fix: this.#fix,
        fixSafe: () => void this.#fixing.fixSafe(),
        explain: this.#explain,
        add: (path) => this.files.add(path),
        example: () => this.replacing.replace(EXAMPLE, ""),
        persona: (persona) => element.setAttribute("persona", persona),
        leave: () => this.#panels.focus(),
      },
      persona,
    );
    this.#projects = new ProjectPanels(this.linter, this.notice, (place) => this.files.reveal(place));
    this.#rulesPanel = new RulesPanel(this.linter, () => this.#panels.open("rules"), (opener) => this.#backTo(opener));
    this.#panels = new Panels(
      [
        { name: "findings", label: "Findings", box: this.#findings.box },
        { name: "plan", label: "Plan", box: this.#projects.plan },
        { name: "config", label: "Config", box: this.#projects.config },
        { name: "rules", label: "Rules", box: this.#rulesPanel.box },
      ],
      (panel) => this.#projects.render(panel, this.report, this.files.current),
    );

    const incoming = new Incoming(root, (intake, alone) => this.#taking.take(intake, alone));
    const right = h("section", { className: "right", aria: { label: "Results" } }, this.#panels.tabs, ...this.#panels.boxes);
    const left = h("section", { className: "left", translate: false, aria: { label: "Editor" } }, this.#stripBox(), editorBox, this.#place.box);
    this.remember = element.hasAttribute("remember") && !notHere ? this.#rememberBox() : undefined;
    this.#app.append(
      this.#toolbar(incoming),
      h("slot", { name: "banner" }),
      this.notice.line,
      this.notice.trouble,
      h("div", { className: "main" }, left, right),
      this.#footer(),
      this.notice.announcement,
      incoming.overlay,
    );
    root.replaceChildren(this.#app);
    // The plan's drawing is as wide as its panel.
    new ResizeObserver(() => this.#panels.current === "plan" && this.#renderProject()).observe(right);
  }

  set persona(persona: Persona) {
    this.linter.persona = persona;
    this.#findings.persona = persona;
  }

  /** The report of the files as they are now, when it is known what can be fixed and all of it is shown. */
  checked(): Promise<Report | undefined> {
    return new Promise((resolve) => {
      this.#awaiting.push(resolve);
      this.#settle();
    });
  }

  jump(direction: 1 | -1): void {
    jump(direction, this.#editor, this.files, this.report, this.notice, (entry) => this.#findings.point(entry));
  }

  /** What was said of an earlier text says nothing of this one. */
  fail(message: string): void {
    this.#dontRender();
    this.report = undefined;
    this.notice.fail(message);
    this.#findings.fail();
    this.#projects.fail(() => this.#panels.focus());
    this.#panels.label("findings", "Findings");
    this.#editor.mark([]);
    this.#renderTabs();
    for (const resolve of this.#awaiting.splice(0)) resolve(undefined);
  }

  // ---------------------------------------------------------------- what stands where

  #toolbar(incoming: Incoming): HTMLElement {
    const open = h("button", { type: "button", id: "open" }, icon("open"), "Open", icon("chevron"));
    const take = h("button", { type: "button", id: "export" }, icon("download"), "Export", icon("chevron"));
    const redact = (path: string, text: string) => this.linter.ask("redact", { path, text });
    const share = h("button", { type: "button", id: "share", onclick: () => void shareDialog(this.#root, this.files.texts(), redact) }, icon("link"), "Share");
    const buttons = h(
      "div",
      { className: "buttons" },
      menu(open, () => openItems(this.files, incoming, this.replacing, this.#toEditor)),
      menu(take, () => exportItems(this.files, this.linter, this.notice)),
      this.#element.hasAttribute("share") && share,
    );
    return h("div", { className: "toolbar" }, h("slot", { name: "brand" }), buttons, ...incoming.inputs);
  }

  #stripBox(): HTMLElement {
    const add = h("button", { type: "button", id: "add", className: "ghost", title: "New file", aria: { label: "New file" } }, icon("plus"));
    const edit = () => this.#strip.edit(this.files.current);
    const rename = h("button", { type: "button", id: "rename", className: "ghost", title: "Rename (F2)", aria: { label: "Rename the file" }, onclick: edit }, icon("pencil"));
    return h("div", { className: "strip" }, this.#strip.list, this.#select.box, menu(add, () => addItems(this.files, this.report, (path) => this.#strip.edit(path))), rename);
  }

  #rememberBox(): HTMLInputElement {
    const box = h("input", { type: "checkbox", id: "remember" });
    box.addEventListener("change", () => {
      this.kept.switch(box.checked);
      this.notice.say(box.checked ? "These files are kept in this browser, passwords included, until you take the mark away." : "");
    });
    return box;
  }

  #footer(): HTMLElement {
    const keys = h(
      "span",
      { className: "keys" },
      ...[["F8"], " next finding ", ["Shift F8"], " previous ", [`${MOD} .`], " what to do ", ["Escape"], " then ", ["Tab"], " leaves the editor"].map((part) => (typeof part === "string" ? part : h("kbd", {}, ...part))),
    );
    const kept = this.remember ? h("label", {}, this.remember, " keep these files in this browser") : h("span", { id: "not-kept" }, `Files are ${notHere}`);
    return h("div", { className: "footer" }, keys, this.#element.hasAttribute("remember") && kept, h("span", {}, "cosec ", this.#version));
  }

  // ---------------------------------------------------------------- results

  #receive(whole: Report): void {
    const report = this.#withoutBlank(whole);
    this.report = report;
    this.notice.recover();
    // Marks first, they are what one looks at while typing; lists when the browser has drawn them.
    this.#mark();
    this.#element.dispatchEvent(new CustomEvent("cosec-report", { detail: report, bubbles: true, composed: true }));
    this.#dontRender();
    this.#renderTimer = setTimeout(() => this.#render());
    this.notice.announceSoon(summary(report));
    void this.#taking.follow(report).then(() => this.#settle());
  }

  #dontRender(): void {
    clearTimeout(this.#renderTimer);
    this.#renderTimer = undefined;
  }

  #settle(): void {
    if (this.#renderTimer !== undefined || this.#taking.isFetching || !this.linter.isIdle) return;
    for (const resolve of this.#awaiting.splice(0)) resolve(this.report);
  }

  /** A file without anything in it is not wrong yet: somebody has just made it. */
  #withoutBlank(report: Report): Report {
    const blank = this.files.blank();
    if (blank.size === 0) return report;
    const holds = ({ file }: { file: string }) => !blank.has(file);
    const linted = report.linted.filter((path) => !blank.has(path));
    return { ...report, linted, errors: report.errors.filter(holds), not_checked: report.not_checked.filter(holds) };
  }

  #mark(): void {
    const actions = { explain: this.#explain, fix: this.#fix };
    this.#editor.mark(marksOf(this.report, this.files.current, this.#editor.doc, this.#rules, actions));
  }

  #render(): void {
    this.#renderTimer = undefined;
    const { report } = this;
    if (!report) return;
    this.#findings.render({ report, paths: this.files.paths, known: this.files.known });
    const count = report.findings.length + report.errors.length;
    this.#panels.label("findings", count === 0 ? "Findings" : `Findings ${count}`);
    this.#renderTabs();
    this.#place.render(this.#editor, report);
    this.#renderProject();
    this.#settle();
  }

  #renderTabs(): void {
    const { findings, errors, ignored, excluded } = this.report ?? { findings: [], errors: [], ignored: [], excluded: [] };
    const found = new Map<string, Severity[]>();
    for (const { file, severity } of findings) {
      const own = found.get(file);
      if (own) own.push(severity);
      else found.set(file, [severity]);
    }
    const unread = new Set(errors.map((error) => error.file));
    const out = new Set([...ignored, ...excluded]);
    const tabs = this.files.paths.map((path): TabView => {
      const own = found.get(path) ?? [];
      const broken = unread.has(path);
      const worst = broken ? "error" : SEVERITIES.find((severity) => own.includes(severity));
      return { path, count: own.length, worst, broken, faint: out.has(path) };
    });
    this.#strip.render(tabs, this.files.current);
    this.#select.render(tabs, this.files.current);
  }

  /** The panel that is about one project, if it is seen. */
  #renderProject(): void {
    this.#projects.render(this.#panels.current, this.report, this.files.current);
  }

  /** What can be done about the findings at the cursor. */
  #openActions(): void {
    const isRefused = (finding: Finding) => {
      const isFixable = this.report?.fixes_known && this.#rules.find((rule) => rule.id === finding.rule)?.fix;
      return Boolean(isFixable) && !finding.fix;
    };
    const items = cursorActions(this.#editor, { explain: this.#explain, fix: this.#fix, isRefused });
    if (items.length === 0) return this.notice.say("There is nothing to do in this line. F8 goes to the next finding.");
    const { view } = this.#editor;
    popup(this.#app, view.coordsAtPos(view.state.selection.main.head) ?? { left: 0, top: 0, bottom: 0 }, "What to do", items, this.#toEditor);
  }

  /** From a rule's page to where it was asked for. */
  #backTo(opener: Element | null): void {
    this.#panels.open("findings");
    if (opener instanceof HTMLElement && opener.isConnected && opener.checkVisibility()) opener.focus();
    else this.#panels.focus();
  }

  /** Another window has put an end to it. */
  #notKept(by: End): void {
    if (this.remember) this.remember.checked = false;
    this.notice.say(
      by === "switched off"
        ? "Another window of this page no longer keeps files in this browser; neither does this one."
        : "Another window of this page keeps its files in this browser now; those of this one are no longer kept. Set the mark again to keep these instead.",
    );
  }
}
