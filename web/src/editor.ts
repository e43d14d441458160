// CodeMirror with YAML, in a shadow root: there it needs no inline styles, so the page's policy allows none.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, forEachDiagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--paper)", fontSize: "14px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--text)", paddingBlock: "12px" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--faint)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "var(--selection)",
  },
  ".cm-placeholder": { color: "var(--faint)" },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--text)", border: "1px solid var(--edge)", maxWidth: "44ch" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "6px 10px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--error)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--error)", textUnderlineOffset: "3px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warning)", textUnderlineOffset: "3px" },
  ".cm-lint-marker": { content: "''", width: "10px", height: "10px", borderRadius: "50%", margin: "6px 2px" },
  ".cm-lint-marker-error": { content: "''", backgroundColor: "var(--error)" },
  ".cm-lint-marker-warning": { content: "''", backgroundColor: "var(--warning)" },
  ".cm-lint-marker-info": { content: "''", backgroundColor: "var(--info)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--key)" },
  { tag: [tags.string, tags.content], color: "var(--text)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.labelName, tags.typeName], color: "var(--mark)" },
]);

export interface Editor {
  text(): string;
  replace(text: string): void;
  mark(diagnostics: Diagnostic[]): void;
  view: EditorView;
}

export function createEditor(
  parent: HTMLElement,
  text: string,
  changed: (text: string, pasted: boolean) => void,
  jump: (direction: 1 | -1) => void,
): Editor {
  const root = parent.attachShadow({ mode: "open" });
  const go = (direction: 1 | -1) => () => {
    jump(direction);
    return true;
  };
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        drawSelection(),
        history(),
        indentOnInput(),
        bracketMatching(),
        indentUnit.of("  "),
        yaml(),
        theme,
        syntaxHighlighting(colours),
        placeholder("Paste a compose.yaml here"),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "compose.yaml", spellcheck: "false", autocapitalize: "off" }),
        keymap.of([
          { key: "F8", run: go(1) },
          { key: "Shift-F8", run: go(-1) },
          // Escape, then Tab, leaves the editor: CodeMirror's own way out for keyboards.
          indentWithTab,
          ...defaultKeymap,
          ...historyKeymap,
          ...searchKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          const pasted = update.transactions.some((transaction) => transaction.isUserEvent("input.paste"));
          changed(update.state.doc.toString(), pasted);
        }),
      ],
    }),
  });
  return {
    view,
    text: () => view.state.doc.toString(),
    replace(text) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 } });
    },
    mark(diagnostics) {
      view.dispatch(setDiagnostics(view.state, diagnostics));
    },
  };
}

/** Where the marks stand now: edits since the last report have moved them. */
export function marks(view: EditorView): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  forEachDiagnostic(view.state, (_, from, to) => found.push({ from, to }));
  return found.sort((left, right) => left.from - right.from);
}
