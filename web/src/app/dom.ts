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
