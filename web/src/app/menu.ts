// Menus: of a button, or at a place of the window.
import { h } from "./dom";

export interface MenuItem {
  label: string;
  hint?: string;
  run(): void;
}

function entry(item: MenuItem, close: () => void): HTMLButtonElement {
  const button = h("button", { type: "button", tabIndex: -1 }, h("span", {}, item.label), item.hint ? h("small", {}, item.hint) : null);
  button.setAttribute("role", "menuitem");
  button.addEventListener("click", () => {
    close();
    item.run();
  });
  return button;
}

/** Arrows move, Escape closes. */
function steer(list: HTMLElement, close: (back: boolean) => void): void {
  list.addEventListener("keydown", (event) => {
    const all = [...list.querySelectorAll<HTMLButtonElement>("button")];
    const root = list.getRootNode() as ShadowRoot;
    const at = all.indexOf(root.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all.at(to % all.length)?.focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close(true);
    } else if (event.key === "Tab") close(false);
  });
}

/** Where a list starts that is to start at `left`, so that it is inside of the window. */
const inside = (left: number, width: number) => Math.max(8, Math.min(left, innerWidth - width - 8));

/** A button that opens a menu; focus comes back to it. */
export function menu(button: HTMLButtonElement, items: () => MenuItem[]): HTMLElement {
  const list = h("div", { className: "menu", hidden: true });
  list.setAttribute("role", "menu");
  list.setAttribute("aria-label", button.getAttribute("aria-label") ?? button.textContent ?? "");
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  const close = (back: boolean) => {
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (back) button.focus();
  };
  const open = () => {
    list.replaceChildren(...items().map((item) => entry(item, () => close(true))));
    list.hidden = false;
    list.style.left = "0";
    const { left, width } = list.getBoundingClientRect();
    list.style.left = `${inside(left, width) - left}px`;
    button.setAttribute("aria-expanded", "true");
    list.querySelector("button")?.focus();
  };
  button.addEventListener("click", () => (list.hidden ? open() : close(true)));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || !list.hidden) return;
    event.preventDefault();
    open();
  });
  steer(list, close);
  const holder = h("div", { className: "menu-holder" }, button, list);
  holder.addEventListener("focusout", (event) => {
    if (!list.hidden && !holder.contains(event.relatedTarget as Node | null)) close(false);
  });
  return holder;
}

/** A menu at a place of the window. */
export function popup(parent: HTMLElement, at: { left: number; top: number; bottom: number }, label: string, items: MenuItem[], back: () => void): void {
  const list = h("div", { className: "menu popup", aria: { label } });
  list.setAttribute("role", "menu");
  let open = true;
  const close = (focus: boolean) => {
    if (!open) return;
    open = false;
    list.remove();
    if (focus) back();
  };
  list.append(...items.map((item) => entry(item, () => close(true))));
  steer(list, close);
  list.addEventListener("focusout", (event) => {
    if (!list.contains(event.relatedTarget as Node | null)) close(false);
  });
  parent.append(list);
  // Inside of the window, and above the place where there is no room below it.
  const { width, height } = list.getBoundingClientRect();
  const isAbove = at.bottom + 4 + height > innerHeight - 8 && at.top - 4 - height >= 8;
  list.style.left = `${inside(at.left, width)}px`;
  list.style.top = `${isAbove ? at.top - 4 - height : at.bottom + 4}px`;
  list.querySelector("button")?.focus();
}
