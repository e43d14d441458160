// The resolved project, as `docker compose config` prints it.
import { yamlLanguage } from "@codemirror/lang-yaml";
import { highlightCode, tagHighlighter, tags } from "@lezer/highlight";
import type { Config, Place } from "../core/types";
import { h } from "./dom";
import { inline } from "./markdown";
import { patchContent } from "./patch";
import { refusal } from "./refusal";

/** More is neither read nor coloured in time. */
const MOST_SHOWN = 300_000;

const colours = tagHighlighter([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], class: "key" },
  { tag: tags.comment, class: "comment" },
]);

export function renderConfig(box: HTMLElement, config: Config, show: (place: Place) => void): void {
  const parts: HTMLElement[] = [];
  if (config.files.length > 1) parts.push(h("p", { className: "fine" }, `Of ${config.files.join(", ")}.`));
  if (config.unset.length > 0) {
    const unset = h("p", { className: "note", id: "unset" });
    const names = config.unset.slice(0, 12).map((name) => `\`${name}\``).join(", ");
    const more = config.unset.length > 12 ? ` and ${config.unset.length - 12} more` : "";
    inline(unset, `Without a value here: ${names}${more}. Your shell may have one; a \`.env\` tab gives one here.`);
    parts.push(unset);
  }
  if (config.error) parts.push(refusal("Compose refuses this project: ", config.error, show));
  if (config.text !== null) {
    const text = config.text.slice(0, MOST_SHOWN);
    const code = h("pre", { id: "resolved", tabIndex: 0, aria: { label: "The resolved project" } });
    code.setAttribute("role", "region");
    highlightCode(
      text,
      yamlLanguage.parser.parse(text),
      colours,
      (piece, classes) => code.append(classes ? h("span", { className: classes }, piece) : piece),
      () => code.append("\n"),
    );
    parts.push(code);
    if (text.length < config.text.length) parts.push(h("p", { className: "fine" }, `The first ${MOST_SHOWN / 1000} KB of it; Copy takes all.`));
  }
  patchContent(box, parts);
}
