// Makes what is shown what it is to be, and leaves alone what is so already: who stands in it, with the keyboard or a
// screen reader, goes on standing there.

/** What listens to a click is a property, so that it can be carried over. */
const HANDLERS = ["onclick", "ondblclick", "onauxclick"] as const;
type Clickable = Element & { [H in (typeof HANDLERS)[number]]: ((event: PointerEvent) => unknown) | null };

const FOCUSABLE = "button, a[href], input, select, summary, [tabindex]";

/** One entry of a list. */
export interface Entry {
  /** What it is about; the same before and after, and of no other entry. */
  key: string;
  /** All that `make` makes of it: what is told by the same text is not made again. */
  shown: string;
  make(): HTMLElement;
}

const shownBy = new WeakMap<Element, string>();
const keyOf = new WeakMap<Element, string>();

/** The entries of a list, in their order. Where the one that has the focus goes away, its neighbour gets it, and in an
 * empty list whoever `otherwise` gives it to. */
export function patchList(list: HTMLElement, entries: Entry[], otherwise?: () => void): void {
  keepingFocus(list, otherwise, () => {
    const before = new Map([...list.children].map((child) => [keyOf.get(child), child]));
    const after = entries.map((entry) => {
      const old = before.get(entry.key);
      if (old && shownBy.get(old) === entry.shown) return old;
      const made = entry.make();
      const node = old?.nodeName === made.nodeName ? patch(old, made) : made;
      keyOf.set(node, entry.key);
      shownBy.set(node, entry.shown);
      return node;
    });
    arrange(list, after);
  });
}

/** What stands in an element; parts of it are told apart by their kind, their id, their `data-key` and their order. */
export function patchContent(parent: HTMLElement, content: (Node | string)[], otherwise?: () => void): void {
  keepingFocus(parent, otherwise, () => patchChildren(parent, content.map((node) => (typeof node === "string" ? new Text(node) : node))));
}

function keepingFocus(parent: HTMLElement, otherwise: (() => void) | undefined, work: () => void): void {
  const root = parent.getRootNode() as Document | ShadowRoot;
  const focused = root.activeElement;
  if (!(focused instanceof HTMLElement || focused instanceof SVGElement) || focused === parent || !parent.contains(focused)) return work();
  const children = [...parent.children];
  const own = children.findIndex((child) => child.contains(focused));
  const child = children[own];
  work();
  if (root.activeElement === focused) return;
  // It has been moved.
  if (focused.isConnected) return focused.focus({ preventScroll: true });
  const heir = child?.isConnected ? child : (parent.children[own] ?? parent.lastElementChild);
  const next = heir?.matches(FOCUSABLE) ? heir : heir?.querySelector(FOCUSABLE);
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  else otherwise?.();
}

/** Puts nodes in their order; those that are in it already are not touched. */
function arrange(parent: Element, nodes: Node[]): void {
  const stay = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!stay.has(child)) child.remove();
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

/** Gives an element what another of its kind has, and returns it. */
function patch(old: Element, fresh: Element): Element {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const handler of HANDLERS) {
    const its = (fresh as Clickable)[handler];
    if (its || (old as Clickable)[handler]) (old as Clickable)[handler] = its;
  }
  if (fresh.querySelector(FOCUSABLE)) patchChildren(old, [...fresh.childNodes]);
  else if (old.childNodes.length !== fresh.childNodes.length || [...old.childNodes].some((child, at) => !child.isEqualNode(fresh.childNodes[at] ?? null))) {
    old.replaceChildren(...fresh.childNodes);
  }
  return old;
}

function patchChildren(parent: Element, fresh: Node[]): void {
  const kind = (node: Node) => (node instanceof HTMLElement ? `${node.nodeName}#${node.id}#${node.dataset["key"] ?? ""}` : node.nodeName);
  const before = new Map<string, ChildNode[]>();
  for (const child of parent.childNodes) before.set(kind(child), [...(before.get(kind(child)) ?? []), child]);
  const after = fresh.map((node) => {
    const old = before.get(kind(node))?.shift();
    if (!old) return node;
    if (old instanceof Element && node instanceof Element) return patch(old, node);
    if (old.nodeValue !== node.nodeValue) old.nodeValue = node.nodeValue;
    return old;
  });
  arrange(parent, after);
}
