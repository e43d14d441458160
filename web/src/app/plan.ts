// Who gets which secret where: a drawing of service, secret and target, and a table with all of it.
import type { Delivery, Place, ProjectPlan } from "../core/types";
import { h, svg } from "./dom";
import { patchContent } from "./patch";
import { refusal } from "./refusal";

/** Beyond this a drawing is a tangle; the table says it. */
const MOST_DRAWN = 24;
const ROW = 46;
const BOX = 36;
/** Widths of a letter in the two sizes. */
const LETTER = 7.3;
const FINE_LETTER = 6.4;

export const source = (delivery: Delivery): string =>
  "file" in delivery.source ? `file ${delivery.source.file}` : `environment ${delivery.source.environment}`;

/** What the file says, before an image is asked. */
export function owner({ owner: { uid, gid, user } }: Delivery): string {
  const ids = typeof user === "object" && "ids" in user ? user.ids : undefined;
  const named = typeof user === "object" && "named" in user ? user.named : undefined;
  const who = uid ?? ids?.uid ?? named ?? "image's user";
  const group = gid ?? ids?.gid;
  return group === null || group === undefined ? String(who) : `${who}:${group}`;
}

export function renderPlan(parent: HTMLElement, plan: ProjectPlan, show: (place: Place) => void): void {
  if (plan.error) return patchContent(parent, [refusal("", plan.error, show)]);
  if (plan.deliveries.length === 0) {
    return patchContent(parent, [h("p", { className: "note" }, "No service is granted a secret.")]);
  }
  const rows = plan.deliveries.map((delivery) => {
    const jump = h("button", { type: "button", className: "link", onclick: () => show(delivery.place) }, delivery.service);
    const cell = (what: string, more: string) => h("td", {}, what, h("br"), h("span", { className: "fine" }, more));
    const target = cell(delivery.target, `${owner(delivery)}, ${delivery.mode}`);
    return h("tr", { data: { key: `${delivery.service} ${delivery.secret}` } }, h("th", { scope: "row" }, jump), cell(delivery.secret, source(delivery)), target);
  });
  const heads = ["Service", "Secret and its source", "Target, owner and mode"].map((head) => h("th", { scope: "col" }, head));
  const table = h("div", { className: "scroll", tabIndex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)));
  table.setAttribute("role", "region");
  table.setAttribute("aria-label", "Deliveries");
  const drawing = plan.deliveries.length <= MOST_DRAWN ? draw(plan.deliveries, parent.clientWidth) : undefined;
  patchContent(parent, drawing ? [drawing, table] : [table]);
}

type Kind = "service" | "secret" | "target";

interface Box {
  title: string;
  note: string;
  y: number;
}

function draw(deliveries: Delivery[], width: number): SVGElement | undefined {
  if (width < 400) return undefined;
  const gap = Math.min(48, width / 14);
  const room = width - 2 * gap;
  // Paths are longer than names.
  const wide: Record<Kind, number> = { service: room * 0.24, secret: room * 0.33, target: room * 0.43 };
  const services = new Map<string, Box>();
  const secrets = new Map<string, Box>();
  const targets: Box[] = [];
  for (const delivery of deliveries) {
    if (!services.has(delivery.service)) services.set(delivery.service, { title: delivery.service, note: "", y: 0 });
    if (!secrets.has(delivery.secret)) secrets.set(delivery.secret, { title: delivery.secret, note: source(delivery), y: 0 });
    targets.push({ title: delivery.target, note: `${delivery.service} · ${owner(delivery)} · ${delivery.mode}`, y: 0 });
  }
  const height = Math.max(services.size, secrets.size, targets.length) * ROW;
  // Each column spreads over the same height.
  const spread = (boxes: Iterable<Box>, count: number) => {
    let at = 0;
    for (const box of boxes) box.y = (height / count) * (at++ + 0.5);
  };
  spread(services.values(), services.size);
  spread(secrets.values(), secrets.size);
  spread(targets, targets.length);

  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "diagram", "aria-hidden": "true" });
  const edge = (from: number, left: Box, right: Box) => {
    const to = from + gap;
    const middle = (from + to) / 2;
    root.append(svg("path", { d: `M${from} ${left.y}C${middle} ${left.y} ${middle} ${right.y} ${to} ${right.y}`, class: "edge" }));
  };
  const drawn = new Set<string>();
  deliveries.forEach((delivery, at) => {
    const [service, secret, target] = [services.get(delivery.service), secrets.get(delivery.secret), targets[at]];
    if (!service || !secret || !target) return;
    const pair = `${delivery.service}\0${delivery.secret}`;
    if (!drawn.has(pair)) edge(wide.service, service, secret);
    drawn.add(pair);
    edge(wide.service + gap + wide.secret, secret, target);
  });
  const boxes: [Kind, number, Iterable<Box>][] = [
    ["service", 0, services.values()],
    ["secret", wide.service + gap, secrets.values()],
    ["target", wide.service + wide.secret + 2 * gap, targets],
  ];
  for (const [kind, x, all] of boxes) {
    for (const box of all) {
      const most = (letter: number) => Math.floor((wide[kind] - 18) / letter);
      const lines = [cut(box.title, most(LETTER)), ...(box.note ? [cut(box.note, most(FINE_LETTER))] : [])];
      const group = svg("g", { class: kind, transform: `translate(${x} ${box.y - BOX / 2})` });
      group.append(svg("title", {}, box.note ? `${box.title} (${box.note})` : box.title));
      group.append(svg("rect", { width: wide[kind], height: BOX, rx: 6 }));
      group.append(svg("text", { x: 9, y: lines.length === 2 ? 15 : 22 }, lines[0] ?? ""));
      if (lines[1]) group.append(svg("text", { x: 9, y: 29, class: "fine" }, lines[1]));
      root.append(group);
    }
  }
  return root;
}

/** The ends of a path tell more than its beginning. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) * 0.6);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(-tail)}`;
}
