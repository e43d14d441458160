// The core as functions on texts.
import { explain, redact, rules, version, Workspace } from "../wasm/cosec.js";
import type { Config, Fixed, Persona, ProjectPlan, Report, ReportFormat, Rule, TextFile, Wanted } from "../core/types.js";

export type * from "../core/types.js";

export interface Options {
  /** Whose rules; `regular` unless said here or in a cosec.toml. */
  persona?: Persona;
}

/** What `load` gives. Nothing in it connects to anything or keeps a text. */
export class Cosec {
  /** The version of the core. */
  readonly version: string = version();
  readonly rules: Rule[] = JSON.parse(rules());

  /** Lints the Compose and env files among `files`, as `cosec lint DIRECTORY` does, and YAML of other names that has
   * services, and Dockerfiles that none of these builds. The others are what these may refer to. */
  lint(files: TextFile[], options: Options = {}): Report {
    return this.#with(files, options, (workspace) => JSON.parse(workspace.lint(true)));
  }

  /** The same as a text for other programs or for people. */
  report(files: TextFile[], format: ReportFormat, options: Options = {}): string {
    return this.#with(files, options, (workspace) => workspace.report(format));
  }

  /** Who gets which secret in the project of the Compose file at `path`. */
  plan(files: TextFile[], path: string): ProjectPlan {
    return this.#with(files, {}, (workspace) => JSON.parse(workspace.plan(path)));
  }

  /** The resolved project of the Compose file at `path`, as `docker compose config` prints it, without its values
   * unless asked for. */
  config(files: TextFile[], path: string, values = false): Config {
    return this.#with(files, {}, (workspace) => JSON.parse(workspace.config(path, values)));
  }

  /** What the files look like with all fixed that is safe to fix. */
  fixSafe(files: TextFile[], options: Options = {}): Fixed {
    return this.#with(files, options, (workspace) => JSON.parse(workspace.fix_safe()));
  }

  /** What the files look like fixed: one finding of the file at `path`, or all that can be fixed there; with `unsafe`
   * also by what changes how the stack runs. It throws where the file cannot be read. */
  fix(files: TextFile[], path: string, finding: Wanted | null = null, unsafe = false, options: Options = {}): Fixed {
    const wanted = finding ? JSON.stringify(finding) : undefined;
    return this.#with(files, options, (workspace) => JSON.parse(workspace.fix(path, wanted, unsafe)));
  }

  /** The file without its values and comments; undefined where that cannot be done. */
  redact(file: TextFile): string | undefined {
    return redact(file.path, file.text);
  }

  /** A rule's page in Markdown; empty for an unknown rule. */
  explain(rule: string): string {
    return explain(rule);
  }

  #with<T>(files: TextFile[], options: Options, work: (workspace: Workspace) => T): T {
    const workspace = new Workspace();
    try {
      for (const { path, text } of files) workspace.set(path, text);
      workspace.persona(options.persona ?? "regular");
      return work(workspace);
    } catch (error) {
      // The module throws sentences.
      throw typeof error === "string" ? new Error(error) : error;
    } finally {
      workspace.free();
    }
  }
}
