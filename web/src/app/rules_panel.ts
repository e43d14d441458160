// The panel of rules: all of them, and the page of one.
import type { Linter } from "../core/linter";
import type { Rule } from "../core/types";
import { h } from "./dom";
import { wordFor } from "./findings";
import { render as renderMarkdown } from "./markdown";
import { patchList } from "./patch";

export class RulesPanel {
  readonly box: HTMLElement;
  readonly #linter: Linter;
  readonly #list = h("ul", { id: "rules", aria: { label: "Rules" } });
  readonly #page = h("article", { id: "page", tabIndex: -1, hidden: true, aria: { label: "Rule" } });
  readonly #open: () => void;
  readonly #leave: (opener: Element | null) => void;

  /** `open` brings the panel up; `leave` goes back to where a rule was asked for. */
  constructor(linter: Linter, open: () => void, leave: (opener: Element | null) => void) {
    this.#linter = linter;
    this.#open = open;
    this.#leave = leave;
    this.box = h("div", {}, this.#list, this.#page);
  }

  render(rules: Rule[]): void {
    const entries = rules.map((rule) => {
      const explain = () => void this.explain(rule.id, null);
      const open = () => h("button", { type: "button", data: { rule: rule.id }, onclick: explain }, h("span", { className: "dot" }), h("span", { className: "unseen" }, `${wordFor(rule.severity)}: `), h("code", {}, rule.id), h("span", {}, rule.summary));
      return { key: rule.id, shown: JSON.stringify(rule), make: () => h("li", { className: rule.severity }, open()) };
    });
    patchList(this.#list, entries);
  }

  /** Shows a rule's page. `opener` is where it was asked for, in another panel or the editor. */
  async explain(rule: string, opener: Element | null): Promise<void> {
    const markdown = await this.#linter.ask("explain", { rule }).catch(() => undefined);
    if (markdown === undefined) return;
    const all = () => {
      this.#page.hidden = true;
      this.#list.hidden = false;
      this.#list.querySelector<HTMLElement>(`[data-rule="${rule}"]`)?.focus();
    };
    const ways = [
      h("button", { type: "button", className: "small", onclick: () => this.#leave(opener) }, "Back to findings"),
      h("button", { type: "button", className: "small", onclick: all }, "All rules"),
    ];
    this.#page.replaceChildren(h("div", { className: "ways" }, ...ways), renderMarkdown(markdown));
    this.#page.hidden = false;
    this.#list.hidden = true;
    this.#open();
    this.#page.focus();
    this.#page.scrollIntoView({ block: "nearest" });
  }
}
