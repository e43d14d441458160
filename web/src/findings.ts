// The list beside the editor.
import { inline } from "./markdown";
import type { Finding, Report } from "./protocol";

const WORDS: Record<Finding["severity"], string> = { error: "Error", warning: "Warning", info: "Info" };

export interface Actions {
  show(finding: Finding): void;
  explain(rule: string): void;
}

export function summary(report: Report): string {
  if (report.not_checked.some((entry) => entry.rule === "*")) return "This is no Compose file yet.";
  const count = report.findings.length;
  return count === 0 ? "Nothing found." : count === 1 ? "1 finding." : `${count} findings.`;
}

export function renderList(list: HTMLElement, report: Report, actions: Actions): void {
  list.replaceChildren(...report.findings.map((finding) => item(finding, actions)));
}

function item(finding: Finding, actions: Actions): HTMLLIElement {
  const jump = document.createElement("button");
  jump.type = "button";
  jump.className = "jump";
  const severity = Object.assign(document.createElement("span"), {
    className: `severity ${finding.severity}`,
    textContent: WORDS[finding.severity],
  });
  const line = Object.assign(document.createElement("span"), { className: "line", textContent: `line ${finding.line}` });
  const message = Object.assign(document.createElement("span"), { className: "message" });
  inline(message, finding.message);
  jump.append(severity, line, message);
  jump.addEventListener("click", () => actions.show(finding));

  const help = Object.assign(document.createElement("p"), { className: "help" });
  inline(help, finding.help);
  const rule = Object.assign(document.createElement("button"), { type: "button", className: "rule", textContent: finding.rule });
  rule.setAttribute("aria-label", `Explain ${finding.rule}`);
  rule.addEventListener("click", () => actions.explain(finding.rule));

  const entry = document.createElement("li");
  entry.append(jump, help, rule);
  return entry;
}

export function renderUnchecked(box: HTMLElement, list: HTMLElement, report: Report): void {
  box.hidden = report.not_checked.length === 0;
  list.replaceChildren(
    ...report.not_checked.map((entry) =>
      Object.assign(document.createElement("li"), {
        textContent: entry.rule === "*" ? entry.reason : `${entry.rule}: ${entry.reason}`,
      }),
    ),
  );
}
