// CodeMirror over several files, each with its own undo. It stands in a shadow root: there it needs no inline
// style sheets, so the page's policy allows none.
import { defaultKeymap, history, historyKeymap, indentWithTab, isolateHistory } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, forEachDiagnostic, lintGutter, setDiagnostics, setDiagnosticsEffect } from "@codemirror/lint";
import { search, searchKeymap } from "@codemirror/search";
import { type ChangeSpec, Compartment, EditorState, StateField, type Text, Transaction } from "@codemirror/state";
import {
  EditorView,
  gutter,
  GutterMarker,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Finding, Severity } from "../core/types";
import { diff } from "./diff";
import { icon } from "./dom";
import { Held } from "./held";
import { MOD } from "./keys";
import { languageOf } from "./languages";

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--paper)", fontSize: "13.5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--text)", paddingBlock: "10px" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--faint)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { paddingLeft: "12px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line)" },
  ".cm-content ::selection": { backgroundColor: "var(--selection)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--selection)" },
  ".cm-searchMatch": { backgroundColor: "var(--selection)" },
  ".cm-placeholder": { color: "var(--faint)" },
  ".cm-specialChar": { color: "var(--error)" },
  ".cm-panels": { backgroundColor: "var(--card)", color: "var(--text)", borderColor: "var(--edge)" },
  ".cm-panel input, .cm-panel button": { font: "13px var(--sans)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--card)", border: "1px solid var(--edge)", borderRadius: "6px" },
  ".cm-textfield": { backgroundColor: "var(--paper)", border: "1px solid var(--edge)", borderRadius: "6px" },
  ".cm-tooltip": {
    backgroundColor: "var(--card)",
    color: "var(--text)",
    border: "1px solid var(--edge)",
    borderRadius: "8px",
    boxShadow: "var(--shadow)",
    maxWidth: "52ch",
    overflow: "hidden",
  },
  ".cm-diagnostic": { fontFamily: "var(--sans)", fontSize: "13px", padding: "8px 12px", borderLeftWidth: "3px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--error)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warning)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--info)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--error) 1px", textUnderlineOffset: "4px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warning) 1px", textUnderlineOffset: "4px" },
  ".cm-lintRange-info": { backgroundImage: "none", textDecoration: "underline dotted var(--info) 1px", textUnderlineOffset: "4px" },
  ".cm-lintRange-active": { backgroundColor: "var(--selection)" },
  ".cm-gutter-lint": { width: "14px" },
  ".cm-bulb": { width: "20px", color: "var(--warning)", cursor: "pointer" },
  ".cm-bulb .cm-gutterElement": { display: "grid", placeItems: "center" },
  ".cm-lint-marker": { content: "''", width: "8px", height: "8px", borderRadius: "50%", margin: "6px 3px" },
  ".cm-lint-marker-error": { content: "''", backgroundColor: "var(--error)" },
  ".cm-lint-marker-warning": { content: "''", backgroundColor: "var(--warning)", borderRadius: "2px" },
  ".cm-lint-marker-info": { content: "''", backgroundColor: "var(--info)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--key)" },
  { tag: [tags.string, tags.content], color: "var(--text)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.labelName, tags.typeName, tags.special(tags.variableName)], color: "var(--mark)" },
]);

/** What follows a file's name. */
const named = new Compartment();
const ofName = (path: string) => [
  languageOf(path).extension,
  EditorView.contentAttributes.of({ "aria-label": path, "aria-keyshortcuts": `F8 Shift+F8 ${MOD === "⌘" ? "Meta" : "Control"}+.`, tabindex: "0", spellcheck: "false", autocapitalize: "off", translate: "no" }),
];

/** A mark in the text, and the finding that it is of. */
export interface Mark extends Diagnostic {
  /** None where the file is not valid. */
  rule?: string;
  finding?: Finding;
}

/** Whether lines have been parted or joined since the marks were set: the dots beside the lines move along with the
 * starts of lines, not with the marks. */
const linesMoved = StateField.define<boolean>({
  create: () => false,
  update(moved, transaction) {
    if (transaction.effects.some((effect) => effect.is(setDiagnosticsEffect))) return false;
    if (moved || !transaction.docChanged) return moved;
    const before = transaction.startState.doc;
    transaction.changes.iterChanges((from, to, _, __, inserted) => {
      moved ||= inserted.lines > 1 || before.lineAt(from).to < to;
    });
    return moved;
  },
});

const lit = new (class extends GutterMarker {
  override toDOM(): HTMLElement {
    const mark = document.createElement("span");
    mark.title = `What to do (${MOD} .)`;
    mark.append(icon("bulb"));
    return mark;
  }
})();

/** A mark in the cursor's line where something can be done about a finding. The keyboard has Ctrl-. for it. */
const bulb = (act: () => void) =>
  gutter({
    class: "cm-bulb",
    lineMarker: (view, line) => {
      const head = view.state.selection.main.head;
      if (head < line.from || head > line.to) return null;
      let found = false;
      forEachDiagnostic(view.state, (_, from, to) => (found ||= from <= line.to && to >= line.from));
      return found ? lit : null;
    },
    lineMarkerChange: (update) => update.selectionSet || update.docChanged || update.transactions.some((transaction) => transaction.effects.length > 0),
    domEventHandlers: {
      mousedown: (view, line) => {
        const head = view.state.selection.main.head;
        if (head < line.from || head > line.to) return false;
        act();
        return true;
      },
    },
  });

/** Whether all of a text was selected, and is pasted or typed over or taken out. */
function takesAll(transaction: Transaction): boolean {
  const { doc, selection } = transaction.startState;
  const { from, to } = selection.main;
  const isAll = doc.length > 0 && from === 0 && to === doc.length;
  return isAll && transaction.docChanged && ["input.paste", "input.type", "delete"].some((event) => transaction.isUserEvent(event));
}

export interface Handlers {
  /** The text is about to change by the user's hand, `whole` where something else takes the place of all of it. */
  changed(text: Text, whole: boolean): void;
  /** The cursor has moved. */
  moved(): void;
  jump(direction: 1 | -1): void;
  actions(): void;
}

export class Editor {
  readonly #view: EditorView;
  readonly #handlers: Handlers;
  readonly #held = new Held();
  #path = "";
  #isTouched = false;

  constructor(parent: HTMLElement, root: ShadowRoot, handlers: Handlers) {
    this.#handlers = handlers;
    root.addEventListener("pointerdown", (event) => (this.#isTouched = (event as PointerEvent).pointerType === "touch"), { capture: true });
    root.addEventListener("keydown", () => (this.#isTouched = false), { capture: true });
    this.#view = new EditorView({
      parent,
      root,
      state: this.state("", ""),
      // Before the view draws the change: the linter works meanwhile.
      dispatchTransactions: (transactions, view) => {
        const last = transactions.at(-1);
        if (last && transactions.some((transaction) => transaction.docChanged)) handlers.changed(last.newDoc, transactions.some(takesAll));
        view.update(transactions);
      },
    });
    this.#view.dom.addEventListener("focusin", this.#shield);
  }

  /** The fields for finding and replacing: browsers may send away what they check or keep what they complete. */
  readonly #shield = ({ target }: FocusEvent): void => {
    if (target instanceof HTMLInputElement) Object.assign(target, { autocomplete: "off", spellcheck: false });
  };

  /** The view, with all that has been typed drawn. */
  get view(): EditorView {
    this.#draw();
    return this.#view;
  }

  /** The text, drawn or not. */
  get doc(): Text {
    return this.#held.transaction?.newDoc ?? this.#view.state.doc;
  }

  #draw(): void {
    const typed = this.#held.take();
    if (!typed) return;
    // Something of the editor's own, a parse that has come to its end, may have been first.
    const { changes, selection, scrollIntoView } = typed;
    const isNext = typed.startState === this.#view.state;
    this.#view.update([isNext ? typed : this.#view.state.update({ changes, selection, scrollIntoView, userEvent: "input.type" })]);
  }

  /** A file's state, to be shown now or later. */
  state(path: string, text: string): EditorState {
    const run = (act: () => void) => () => {
      act();
      return true;
    };
    return EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        linesMoved,
        bulb(() => this.#handlers.actions()),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        // Direction marks and other characters that are there and not seen.
        highlightSpecialChars(),
        history(),
        indentOnInput(),
        bracketMatching(),
        indentUnit.of("  "),
        search({ top: true }),
        named.of(ofName(path)),
        theme,
        syntaxHighlighting(colours),
        placeholder("Paste a Compose file, or drop files or a folder here"),
        EditorView.lineWrapping,
        this.#held.extension((typed) => this.#handlers.changed(typed.newDoc, false), () => this.#draw()),
        keymap.of([
          { key: "F8", run: run(() => this.#handlers.jump(1)) },
          { key: "Shift-F8", run: run(() => this.#handlers.jump(-1)) },
          { key: "Mod-.", run: run(() => this.#handlers.actions()) },
          // Escape, then Tab, leaves the editor: CodeMirror's own way out for keyboards.
          indentWithTab,
          ...defaultKeymap,
          ...historyKeymap,
          ...searchKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged || update.selectionSet) this.#handlers.moved();
        }),
      ],
    });
  }

  /** The same text, cursor and undo under another name. */
  renamed(state: EditorState, path: string): EditorState {
    return state.update({ effects: named.reconfigure(ofName(path)) }).state;
  }

  /** Shows a file; what was shown goes back to whoever keeps it. */
  show(path: string, state: EditorState): EditorState {
    const before = this.view.state;
    this.#path = path;
    this.view.setState(state);
    return before;
  }

  get path(): string {
    return this.#path;
  }

  /** The step to another text, one for undo. Only what differs changes, so that the cursor and the marks stay. */
  rewrite(state: EditorState, text: string): Transaction {
    const changes: ChangeSpec[] = [];
    let at = 0;
    for (const { kind, lines } of diff(state.doc.toString(), text)) {
      const part = lines.join("");
      if (kind === "new") changes.push({ from: at, insert: part });
      else if (kind === "gone") changes.push({ from: at, to: at + part.length });
      if (kind !== "new") at += part.length;
    }
    return state.update({ changes, annotations: isolateHistory.of("full"), userEvent: "input.fix" });
  }

  /** Marks places. The step is none of the user's, so undo does not know it. */
  mark(diagnostics: Mark[]): void {
    this.#held.answered();
    const typed = this.#held.transaction;
    const state = typed?.startState === this.#view.state ? typed.state : this.view.state;
    const isMarked = this.#isMarked(state, diagnostics);
    const marked = state.update(setDiagnostics(state, diagnostics), { annotations: Transaction.addToHistory.of(false) });
    const steps = [...(state === typed?.state ? [typed] : []), ...(isMarked ? [] : [marked])];
    this.#held.take();
    if (steps.length > 0) this.#view.update(steps);
  }

  /** Whether the marks that are there, moved by what was typed, are these: most keys change none. What they say then
   * becomes what the newest finding says. */
  #isMarked(state: EditorState, diagnostics: Mark[]): boolean {
    if (state.field(linesMoved)) return false;
    const place = (mark: Mark, from: number, to: number) => `${from} ${to} ${mark.severity} ${mark.rule ?? ""} ${mark.message}`;
    const open = new Map<string, Mark[]>();
    for (const mark of diagnostics) {
      const key = place(mark, mark.from, mark.to);
      open.set(key, [...(open.get(key) ?? []), mark]);
    }
    let left = diagnostics.length;
    let isSame = true;
    const renewed: [Mark, Mark][] = [];
    forEachDiagnostic(state, (mark: Mark, from, to) => {
      const next = open.get(place(mark, from, to))?.shift();
      if (next) renewed.push([mark, next]);
      else isSame = false;
      left--;
    });
    if (!isSame || left !== 0) return false;
    for (const [mark, next] of renewed) Object.assign(mark, next, { from: mark.from, to: mark.to });
    return true;
  }

  /** Where the marks stand now: edits since the last report have moved them. */
  marks(): { from: number; to: number; rule: string; severity: Severity; message: string; finding: Finding | undefined }[] {
    const found: ReturnType<Editor["marks"]> = [];
    forEachDiagnostic(this.view.state, (mark: Mark, from, to) => found.push({ from, to, rule: mark.rule ?? "", severity: mark.severity as Severity, message: mark.message, finding: mark.finding }));
    return found.sort((left, right) => left.from - right.from);
  }

  select(from: number, to: number): void {
    this.view.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
    this.focus();
  }

  /** Goes to the text. Who works by touch sees it, and gets the screen's keyboard by touching it, not before. */
  focus(): void {
    if (this.#isTouched) this.view.dom.scrollIntoView({ block: "nearest" });
    else this.view.focus();
  }
}
