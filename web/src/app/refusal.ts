// Why Compose would not take a project, and where.
import type { Config, Place } from "../core/types";
import { h } from "./dom";
import { inline } from "./markdown";

/** `before` comes before what is wrong. */
export function refusal(before: string, { message, place }: NonNullable<Config["error"]>, show: (place: Place) => void): HTMLElement {
  const said = h("p", { className: "note error" });
  inline(said, `${before}${message} `);
  if (place) said.append(h("button", { type: "button", className: "small", onclick: () => show(place) }, `${place.file}:${place.line}`));
  return said;
}
