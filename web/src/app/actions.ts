// What can be done about a finding where it stands.
import { ensureSyntaxTree, language } from "@codemirror/language";
import type { EditorView } from "@codemirror/view";
import type { MenuItem } from "./dom";

const REASON = "reason";

export interface Deeds {
  explain(rule: string): void;
  /** What can be done about the finding, if something can. */
  fix: MenuItem | undefined;
  /** Why its fix, which others of its rule have, is not there. */
  refusal: MenuItem | undefined;
}

export function findingActions(view: EditorView, finding: { from: number; rule: string }, { explain, fix, refusal }: Deeds): MenuItem[] {
  const items: MenuItem[] = [...(fix ? [fix] : []), { label: `Explain ${finding.rule}`, run: () => explain(finding.rule) }];
  if (!insideText(view, finding.from)) items.push({ label: `Ignore ${finding.rule} here`, hint: "a comment", run: () => ignore(view, finding) });
  return [...items, ...(refusal ? [refusal] : [])];
}

/** Whether a line above would not be a comment but part of a text over several lines. */
function insideText(view: EditorView, at: number): boolean {
  const { state } = view;
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

function ignore(view: EditorView, finding: { from: number; rule: string }): void {
  const line = view.state.doc.lineAt(finding.from);
  const indentation = /^\s*/.exec(line.text)?.[0] ?? "";
  const comment = `${indentation}# cosec: ignore[${finding.rule}] ${REASON}`;
  const end = line.from + comment.length;
  view.dispatch({
    changes: { from: line.from, insert: `${comment}\n` },
    // The reason is the user's to write.
    selection: { anchor: end - REASON.length, head: end },
    userEvent: "input",
  });
  view.focus();
}
