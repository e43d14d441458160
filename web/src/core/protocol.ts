// What a page and the worker say to each other.
import type { Config, FileFacts, Fixed, Persona, ProjectPlan, Report, ReportFormat, Rule, Wanted } from "./types.js";

/** Questions that are not asked at every keystroke. */
export interface Questions {
  explain: { ask: { rule: string }; answer: string };
  plan: { ask: { path: string }; answer: ProjectPlan };
  config: { ask: { path: string; values: boolean }; answer: Config };
  /** One finding, or all that is safe in all files. */
  fix: { ask: { path: string; wanted: Wanted } | "safe"; answer: Fixed };
  report: { ask: { format: ReportFormat }; answer: string };
  redact: { ask: { path: string; text: string }; answer: string | undefined };
}

export type ToWorker =
  | { kind: "start"; module: WebAssembly.Module }
  /** What has changed since the last one. */
  | { kind: "lint"; revision: number; set: [path: string, content: string | FileFacts][]; removed: string[]; persona: Persona }
  /** The same texts: what can be fixed in them, file by file. The answer is `more` until it is a report. */
  | { kind: "fixes"; revision: number }
  | { [Q in keyof Questions]: { kind: "ask"; id: number; question: Q; ask: Questions[Q]["ask"] } }[keyof Questions];

export type FromWorker =
  | { kind: "ready"; version: string; rules: Rule[] }
  /** `final`: it is known what can be fixed, as far as it is found out. */
  | { kind: "report"; revision: number; report: Report; final: boolean }
  | { kind: "more"; revision: number }
  | { kind: "answer"; id: number; answer: unknown }
  | { kind: "failed" };
