// The strip of files: arrows move, F2 renames, Delete closes.
import { h, icon } from "./dom";
import { patchList } from "./patch";
import { clean, shortNames } from "./paths";
import type { Severity } from "../core/types";

export interface TabView {
  path: string;
  count: number;
  worst: Severity | undefined;
  /** It is not valid as what it is. */
  broken: boolean;
  /** It is there and not linted. */
  faint: boolean;
}

export interface TabActions {
  select(path: string): void;
  close(path: string): void;
  /** To a clean path; false where it cannot be had. */
  rename(path: string, to: string): boolean;
  /** Why a file has not got the name that was written; nothing once it has one. */
  refused(why: string): void;
  leave(): void;
}

export class TabStrip {
  readonly list = h("ul", { id: "tabs", aria: { label: "Files" } });
  readonly #actions: TabActions;
  #current = "";
  #editing = false;

  constructor(actions: TabActions) {
    this.#actions = actions;
    this.list.addEventListener("keydown", (event) => this.#key(event));
  }

  render(tabs: TabView[], current: string): void {
    if (this.#editing) return;
    const names = shortNames(tabs.map((tab) => tab.path));
    const entries = tabs.map((tab) => {
      const isCurrent = tab.path === current;
      const label = names.get(tab.path) ?? tab.path;
      return { key: tab.path, shown: JSON.stringify([tab, label, isCurrent]), make: () => this.#tab(tab, label, isCurrent) };
    });
    patchList(this.list, entries, () => this.#actions.leave());
    if (current !== this.#current) this.list.querySelector('[aria-current="true"]')?.parentElement?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.#current = current;
  }

  focus(path: string): void {
    this.#buttons().find((button) => button.dataset["path"] === path)?.focus();
  }

  #buttons(): HTMLButtonElement[] {
    return [...this.list.querySelectorAll<HTMLButtonElement>("button.name")];
  }

  #tab(tab: TabView, label: string, current: boolean): HTMLElement {
    const words = tab.broken ? ", not valid" : tab.count > 0 ? `, ${tab.count} found` : "";
    const cut = label.lastIndexOf("/") + 1;
    const name = h(
      "button",
      {
        type: "button",
        className: "name",
        title: tab.path,
        data: { path: tab.path },
        tabIndex: current ? 0 : -1,
        onclick: () => this.#actions.select(tab.path),
        ondblclick: () => this.edit(tab.path),
        onauxclick: (event) => event.button === 1 && this.#actions.close(tab.path),
      },
      h("bdi", {}, cut > 0 && h("span", { className: "dir" }, label.slice(0, cut)), h("span", { className: "own" }, label.slice(cut))),
      tab.worst && h("span", { className: `badge ${tab.worst}`, aria: { hidden: "true" } }, tab.broken ? "!" : String(tab.count)),
      words !== "" && h("span", { className: "unseen" }, words),
    );
    if (current) name.setAttribute("aria-current", "true");
    const close = () => this.#actions.close(tab.path);
    return h(
      "li",
      { className: tab.faint ? "faint" : "" },
      name,
      // On every tab, seen or not: tabs that change their width under the mouse make double clicks hit something else.
      h("button", { type: "button", className: "ghost", title: "Close (Delete)", tabIndex: current ? 0 : -1, aria: { label: `Close ${tab.path}` }, onclick: close }, icon("close")),
    );
  }

  /** Turns a name into a field. */
  edit(path: string): void {
    const button = this.#buttons().find((button) => button.dataset["path"] === path);
    if (!button || this.#editing) return;
    this.#editing = true;
    const field = h("input", { value: path, className: "rename", spellcheck: false, aria: { label: `New name of ${path}` } });
    field.size = Math.min(60, Math.max(12, path.length));
    // By a key: who clicks elsewhere, or goes on with Tab, is there already.
    let isRefused = false;
    const finish = (to: string | undefined, isKey: boolean) => {
      if (!this.#editing) return;
      const why = to === undefined ? "" : this.#whyNot(path, to);
      if (why !== "" || isRefused) this.#actions.refused(why);
      isRefused = why !== "";
      if (isRefused && isKey) {
        field.setAttribute("aria-invalid", "true");
        return;
      }
      if (isRefused) to = undefined;
      this.#editing = false;
      const wanted = to === undefined ? path : clean(to);
      if (wanted === path || !this.#actions.rename(path, wanted)) field.replaceWith(button);
      if (isKey) this.#actions.select(wanted);
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      // The editor has the focus when the browser comes to what the key does: it would write a line break.
      event.preventDefault();
      finish(event.key === "Enter" ? field.value : undefined, true);
    });
    field.addEventListener("blur", () => finish(field.value, false));
    button.replaceWith(field);
    field.focus();
    field.select();
  }

  /** Why a file cannot have this name, if it cannot. */
  #whyNot(path: string, to: string): string {
    const wanted = clean(to);
    if (wanted === "") return `A file needs a name; this one is still ${path}.`;
    const isTaken = wanted !== path && this.#buttons().some((button) => button.dataset["path"] === wanted);
    return isTaken ? `There is a file ${wanted} already; this one is still ${path}.` : "";
  }

  #key(event: KeyboardEvent): void {
    const buttons = this.#buttons();
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    if (at < 0) return;
    const path = buttons[at]?.dataset["path"] ?? "";
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) {
      const next = buttons.at(to % buttons.length)?.dataset["path"] ?? path;
      this.#actions.select(next);
      this.focus(next);
    } else if (event.key === "F2") this.edit(path);
    else if (event.key === "Delete") this.#actions.close(path);
    else if (event.key === "ArrowDown") this.#actions.leave();
    else return;
    event.preventDefault();
  }
}
