// The list beside the editor, and what it may be narrowed to.
import type { Finding, Place, Report, Severity } from "../core/types";
import { h } from "./dom";
import { inline } from "./markdown";

const WORDS: Record<Severity, [one: string, many: string]> = {
  error: ["error", "errors"],
  warning: ["warning", "warnings"],
  info: ["note", "notes"],
};
export const SEVERITIES = Object.keys(WORDS) as Severity[];

/** More at once would only be scrolled past, and would make typing wait. */
const PAGE = 100;

export interface Filter {
  hidden: Set<Severity>;
  file: string;
  rule: string;
}

export interface Actions {
  show(place: Place): void;
  fix(finding: Finding): void;
  explain(rule: string): void;
  add(path: string): void;
  example(): void;
}

export const passes = (filter: Filter, finding: Finding): boolean =>
  !filter.hidden.has(finding.severity) &&
  (filter.file === "" || finding.file === filter.file) &&
  (filter.rule === "" || finding.rule === filter.rule);

export function summary(report: Report): string {
  if (report.linted.length === 0 && report.errors.length === 0) {
    if (report.ignored.length > 0) return "All that is here, git ignores.";
    return report.excluded.length > 0 ? "All that is here, cosec.toml leaves out." : "No Compose file yet.";
  }
  const unread = report.errors.length;
  const parts = SEVERITIES.flatMap((severity) => {
    const count = report.findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${WORDS[severity][count === 1 ? 0 : 1]}`];
  });
  const found = parts.length === 0 ? (unread > 0 ? "" : "Nothing found.") : `${parts.join(", ")}.`;
  if (unread === 0) return found;
  const files = unread === 1 ? "1 file is" : `${unread} files are`;
  return `${found} ${files} not valid.`.trim();
}

export class FindingsList {
  readonly #list: HTMLElement;
  readonly #actions: Actions;
  #shown = PAGE;

  constructor(list: HTMLElement, actions: Actions) {
    this.#list = list;
    this.#actions = actions;
  }

  /** `order` is that of the tabs. */
  render(report: Report, filter: Filter, order: string[]): void {
    const rank = new Map(order.map((path, at) => [path, at]));
    const manyFiles = order.length > 1;
    const findings = report.findings
      .filter((finding) => passes(filter, finding))
      .sort((left, right) => (rank.get(left.file) ?? 0) - (rank.get(right.file) ?? 0));
    const items: HTMLElement[] = report.errors
      .filter((error) => filter.file === "" || error.file === filter.file)
      .map((error) => this.#error(error));
    items.push(...findings.slice(0, this.#shown).map((finding) => this.#item(finding, manyFiles)));
    if (findings.length > this.#shown) {
      const more = h("button", { type: "button", className: "more" }, `Show ${findings.length - this.#shown} more`);
      more.addEventListener("click", () => {
        this.#shown = Infinity;
        this.render(report, filter, order);
        this.#shown = PAGE;
      });
      items.push(h("li", {}, more));
    } else if (items.length === 0 && report.linted.length + report.ignored.length + report.excluded.length === 0) {
      const example = h("button", { type: "button", className: "small", id: "see-example" }, "Look at the example");
      example.addEventListener("click", () => this.#actions.example());
      items.push(h("li", { className: "empty invitation" }, h("p", {}, "Paste a compose.yaml into the editor, or drop files or a whole folder anywhere on this page."), example));
    } else if (items.length === 0 && report.findings.length > 0) {
      items.push(h("li", { className: "empty" }, "Nothing here passes the filter."));
    }
    this.#list.replaceChildren(...items);
  }

  #error(error: Report["errors"][number]): HTMLElement {
    const message = h("span", { className: "message" });
    inline(message, error.message);
    const where = error.place ? `${error.file}:${error.place.line}` : error.file;
    const jump = h("button", { type: "button", className: "jump" }, severity("error"), message, h("span", { className: "where" }, where));
    const place = error.place ?? { file: error.file, line: 1, column: 1, end_line: 1, end_column: 1 };
    jump.addEventListener("click", () => this.#actions.show(place));
    return h("li", { className: "error" }, jump, h("span", { className: "rule" }, "not valid"));
  }

  #item(finding: Finding, manyFiles: boolean): HTMLElement {
    const message = h("span", { className: "message" });
    inline(message, finding.message);
    const where = manyFiles ? `${finding.file}:${finding.line}` : `line ${finding.line}`;
    const { text, from, to } = finding.excerpt;
    const code = h("code", { className: "excerpt" }, text.slice(0, from), h("mark", {}, text.slice(from, to)), text.slice(to));
    const jump = h(
      "button",
      { type: "button", className: "jump" },
      severity(finding.severity),
      message,
      h("span", { className: "where" }, where),
      text && code,
    );
    jump.addEventListener("click", () => this.#actions.show(finding));
    const help = h("p", { className: "help" });
    inline(help, finding.help);
    const rule = h("button", { type: "button", className: "rule", aria: { label: `Explain ${finding.rule}` } }, finding.rule);
    rule.addEventListener("click", () => this.#actions.explain(finding.rule));
    const related = finding.related.map((other) => {
      const link = h("button", { type: "button", className: "related" }, `${other.file}:${other.line} ${other.message}`);
      link.addEventListener("click", () => this.#actions.show(other));
      return link;
    });
    const fix = finding.fix && fixButton(finding, () => this.#actions.fix(finding));
    return h("li", { className: finding.severity }, jump, finding.help !== "" && help, ...related, h("div", { className: "deeds" }, rule, fix));
  }
}

/** In words: a colour alone is nothing to who does not see it. */
function severity(severity: Severity): HTMLElement {
  return h("span", { className: "severity" }, WORDS[severity][0], h("span", { className: "unseen" }, ": "));
}

export const UNSAFE = "changes how it runs";

export function fixButton(finding: Finding, run: () => void): HTMLElement {
  const isUnsafe = finding.fix === "unsafe";
  const which = h("span", { className: "unseen" }, ` ${finding.rule} in line ${finding.line} of ${finding.file}: `);
  const button = h("button", { type: "button", className: "small fix" }, "Fix…", which, isUnsafe && h("small", {}, UNSAFE));
  button.addEventListener("click", run);
  return button;
}

/** What the page cannot know. Where a file would help, there is a button that makes it. */
export function renderUnchecked(box: HTMLDetailsElement, report: Report, actions: Actions): void {
  const errors = new Set(report.errors.map((error) => error.message));
  const entries = report.not_checked.filter((entry) => !errors.has(entry.reason));
  const byText = new Map<string, { files: Set<string>; wanted: string[] }>();
  for (const { file, rule, reason } of entries) {
    const text = rule === "*" ? reason : `${rule}: ${reason}`;
    const known = byText.get(text) ?? { files: new Set(), wanted: report.wanted.filter((path) => reason.includes(path)) };
    if (reason.includes("git cannot be asked")) known.wanted = [".gitignore"];
    known.files.add(file);
    byText.set(text, known);
  }
  if (report.by_gitignore) {
    byText.set("whether git tracks a secret's file already: only .gitignore was read here", { files: new Set(), wanted: [] });
  }
  box.hidden = byText.size === 0;
  box.querySelector("summary")?.replaceChildren(`Not checked here: ${byText.size}`);
  box.querySelector("ul")?.replaceChildren(
    ...[...byText].map(([text, { files, wanted }]) => {
      const item = h("li", {}, text, files.size > 0 && h("span", { className: "where" }, ` ${[...files].join(", ")}`));
      for (const path of wanted) {
        const add = h("button", { type: "button", className: "small" }, `Add ${path}`);
        add.addEventListener("click", () => actions.add(path));
        item.append(" ", add);
      }
      return item;
    }),
  );
}
