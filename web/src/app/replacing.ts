// Nothing that somebody has written goes away for good: what took its place says so, and it can be brought back.
import type { TextFile } from "../core/types";
import { h } from "./dom";
import type { Kept } from "./kept";
import type { Notice } from "./notice";
import type { OpenFiles } from "./open_files";

export class Replacing {
  readonly #files: OpenFiles;
  readonly #kept: Kept;
  readonly #notice: Notice;
  #back: (() => void) | undefined;

  constructor(files: OpenFiles, kept: Kept, notice: Notice) {
    this.#files = files;
    this.#kept = kept;
    this.#notice = notice;
  }

  /** Whether there is something to bring back. */
  get can(): boolean {
    return this.#back !== undefined;
  }

  /** The way back from here, where there is something of the user's own to lose. */
  wayBack(): (() => void) | undefined {
    return this.#files.own ? this.#files.remembered() : undefined;
  }

  /** All files give way to others: what was the user's own can be brought back, and what the browser keeps of it stays
   * until the user writes something else. */
  replace(files: TextFile[], message: string): void {
    const back = this.wayBack();
    this.#files.replaceAll(files);
    this.offer(back && this.#kept.on ? `${message} What is kept changes when you write here.` : message, back);
  }

  close(path: string): void {
    const back = this.#files.isEmpty(path) ? undefined : this.#files.remembered();
    this.#files.close(path);
    this.#kept.soon();
    if (back) this.offer(`${path} is closed.`, back);
  }

  closeAll(): void {
    this.replace([], this.#files.own ? "All is closed." : "");
    this.#kept.soon();
  }

  /** Says what has been done, and how to have it back as it was. */
  offer(message: string, back: (() => void) | undefined): void {
    this.#back = back;
    if (!back) return this.#notice.say(message);
    this.#notice.say(message, h("button", { type: "button", className: "small", id: "bring-back", onclick: () => this.bringBack() }, "Bring back what was here"));
  }

  bringBack(): void {
    const back = this.#back;
    const now = this.wayBack();
    back?.();
    this.#kept.soon();
    this.offer("It is back.", now);
  }
}
