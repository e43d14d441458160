// The panels beside the editor, one at a time.
import { h } from "./dom";

export interface Panel {
  name: string;
  label: string;
  box: HTMLElement;
}

export class Panels {
  readonly tabs = h("div", { className: "panel-tabs" });
  readonly boxes: HTMLElement[];
  readonly #panels: Panel[];
  readonly #opened: (name: string) => void;
  #open: string;

  /** `opened` hears of each panel that comes to be seen. */
  constructor(panels: Panel[], opened: (name: string) => void) {
    this.#panels = panels;
    this.#opened = opened;
    this.#open = panels[0]?.name ?? "";
    this.tabs.setAttribute("role", "tablist");
    this.tabs.setAttribute("aria-label", "Results");
    this.boxes = panels.map(({ name, box }) => {
      Object.assign(box, { id: `panel-${name}`, className: "panel" });
      box.setAttribute("role", "tabpanel");
      box.setAttribute("aria-labelledby", `tab-${name}`);
      return box;
    });
    for (const { name, label } of panels) {
      const tab = h("button", { type: "button", id: `tab-${name}`, aria: { controls: `panel-${name}` }, onclick: () => this.open(name) }, label);
      tab.setAttribute("role", "tab");
      this.tabs.append(tab);
    }
    this.tabs.addEventListener("keydown", (event) => this.#key(event));
    this.#show();
  }

  /** The name of the one that is seen. */
  get current(): string {
    return this.#open;
  }

  open(name: string): void {
    this.#open = name;
    this.#show();
    this.#opened(name);
  }

  label(name: string, text: string): void {
    const tab = this.#tab(name);
    if (tab && tab.textContent !== text) tab.textContent = text;
  }

  focus(): void {
    this.#tab(this.#open)?.focus();
  }

  #tab(name: string): HTMLButtonElement | null {
    return this.tabs.querySelector(`#tab-${name}`);
  }

  #show(): void {
    for (const { name, box } of this.#panels) {
      const tab = this.#tab(name);
      tab?.setAttribute("aria-selected", String(name === this.#open));
      if (tab) tab.tabIndex = name === this.#open ? 0 : -1;
      box.hidden = name !== this.#open;
    }
  }

  #key(event: KeyboardEvent): void {
    const at = this.#panels.findIndex(({ name }) => name === this.#open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    const next = to === undefined ? undefined : this.#panels.at(to % this.#panels.length);
    if (!next) return;
    event.preventDefault();
    this.open(next.name);
    this.focus();
  }
}
