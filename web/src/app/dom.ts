// Elements with properties and children. Text only ever becomes text.

type Child = Node | string | false | null | undefined;
type Properties<E> = { [K in keyof E]?: E[K] | undefined } & { aria?: Record<string, string>; data?: Record<string, string> };

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties<HTMLElementTagNameMap[K]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  const { aria, data, ...rest } = properties;
  Object.assign(element, rest);
  for (const [name, value] of Object.entries(aria ?? {})) element.setAttribute(`aria-${name}`, value);
  for (const [name, value] of Object.entries(data ?? {})) element.dataset[name] = value;
  element.append(...children.filter((child) => child !== false && child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag: string, attributes: Record<string, string | number> = {}, ...children: (Node | string)[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

const ICONS: Record<string, string> = {
  open: "M2 4.5h4l1.5 1.5H14v7H2z",
  download: "M8 2.5v7m-3-3 3 3 3-3M3 13h10",
  link: "M6.5 9.5l3-3M7 4.5l1-1a2.8 2.8 0 0 1 4 4l-1 1M9 11.5l-1 1a2.8 2.8 0 0 1-4-4l1-1",
  plus: "M8 3v10M3 8h10",
  close: "M4.5 4.5l7 7m0-7l-7 7",
  bulb: "M6 11.5h4M6.5 13.5h3M5.8 9.8A4 4 0 1 1 10.2 9.8c-.5.4-.7.9-.7 1.7h-3c0-.8-.2-1.3-.7-1.7z",
  pencil: "M3 13l.7-2.8L10.5 3.4l2.1 2.1-6.8 6.8z",
  chevron: "M4.5 6.5L8 10l3.5-3.5",
};

export function icon(name: keyof typeof ICONS & string): SVGElement {
  return svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" }, svg("path", { d: ICONS[name] ?? "" }));
}

/** Hands a file to the user's disk; nothing is sent. */
export function download(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

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
    // Keeps to the window where the button stands at its right edge.
    list.classList.remove("left");
    list.classList.toggle("left", list.getBoundingClientRect().right > innerWidth - 8);
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
export function popup(parent: HTMLElement, at: { left: number; bottom: number }, label: string, items: MenuItem[], back: () => void): void {
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
  list.style.left = `${Math.min(at.left, innerWidth - 300)}px`;
  list.style.top = `${at.bottom + 4}px`;
  steer(list, close);
  list.addEventListener("focusout", (event) => {
    if (!list.contains(event.relatedTarget as Node | null)) close(false);
  });
  parent.append(list);
  list.querySelector("button")?.focus();
}
