// The list beside the editor, and what it may be narrowed to.
import type { Finding, Place, Report, Severity } from "../core/types";
import { h } from "./dom";
import { capital, inline } from "./markdown";
import { type Entry, patchContent, patchList } from "./patch";

const WORDS: Record<Severity, [one: string, many: string]> = {
  error: ["error", "errors"],
  warning: ["warning", "warnings"],
  info: ["note", "notes"],
};
export const SEVERITIES = Object.keys(WORDS) as Severity[];

/** More at once would only be scrolled past, and would make typing wait. */
const PAGE = 100;
const PAGES_MORE = 500;

export const wordFor = (severity: Severity): string => WORDS[severity][0];

/** "1 error", "3 notes". */
export const counted = (count: number, severity: Severity): string => `${count} ${WORDS[severity][count === 1 ? 0 : 1]}`;

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
    return count === 0 ? [] : [counted(count, severity)];
  });
  const found = parts.length === 0 ? (unread > 0 ? "" : "Nothing found.") : `${parts.join(", ")}.`;
  const sentences = [found];
  if (unread > 0) sentences.push(`${unread === 1 ? "1 file is" : `${unread} files are`} not valid.`);
  const away = missing(report).length;
  if (away > 0) sentences.push(`${away === 1 ? "1 file that these ask for is" : `${away} files that these ask for are`} not here.`);
  return sentences.join(" ").trim();
}

/** Files without which a project is not looked at as a whole: included ones and the like. */
export function missing(report: Report): string[] {
  const reasons = report.not_checked.filter((entry) => entry.rule === "*").map((entry) => entry.reason);
  return report.wanted.filter((path) => reasons.some((reason) => reason.includes(path)));
}

/** An entry by what it is about: a finding, or, where there is no rule, a file that is not valid. */
export interface Pointed {
  file: string;
  rule?: string;
  line?: number;
  column?: number;
}

export class FindingsList {
  readonly #list: HTMLElement;
  readonly #actions: Actions;
  readonly #leave: () => void;
  #most = PAGE;
  #again = () => {};
  /** Of the entry that the editor is at; with an edit its place may be another, its key stays. */
  #current = "";
  #pointed: Pointed | undefined;

  /** `leave` is called when the last entry goes away under who stands in it. */
  constructor(list: HTMLElement, actions: Actions, leave: () => void) {
    this.#list = list;
    this.#actions = actions;
    this.#leave = leave;
  }

  /** Back to a first page. */
  fold(): void {
    this.#most = PAGE;
    this.#current = "";
  }

  /** Marks the entry that the editor is at, and scrolls to it. */
  point(entry: Pointed): void {
    this.#pointed = entry;
    this.#current = "";
    this.#again();
    this.#pointed = undefined;
    this.#list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  #isPointed({ file, rule, line, column }: Pointed): boolean {
    const at = this.#pointed;
    return at !== undefined && at.file === file && at.rule === rule && (rule === undefined || (at.line === line && at.column === column));
  }

  /** An entry, marked where it is the one that the editor is at. */
  #entry(key: string, shown: unknown, make: () => HTMLElement, of: Pointed): Entry {
    if (this.#current === "" && this.#isPointed(of)) this.#current = key;
    const isCurrent = key === this.#current;
    const made = () => {
      const item = make();
      if (isCurrent) item.setAttribute("aria-current", "true");
      return item;
    };
    return { key, shown: JSON.stringify([shown, isCurrent]), make: made };
  }

  clear(): void {
    patchList(this.#list, [], this.#leave);
  }

  /** `order` is that of the tabs. */
  render(report: Report, filter: Filter, order: string[]): void {
    this.#again = () => this.render(report, filter, order);
    const rank = new Map(order.map((path, at) => [path, at]));
    const manyFiles = order.length > 1;
    const findings = report.findings
      .filter((finding) => passes(filter, finding))
      .sort((left, right) => (rank.get(left.file) ?? 0) - (rank.get(right.file) ?? 0));
    const seen = new Map<string, number>();
    // Two of the same name are told apart by their order.
    const unique = (name: string) => {
      const number = (seen.get(name) ?? 0) + 1;
      seen.set(name, number);
      return `${name} ${number}`;
    };
    const entries: Entry[] = report.errors
      .filter((error) => filter.file === "" || error.file === filter.file)
      .map((error) => this.#entry(unique(`error ${error.file}`), error, () => this.#error(error), { file: error.file }));
    // The entry that is asked for is on the page.
    this.#most = Math.max(this.#most, 1 + findings.findIndex((finding) => this.#isPointed(finding)));
    for (const finding of findings.slice(0, this.#most)) {
      const key = unique(`${finding.rule} ${finding.file} ${finding.fingerprint}`);
      entries.push(this.#entry(key, [finding, manyFiles], () => this.#item(finding, manyFiles), finding));
    }
    const left = findings.length - this.#most;
    if (left > 0) {
      const count = Math.min(left, PAGES_MORE);
      entries.push(note("more", "", h("button", { type: "button", className: "more", onclick: () => this.#more() }, `Show ${count} more${left > count ? ` of ${left}` : ""}`), String(left)));
    } else if (entries.length === 0 && report.linted.length + report.ignored.length + report.excluded.length === 0) {
      const example = h("button", { type: "button", className: "small", id: "see-example", onclick: () => this.#actions.example() }, "Look at the example");
      const invitation = h("div", { className: "invitation" }, h("p", {}, "Paste a compose.yaml into the editor, or drop files or a whole folder anywhere on this page."), example);
      entries.push(note("nothing yet", "empty", invitation));
    } else if (entries.length === 0 && report.findings.length > 0) {
      entries.push(note("nothing passes", "empty", "Nothing here passes the filter."));
    }
    patchList(this.#list, entries, this.#leave);
  }

  /** The focus goes to the first of those that have come. */
  #more(): void {
    const first = this.#list.children.length - 1;
    this.#most += PAGES_MORE;
    this.#again();
    this.#list.children[first]?.querySelector("button")?.focus();
  }

  #error(error: Report["errors"][number]): HTMLElement {
    const message = h("span", { className: "message" });
    inline(message, capital(error.message));
    const where = error.place ? `${error.file}:${error.place.line}` : error.file;
    const place = error.place ?? { file: error.file, line: 1, column: 1, end_line: 1, end_column: 1 };
    const show = () => this.#actions.show(place);
    const jump = h("button", { type: "button", className: "jump", onclick: show }, severity("error"), message, h("span", { className: "where" }, where));
    return h("li", { className: "error" }, jump, h("span", { className: "rule" }, "not valid"));
  }

  #item(finding: Finding, manyFiles: boolean): HTMLElement {
    const message = h("span", { className: "message" });
    inline(message, capital(finding.message));
    const where = manyFiles ? `${finding.file}:${finding.line}` : `line ${finding.line}`;
    const { text, from, to } = finding.excerpt;
    const code = h("code", { className: "excerpt" }, text.slice(0, from), h("mark", {}, text.slice(from, to)), text.slice(to));
    const jump = h(
      "button",
      { type: "button", className: "jump", onclick: () => this.#actions.show(finding) },
      severity(finding.severity),
      message,
      h("span", { className: "where" }, where),
      text && code,
    );
    const help = h("p", { className: "help" });
    inline(help, capital(finding.help));
    const explain = () => this.#actions.explain(finding.rule);
    const rule = h("button", { type: "button", className: "rule", aria: { label: `Explain ${finding.rule}` }, onclick: explain }, finding.rule);
    const related = finding.related.map((other) =>
      h("button", { type: "button", className: "related", onclick: () => this.#actions.show(other) }, `${other.file}:${other.line} ${other.message}`),
    );
    const fix = finding.fix && fixButton(finding, () => this.#actions.fix(finding));
    return h("li", { className: finding.severity }, jump, finding.help !== "" && help, ...related, h("div", { className: "deeds" }, rule, fix));
  }
}

/** An entry that is no finding. */
const note = (key: string, className: string, content: Node | string, shown = ""): Entry => ({ key, shown, make: () => h("li", { className }, content) });

/** In words: a colour alone is nothing to who does not see it. */
function severity(severity: Severity): HTMLElement {
  return h("span", { className: "severity" }, WORDS[severity][0], h("span", { className: "unseen" }, ": "));
}

export const UNSAFE = "changes how it runs";

export function fixButton(finding: Finding, run: () => void): HTMLElement {
  const isUnsafe = finding.fix === "unsafe";
  const which = h("span", { className: "unseen" }, ` ${finding.rule} in line ${finding.line} of ${finding.file}: `);
  return h("button", { type: "button", className: "small fix", onclick: run }, "Fix…", which, isUnsafe && h("small", {}, UNSAFE));
}

/** What the page cannot know. Where a file would help, there is a button that makes it. */
export function renderUnchecked(box: HTMLDetailsElement, report: Report, actions: Actions): void {
  const errors = new Set(report.errors.map((error) => error.message));
  const unchecked = report.not_checked.filter((entry) => !errors.has(entry.reason));
  const byText = new Map<string, { files: Set<string>; wanted: string[] }>();
  for (const { file, rule, reason } of unchecked) {
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
  // What matters most is not folded away.
  const isMissing = missing(report).length > 0;
  if (isMissing && box.dataset["missing"] === undefined) box.open = true;
  if (isMissing) box.dataset["missing"] = "";
  else delete box.dataset["missing"];
  const [head, list] = [box.querySelector("summary"), box.querySelector("ul")];
  if (!head || !list) return;
  patchContent(head, [`Not checked here: ${byText.size}`]);
  const entries = [...byText].map(([text, { files, wanted }]): Entry => {
    const make = () => {
      const item = h("li", {}, text, files.size > 0 && h("span", { className: "where" }, ` ${[...files].join(", ")}`));
      for (const path of wanted) item.append(" ", h("button", { type: "button", className: "small", onclick: () => actions.add(path) }, `Add ${path}`));
      return item;
    };
    return { key: text, shown: JSON.stringify([[...files], wanted]), make };
  });
  patchList(list, entries, () => head.focus());
}
