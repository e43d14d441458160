// Files from the disk take their place among those that are open, and what they ask for follows them.
import type { Report } from "../core/types";
import { type Candidate, facts, type Intake, isCredential, read } from "./intake";
import type { Kept } from "./kept";
import { MOD } from "./keys";
import type { Notice } from "./notice";
import type { OpenFiles } from "./open_files";
import { clean } from "./paths";
import type { Replacing } from "./replacing";

/** Of what is left out, as many are named. */
const MOST_NAMED = 8;

export class Taking {
  readonly #files: OpenFiles;
  readonly #replacing: Replacing;
  readonly #kept: Kept;
  readonly #notice: Notice;
  #newest: Report | undefined;
  #isFetching = false;

  constructor(files: OpenFiles, replacing: Replacing, kept: Kept, notice: Notice) {
    this.#files = files;
    this.#replacing = replacing;
    this.#kept = kept;
    this.#notice = notice;
  }

  /** Whether files are being read that others ask for. */
  get isFetching(): boolean {
    return this.#isFetching;
  }

  /** What came from the disk. A folder is a project of its own (`alone`), files join what is there. */
  take(intake: Intake, alone: boolean): void {
    const files = this.#files;
    const isNothing = intake.files.length + intake.known.size === 0;
    const back = this.#replacing.wayBack();
    const said: string[] = [];
    if (!isNothing) {
      if (alone || !files.own) {
        files.replaceAll(intake.files);
        files.pool = intake.pool;
        for (const [path, candidate] of intake.found) files.found(path, candidate);
      } else {
        const changed = intake.files.filter((file) => files.join(file));
        if (changed.length > 0) said.push(`Now as on the disk: ${changed.map(({ path }) => path).join(", ")}; ${MOD} Z there takes it back.`);
        for (const [path, candidate] of intake.pool) files.pool.set(path, candidate);
      }
      files.areOnDisk(intake.files.map(({ path }) => clean(path)));
      for (const [path, told] of intake.known) files.know(path, told);
      files.own = true;
      const first = intake.files.find((file) => /compose/.test(file.path)) ?? intake.files[0];
      if (first) files.show(clean(first.path));
      this.#kept.soon();
    }
    const out = intake.skipped.map(({ path, why }) => `${path} (${why})`);
    if (isNothing) said.push("Nothing in it that cosec looks at.");
    if (out.length > 0) said.push(`Left out: ${out.slice(0, MOST_NAMED).join(", ")}${out.length > MOST_NAMED ? ` and ${out.length - MOST_NAMED} more` : ""}.`);
    const replaced = alone && !isNothing ? back : undefined;
    if (replaced) said.unshift("The folder has taken the place of what was here.");
    if (replaced || said.length > 0) this.#replacing.offer(said.join(" "), replaced);
    else this.#notice.say("");
  }

  /** Files of an opened folder that others ask for become tabs of their own; secrets' files are not read. */
  async follow(report: Report): Promise<void> {
    this.#newest = report;
    const files = this.#files;
    const isFound = report.secret_files.some((path) => files.foundAt(path));
    if (this.#isFetching || (files.pool.size === 0 && !isFound)) return;
    this.#isFetching = true;
    try {
      await this.#fetch(report);
    } finally {
      this.#isFetching = false;
    }
    // What was said meanwhile may ask for more.
    if (this.#newest !== report) await this.follow(this.#newest);
  }

  async #fetch(report: Report): Promise<void> {
    const files = this.#files;
    const pool = files.pool;
    // What looked like variables and is a secret's file is none of the page's.
    for (const path of report.secret_files) {
      const found = files.foundAt(path);
      const told = found && files.paths.length > 1 && (await facts(found));
      if (!told || path === files.current || pool !== files.pool) continue;
      files.drop(path);
      files.know(path, told);
      this.#kept.soon();
    }
    const take = async <T>(paths: string[], get: (candidate: Candidate) => Promise<T>, use: (path: string, content: T) => void) => {
      for (const path of paths) {
        const candidate = pool.get(path);
        if (!candidate || files.has(path)) continue;
        const content = await get(candidate);
        // Other files may have come meanwhile.
        if (pool === files.pool) use(path, content);
      }
    };
    await take(report.wanted_facts.filter((path) => !files.isKnown(path)), facts, (path, told) => told && files.know(path, told));
    await take(report.wanted.filter((path) => !isCredential(path)), read, (path, content) => {
      pool.delete(path);
      if ("text" in content) {
        files.put({ path, text: content.text });
        files.areOnDisk([path]);
      } else this.#notice.say(`Left out: ${path} (${content.why})`);
    });
  }
}
