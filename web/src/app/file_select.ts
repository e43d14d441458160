// All files by name, where they are more than the strip of tabs shows at once.
import { h } from "./dom";
import { patchContent } from "./patch";
import type { TabView } from "./tabs";

const FROM = 8;

export class FileSelect {
  readonly box = h("select", { id: "all-files", title: "All files", aria: { label: "All files" }, hidden: true });

  /** `show` leaves the focus here: arrow keys go from file to file. */
  constructor(show: (path: string) => void) {
    this.box.addEventListener("change", () => show(this.box.value));
  }

  render(tabs: TabView[], current: string): void {
    this.box.hidden = tabs.length < FROM && !this.box.matches(":focus");
    if (this.box.hidden) return this.box.replaceChildren();
    const options = tabs.map(({ path, count, broken }) => h("option", { value: path }, path, broken ? " (not valid)" : count > 0 && ` (${count})`));
    patchContent(this.box, options);
    this.box.value = current;
  }
}
