// The panel of findings: how many, which of them are shown, the list, and what could not be checked.
import type { Persona, Report, Severity } from "../core/types";
import { h } from "./dom";
import { type Actions, counted, type Filter, FindingsList, passes, type Pointed, renderUnchecked, SEVERITIES, summary } from "./findings";
import { patchContent } from "./patch";

const PERSONAS = [
  ["regular", "Everybody's rules"],
  ["pedantic", "Stricter rules too"],
  ["auditor", "Auditors' rules too"],
] as const;

/** The persona of an attribute that may say anything. */
export const personaOf = (value: string | null): Persona => PERSONAS.find(([name]) => name === value)?.[0] ?? "regular";

export interface PanelActions extends Actions {
  fixSafe(): void;
  persona(persona: Persona): void;
  /** Where the focus goes when the last entry goes away under it. */
  leave(): void;
}

/** What a panel shows. */
interface View {
  report: Report;
  /** The files in the order of their tabs, and those that are there and not read. */
  paths: string[];
  known: string[];
}

export class FindingsPanel {
  readonly box: HTMLElement;
  readonly #actions: PanelActions;
  readonly #summary = h("p", { id: "summary" }, "Getting ready…");
  readonly #fixSafe: HTMLButtonElement;
  readonly #chips: Map<Severity, HTMLButtonElement>;
  readonly #choices: Record<"file" | "rule", HTMLSelectElement>;
  readonly #persona: HTMLSelectElement;
  readonly #known = h("p", { id: "known", className: "fine", hidden: true });
  readonly #unchecked = h("details", { id: "unchecked", hidden: true }, h("summary"), h("ul"), h("p", {}, "On your machine, ", h("code", {}, "cosec lint"), " asks git and the disk as well."));
  readonly #list: FindingsList;
  #filter: Filter = { hidden: new Set(), file: "", rule: "" };
  #view: View | undefined;

  constructor(actions: PanelActions, persona: Persona) {
    this.#actions = actions;
    const list = h("ol", { id: "list", aria: { label: "Findings" } });
    this.#list = new FindingsList(list, actions, actions.leave);
    this.#fixSafe = h("button", { type: "button", className: "small fix", id: "fix-safe", hidden: true, onclick: () => actions.fixSafe() });
    this.#chips = new Map(SEVERITIES.map((severity) => [severity, this.#chip(severity)]));
    this.#choices = { file: this.#choice("file", "Of which file"), rule: this.#choice("rule", "Of which rule") };
    this.#persona = h("select", { id: "persona", aria: { label: "Whose rules" } }, ...PERSONAS.map(([value, label]) => h("option", { value }, label)));
    this.#persona.value = persona;
    this.#persona.addEventListener("change", () => actions.persona(personaOf(this.#persona.value)));
    const { file, rule } = this.#choices;
    this.box = h(
      "div",
      { translate: false },
      h(
        "div",
        { className: "head" },
        h("div", { className: "summary" }, this.#summary, this.#fixSafe),
        h("div", { className: "filters" }, ...this.#chips.values(), h("span", { className: "break" }), file, rule, this.#persona),
      ),
      list,
      this.#known,
      this.#unchecked,
    );
  }

  set persona(persona: Persona) {
    this.#persona.value = persona;
  }

  /** Other files: nothing is left out of them. */
  reset(): void {
    this.#filter = { hidden: new Set(), file: "", rule: "" };
    this.#list.fold();
  }

  /** Shows which entry the editor is at. The focus stays. */
  point(entry: Pointed): void {
    this.#list.point(entry);
  }

  render(view: View): void {
    this.#view = view;
    const { report, paths, known } = view;
    this.#summary.textContent = summary(report);
    const safe = report.findings.filter((finding) => finding.fix === "safe").length;
    this.#fixSafe.hidden = safe === 0;
    this.#fixSafe.textContent = `Fix ${safe} safely…`;
    this.#options("file", "All files", [...report.findings, ...report.errors].map((entry) => entry.file));
    this.#options("rule", "All rules", report.findings.map((finding) => finding.rule));
    const passing = report.findings.filter((finding) => passes({ ...this.#filter, hidden: new Set() }, finding));
    for (const [severity, chip] of this.#chips) {
      const count = passing.filter((finding) => finding.severity === severity).length;
      patchContent(chip, [h("span", { className: "dot" }), counted(count, severity)]);
      chip.setAttribute("aria-pressed", String(!this.#filter.hidden.has(severity)));
    }
    this.#list.render(report, this.#filter, paths);
    renderUnchecked(this.#unchecked, report, this.#actions);
    this.#known.hidden = known.length === 0;
    this.#known.textContent = `Not read, as what is in it is nobody's: ${known.sort().join(", ")}. Of these the page knows the size and how they end.`;
  }

  /** Nothing is known of the texts as they are now. */
  fail(): void {
    this.#view = undefined;
    this.#summary.textContent = "Not checked.";
    for (const chip of this.#chips.values()) chip.replaceChildren("–");
    this.#list.clear();
    for (const part of [this.#fixSafe, this.#unchecked, this.#known]) part.hidden = true;
  }

  #filtered(): void {
    this.#list.fold();
    if (this.#view) this.render(this.#view);
  }

  #chip(severity: Severity): HTMLButtonElement {
    const toggle = () => {
      if (!this.#filter.hidden.delete(severity)) this.#filter.hidden.add(severity);
      this.#filtered();
    };
    return h("button", { type: "button", className: `chip ${severity}`, data: { severity }, onclick: toggle });
  }

  #choice(id: "file" | "rule", label: string): HTMLSelectElement {
    const select = h("select", { id: `filter-${id}`, aria: { label } });
    select.addEventListener("change", () => {
      this.#filter[id] = select.value;
      this.#filtered();
    });
    return select;
  }

  #options(id: "file" | "rule", all: string, values: string[]): void {
    const select = this.#choices[id];
    const known = [...new Set(values)].sort();
    if (!known.includes(this.#filter[id])) this.#filter[id] = "";
    patchContent(select, [h("option", { value: "" }, all), ...known.map((value) => h("option", { value }, value))]);
    select.value = this.#filter[id];
    // Not under who stands in it.
    select.hidden = known.length < 2 && !select.matches(":focus");
  }
}
