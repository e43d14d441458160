import type { Report, TextFile } from "./dist/package/index.js";

/** `<cosec-linter>`: importing the module defines it. */
export declare class CosecLinter extends HTMLElement {
  /** All files as they stand; set them to replace them. */
  files: TextFile[];
  /** What was said last. */
  readonly report: Report | undefined;
  /** The report of the files as they are now, with what can be fixed; none where they cannot be checked. */
  checked(): Promise<Report | undefined>;
}

declare global {
  interface HTMLElementTagNameMap {
    "cosec-linter": CosecLinter;
  }
  interface HTMLElementEventMap {
    /** After each report. */
    "cosec-report": CustomEvent<Report>;
  }
}
