// What is marked in the text of one file, and what a mark says when one points at it.
import type { Text } from "@codemirror/state";
import type { Finding, Report, Rule } from "../core/types";
import { h } from "./dom";
import type { Mark } from "./editor";
import { fixButton } from "./findings";
import { capital } from "./markdown";
import { range } from "./positions";

export interface HoverActions {
  explain(rule: string): void;
  fix(finding: Finding): void;
}

export function marksOf(report: Report | undefined, path: string, text: Text, rules: Rule[], actions: HoverActions): Mark[] {
  const marks: Mark[] = [];
  for (const finding of report?.findings ?? []) {
    if (finding.file !== path) continue;
    const { severity, rule, message } = finding;
    marks.push({ ...range(text, finding), severity, rule, finding, message, renderMessage: () => hover(finding, rules, actions) });
  }
  for (const error of report?.errors ?? []) {
    if (error.place?.file === path) marks.push({ ...range(text, error.place), severity: "error", message: error.message });
  }
  return marks;
}

const plain = (text: string) => capital(text).replaceAll("`", "");

function hover(finding: Finding, rules: Rule[], actions: HoverActions): HTMLElement {
  const message = h("strong", {}, plain(finding.message));
  const rule = h("button", { type: "button", className: "rule", onclick: () => actions.explain(finding.rule) }, finding.rule);
  const summary = rules.find((rule) => rule.id === finding.rule)?.summary;
  const fix = finding.fix && h("p", {}, fixButton(finding, () => actions.fix(finding)));
  return h("div", { className: "hover" }, message, h("p", {}, plain(finding.help)), fix, h("p", { className: "fine" }, rule, " ", summary));
}
