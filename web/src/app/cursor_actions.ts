// What can be done about the findings at the cursor.
import { ensureSyntaxTree, language } from "@codemirror/language";
import type { Text } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import type { Finding } from "../core/types";
import type { Editor } from "./editor";
import { UNSAFE } from "./findings";
import type { MenuItem } from "./menu";

const REASON = "reason";

export interface Deeds {
  explain(rule: string): void;
  /** Shows the fix of a finding, or why it has none. */
  fix(finding: Finding): void;
  /** Whether others of its rule have a fix and it is known that this one has none. */
  isRefused(finding: Finding): boolean;
}

/** Of the findings at the cursor, or else of those in its line. */
export function cursorActions(editor: Editor, deeds: Deeds): MenuItem[] {
  const { view } = editor;
  const head = view.state.selection.main.head;
  const line = view.state.doc.lineAt(head);
  const onLine = editor.marks().filter(({ from, to, rule }) => rule !== "" && from <= line.to && to >= line.from);
  const at = onLine.filter(({ from, to }) => from <= head && to >= head);
  return (at.length > 0 ? at : onLine).flatMap(({ from, rule, finding }) => {
    const items: MenuItem[] = [];
    const fix = () => finding && deeds.fix(finding);
    if (finding?.fix) items.push({ label: `Fix ${rule}…`, hint: finding.fix === "unsafe" ? UNSAFE : "safe", run: fix });
    items.push({ label: `Explain ${rule}`, run: () => deeds.explain(rule) });
    if (!insideText(view, from)) items.push({ label: `Ignore ${rule} here`, hint: "a comment", run: () => ignore(view, from, rule) });
    if (finding && deeds.isRefused(finding)) items.push({ label: `Why ${rule} is not fixed…`, run: fix });
    return items;
  });
}

/** Whether a line above would not be a comment but part of a text over several lines. */
function insideText(view: EditorView, at: number): boolean {
  const { state } = view;
  if (state.facet(language)?.name === "dockerfile") return insideHeredoc(state.doc, state.doc.lineAt(at).number);
  // An env file's values may go over several lines as well, and its grammar here knows words only.
  if (state.facet(language)?.name !== "yaml") return !/^\s*(export\s+)?[\w.-]+\s*[=:]/.test(state.doc.lineAt(at).text);
  const start = state.doc.lineAt(at).from;
  const tree = ensureSyntaxTree(state, state.doc.lineAt(at).to, 100);
  if (!tree) return true;
  for (let node: typeof tree.topNode | null = tree.resolveInner(start, 0); node; node = node.parent) {
    if (/^(BlockLiteral|BlockLiteralContent|QuotedLiteral|Literal)$/.test(node.name) && node.from < start) return true;
  }
  return false;
}

/** Whether a line of a Dockerfile belongs to a text between `<<EOF` and `EOF`. Between the lines of one instruction there
 * may be comments. */
function insideHeredoc(text: Text, line: number): boolean {
  const ends: { word: string; isIndented: boolean }[] = [];
  for (let number = 1; number < line; number++) {
    const own = text.line(number).text;
    const end = ends[0];
    if (end) {
      if ((end.isIndented ? own.replace(/^\t+/, "") : own) === end.word) ends.shift();
    } else if (/^\s*(ONBUILD\s+)?(RUN|COPY|ADD)\s/i.test(own)) {
      for (const [, dash, , word] of own.matchAll(/<<(-?)(["']?)([A-Za-z_]\w*)\2/g)) if (word) ends.push({ word, isIndented: dash === "-" });
    }
  }
  return ends.length > 0;
}

function ignore(view: EditorView, from: number, rule: string): void {
  const line = view.state.doc.lineAt(from);
  const indentation = /^\s*/.exec(line.text)?.[0] ?? "";
  const comment = `${indentation}# cosec: ignore[${rule}] ${REASON}`;
  const end = line.from + comment.length;
  view.dispatch({
    changes: { from: line.from, insert: `${comment}\n` },
    // The reason is the user's to write.
    selection: { anchor: end - REASON.length, head: end },
    userEvent: "input",
  });
  view.focus();
}
