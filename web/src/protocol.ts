// What page and worker say to each other, and the report of `cosec lint --format json`.

export interface Place {
  file: string;
  /** Lines and columns from 1; columns in Unicode scalar values; the end is exclusive. */
  line: number;
  column: number;
  end_line: number;
  end_column: number;
}

export type Severity = "error" | "warning" | "info";

export interface Finding extends Place {
  rule: string;
  severity: Severity;
  confidence: "high" | "medium" | "low";
  message: string;
  help: string;
  path: string;
  related: (Place & { message: string })[];
  fix: "safe" | "unsafe" | null;
  fingerprint: string;
}

export interface Report {
  version: 1;
  findings: Finding[];
  not_checked: { file: string; rule: string; reason: string }[];
  /** Where the text is that kept the file from being read. */
  error?: Omit<Place, "file">;
}

export type ToWorker =
  | { kind: "start"; module: WebAssembly.Module }
  | { kind: "lint"; id: number; text: string }
  | { kind: "explain"; id: number; rule: string };

export type FromWorker =
  | { kind: "ready"; version: string }
  | { kind: "report"; id: number; report: Report }
  | { kind: "page"; id: number; markdown: string }
  | { kind: "failed"; message: string };
