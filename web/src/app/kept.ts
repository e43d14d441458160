// What the browser keeps of the files, if asked to: under one name for all windows of the page.
import type { TextFile } from "../core/types";

const STORED = "cosec.files";
const AFTER_MS = 400;

/** Why files cannot be kept here, if they cannot. All pages from the disk share one storage in some browsers. */
export const notHere = location.protocol === "file:" ? "not kept: other pages on this disk could read it" : undefined;

/** How another window ends the keeping: for all windows, or by keeping other files, as there is one place for them. */
export type End = "switched off" | "taken over";

export class Kept {
  readonly #files: () => TextFile[];
  readonly #say: (message: string) => void;
  readonly #changed: () => void;
  readonly #ended: (by: End) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #on = false;

  /** `files` are asked for when they are written down; `changed` is told when they are the user's own from now on; `ended` is told when another window has put an end to it. */
  constructor(files: () => TextFile[], say: (message: string) => void, changed: () => void, ended: (by: End) => void) {
    this.#files = files;
    this.#say = say;
    this.#changed = changed;
    this.#ended = ended;
  }

  get on(): boolean {
    return this.#on;
  }

  /** What was kept; from then on it goes on being kept. */
  take(): TextFile[] | undefined {
    try {
      const files: unknown = JSON.parse(localStorage.getItem(STORED) ?? "null");
      if (!Array.isArray(files) || files.length === 0) return undefined;
      this.#on = true;
      return files as TextFile[];
    } catch {
      return undefined;
    }
  }

  switch(on: boolean): void {
    this.#on = on;
    clearTimeout(this.#timer);
    if (on) {
      this.#changed();
      this.#write();
    } else localStorage.removeItem(STORED);
  }

  /** The files have changed. */
  soon(): void {
    this.#changed();
    clearTimeout(this.#timer);
    this.#timer = this.#on ? setTimeout(() => this.#goOn(), AFTER_MS) : undefined;
  }

  listen(): void {
    addEventListener("pagehide", this.#now);
    document.addEventListener("visibilitychange", this.#now);
    addEventListener("storage", this.#other);
  }

  leave(): void {
    this.#now();
    removeEventListener("pagehide", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
    removeEventListener("storage", this.#other);
  }

  /** What waits is written down before the page is gone. */
  readonly #now = (): void => {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#goOn();
  };

  readonly #other = (event: StorageEvent): void => {
    if (event.key !== STORED && event.key !== null) return;
    if (event.newValue === null) this.#end("switched off");
    else if (this.#on && event.newValue !== this.#text()) this.#end("taken over");
  };

  #goOn(): void {
    this.#timer = undefined;
    if (!this.#on) return;
    // Another window has switched it off, and the word of it has not come yet.
    if (localStorage.getItem(STORED) === null) this.#end("switched off");
    else this.#write();
  }

  #end(by: End): void {
    if (!this.#on) return;
    this.#on = false;
    clearTimeout(this.#timer);
    this.#ended(by);
  }

  #text(): string {
    return JSON.stringify(this.#files());
  }

  #write(): void {
    try {
      localStorage.setItem(STORED, this.#text());
    } catch {
      this.#say("These files are more than this browser keeps. What it kept before is there still.");
    }
  }
}
