// The panels that are about one project: who gets which secret, and what Compose makes of the files.
import type { Linter } from "../core/linter";
import type { Config, Place, Report } from "../core/types";
import { renderConfig } from "./config";
import { copyText } from "./copy";
import { h } from "./dom";
import type { Notice } from "./notice";
import { patchContent } from "./patch";
import { renderPlan } from "./plan";

type Name = "plan" | "config";

export class ProjectPanels {
  readonly plan: HTMLElement;
  readonly config: HTMLElement;
  readonly #linter: Linter;
  readonly #notice: Notice;
  readonly #show: (place: Place) => void;
  readonly #selects: Record<Name, HTMLSelectElement>;
  readonly #boxes: Record<Name, HTMLElement> = { plan: h("div", { id: "plan" }), config: h("div", { id: "config" }) };
  readonly #values = h("input", { type: "checkbox", id: "values" });
  readonly #copy = h("button", { type: "button", className: "small", id: "copy-config", onclick: () => void this.#copyConfig() }, "Copy");
  #report: Report | undefined;
  #current = "";
  /** Which project is looked at, by its first file. */
  #project = "";
  #shown: Config | undefined;

  constructor(linter: Linter, notice: Notice, show: (place: Place) => void) {
    this.#linter = linter;
    this.#notice = notice;
    this.#show = show;
    this.#selects = { plan: this.#select("plan"), config: this.#select("config") };
    this.#values.addEventListener("change", () => void this.#render("config"));
    this.plan = h("div", { translate: false }, this.#selects.plan, this.#boxes.plan);
    this.config = h("div", { translate: false }, h("div", { className: "head config" }, this.#selects.config, h("label", {}, this.#values, " show values"), this.#copy), this.#boxes.config);
  }

  /** What one of the panels shows, if `panel` is one of them. `current` is the file in the editor. */
  render(panel: string, report: Report | undefined, current: string): void {
    this.#report = report;
    this.#current = current;
    if (panel === "plan" || panel === "config") void this.#render(panel);
  }

  /** Other files: of these nobody has asked for the values. */
  reset(): void {
    this.#values.checked = false;
    this.#shown = undefined;
    patchContent(this.#boxes.config, []);
  }

  fail(leave: () => void): void {
    this.#report = undefined;
    for (const box of Object.values(this.#boxes)) patchContent(box, [], leave);
  }

  #select(name: Name): HTMLSelectElement {
    const select = h("select", { className: "project", aria: { label: "Project" }, hidden: true });
    select.addEventListener("change", () => {
      this.#project = select.value;
      void this.#render(name);
    });
    return select;
  }

  async #render(name: Name): Promise<void> {
    const projects = (this.#report?.linted ?? []).filter((path) => /\.ya?ml$/i.test(path) && !/\.override\./i.test(path));
    if (!projects.includes(this.#project)) this.#project = projects.includes(this.#current) ? this.#current : (projects[0] ?? "");
    const [select, box, path] = [this.#selects[name], this.#boxes[name], this.#project];
    patchContent(select, projects.map((path) => h("option", { value: path }, path)));
    select.value = path;
    // Not under who stands in it.
    select.hidden = projects.length < 2 && !select.matches(":focus");
    if (path === "") {
      this.#copy.hidden = true;
      return patchContent(box, [h("p", { className: "note" }, this.#report ? "No Compose file yet." : "Not checked.")]);
    }
    if (name === "plan") {
      const plan = await this.#linter.ask("plan", { path }).catch(() => undefined);
      if (plan) renderPlan(box, plan, this.#show);
      return;
    }
    const config = await this.#linter.ask("config", { path, values: this.#values.checked }).catch(() => undefined);
    if (!config) return;
    if (config.text !== this.#shown?.text) this.#copy.textContent = "Copy";
    this.#shown = config;
    this.#copy.hidden = config.text === null;
    renderConfig(box, config, this.#show);
  }

  async #copyConfig(): Promise<void> {
    const isCopied = await copyText(this.#shown?.text ?? "");
    this.#copy.textContent = isCopied ? "Copied" : "Copy";
    if (isCopied) this.#notice.announce("Copied.");
    else this.#notice.say("The browser does not let this page copy; select the text instead.");
  }
}
