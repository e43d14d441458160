// What a page and the worker say to each other.
import type { Persona, ProjectPlan, Report, ReportFormat, Rule } from "./types.js";

/** Questions that are not asked at every keystroke. */
export interface Questions {
  explain: { ask: { rule: string }; answer: string };
  plan: { ask: { path: string }; answer: ProjectPlan };
  report: { ask: { format: ReportFormat }; answer: string };
  redact: { ask: { path: string; text: string }; answer: string | undefined };
}

export type ToWorker =
  | { kind: "start"; module: WebAssembly.Module }
  /** What has changed since the last one. */
  | { kind: "lint"; revision: number; set: [path: string, text: string][]; removed: string[]; persona: Persona }
  | { [Q in keyof Questions]: { kind: "ask"; id: number; question: Q; ask: Questions[Q]["ask"] } }[keyof Questions];

export type FromWorker =
  | { kind: "ready"; version: string; rules: Rule[] }
  | { kind: "report"; revision: number; report: Report }
  | { kind: "answer"; id: number; answer: unknown }
  | { kind: "failed" };
