// Nothing that somebody has written goes away for good: what took its place says so, and it can be brought back.
import type { TextFile } from "../core/types";
import { h } from "./dom";
import { EXAMPLE } from "./example";
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

  /** Something is about to take the place of all of the example's Compose file: what the example has beside it, as it
   * came, is none of the new one's project. */
  overExample(): void {
    const files = this.#files;
    const texts = new Map(files.texts().map(({ path, text }) => [path, text]));
    const [first, ...others] = EXAMPLE.filter(({ path, text }) => texts.get(path) === text).map(({ path }) => path);
    if (first !== EXAMPLE[0]?.path || files.current !== first || others.length === 0) return;
    const back = files.remembered();
    for (const path of others) files.close(path);
    this.offer("What the example had beside it is closed.", back);
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
