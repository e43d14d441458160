// The page: editor, findings, and the linter between them.
import type { Diagnostic } from "@codemirror/lint";
import { EditorView } from "@codemirror/view";
import { createEditor, marks } from "./editor";
import { EXAMPLE } from "./example";
import { renderList, renderUnchecked, summary } from "./findings";
import { Linter } from "./linter";
import { render } from "./markdown";
import { range } from "./positions";
import type { Finding, Report } from "./protocol";

/** Short enough to feel at once, long enough not to lint every letter of a word. */
const TYPING_PAUSE_MS = 60;

const element = <T extends HTMLElement>(id: string): T => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
};

const status = element("summary");
const trouble = element("trouble");
const page = element("page");
let pause: ReturnType<typeof setTimeout> | undefined;

const editor = createEditor(
  element("editor"),
  EXAMPLE,
  (text, pasted) => {
    clearTimeout(pause);
    pause = setTimeout(() => linter.lint(text), pasted ? 0 : TYPING_PAUSE_MS);
  },
  jump,
);

const linter = new Linter({
  ready(version) {
    element("version").textContent = version;
    linter.lint(editor.text());
  },
  report(report, text) {
    // Typed on meanwhile: the places are no longer true, and the next report is on its way.
    if (text === editor.text()) show(report);
  },
  failed(message) {
    trouble.textContent = message;
    trouble.hidden = false;
    status.textContent = "";
  },
});

function show(report: Report): void {
  trouble.hidden = true;
  status.textContent = summary(report);
  renderList(element("list"), report, { show: reveal, explain });
  renderUnchecked(element("unchecked"), element("unchecked-list"), report);
  editor.mark(diagnostics(report));
}

function diagnostics(report: Report): Diagnostic[] {
  const text = editor.view.state.doc;
  const found: Diagnostic[] = report.findings.map((finding) => ({
    ...range(text, finding),
    severity: finding.severity,
    source: finding.rule,
    message: `${finding.message}. ${finding.help}`,
  }));
  const reason = report.not_checked.find((entry) => entry.rule === "*")?.reason;
  if (report.error && reason) found.push({ ...range(text, report.error), severity: "error", message: reason });
  return found;
}

function select(from: number, to: number): void {
  editor.view.dispatch({
    selection: { anchor: from, head: to },
    effects: EditorView.scrollIntoView(from, { y: "center" }),
  });
  editor.view.focus();
}

function reveal(finding: Finding): void {
  const { from, to } = range(editor.view.state.doc, finding);
  select(from, to);
}

function jump(direction: 1 | -1): void {
  const places = marks(editor.view);
  const here = editor.view.state.selection.main.from;
  const ordered = direction === 1 ? places : places.reverse();
  const next = ordered.find(({ from }) => (direction === 1 ? from > here : from < here)) ?? ordered[0];
  if (next) select(next.from, next.to);
}

async function explain(rule: string): Promise<void> {
  const close = Object.assign(document.createElement("button"), { type: "button", className: "close", textContent: "Close" });
  const opener = document.activeElement;
  close.addEventListener("click", () => {
    page.hidden = true;
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  });
  page.replaceChildren(close, render(await linter.explain(rule)));
  page.hidden = false;
  page.focus();
  page.scrollIntoView({ block: "nearest" });
}

element("example").addEventListener("click", () => editor.replace(EXAMPLE));
element("clear").addEventListener("click", () => {
  editor.replace("");
  editor.view.focus();
});
// F8 works wherever the focus is.
addEventListener("keydown", (event) => {
  if (event.key !== "F8" || event.defaultPrevented) return;
  event.preventDefault();
  jump(event.shiftKey ? -1 : 1);
});

linter.start().catch(() => {
  trouble.textContent = "The linter could not be loaded. Reload the page; if it stays so, this browser may lack WebAssembly.";
  trouble.hidden = false;
  status.textContent = "";
});
