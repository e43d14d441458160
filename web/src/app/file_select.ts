// All files by name, where they are more than the strip of tabs shows at once.
import { h, icon } from "./dom";
import { patchContent } from "./patch";
import type { TabView } from "./tabs";

const FROM = 8;

export class FileSelect {
  readonly #select = h("select", { id: "all-files", title: "All files", aria: { label: "All files" } });
  readonly #count = h("span", { aria: { hidden: "true" } });
  readonly box = h("div", { className: "all-files", hidden: true }, this.#count, icon("chevron"), this.#select);

  /** `show` leaves the focus here: arrow keys go from file to file. */
  constructor(show: (path: string) => void) {
    this.#select.addEventListener("change", () => show(this.#select.value));
  }

  render(tabs: TabView[], current: string): void {
    this.box.hidden = tabs.length < FROM && !this.#select.matches(":focus");
    if (this.box.hidden) return this.#select.replaceChildren();
    this.#count.textContent = `${tabs.length} files`;
    const options = tabs.map(({ path, count, broken }) => h("option", { value: path }, path, broken ? " (not valid)" : count > 0 && ` (${count})`));
    patchContent(this.#select, options);
    this.#select.value = current;
  }
}
