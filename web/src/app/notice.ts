// What the page says by itself: a line that stays until it is dismissed, what has gone wrong, and words for who does
// not see the page.
import { h, icon } from "./dom";
import { patchContent } from "./patch";

const ANNOUNCE_AFTER_MS = 900;

export class Notice {
  readonly line = h("div", { id: "notice", hidden: true, translate: false });
  readonly trouble = h("p", { id: "trouble", hidden: true });
  readonly announcement = h("p", { id: "announcement", className: "unseen" });
  readonly #leave: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #summary = "";

  /** `leave` is where the focus goes when the line goes away under it. */
  constructor(leave: () => void) {
    this.#leave = leave;
    this.trouble.setAttribute("role", "alert");
    this.announcement.setAttribute("role", "status");
  }

  /** Nothing to say takes the line away. */
  say(message: string, ...buttons: HTMLButtonElement[]): void {
    this.line.hidden = message === "";
    // A line that was not there before is not read out by itself.
    if (message !== "") this.announce(message);
    const dismiss = () => {
      this.line.hidden = true;
      this.#leave();
    };
    const close = h("button", { type: "button", className: "ghost", aria: { label: "Dismiss" }, onclick: dismiss }, icon("close"));
    patchContent(this.line, [h("span", {}, message), ...buttons, close], this.#leave);
  }

  fail(message: string): void {
    clearTimeout(this.#timer);
    this.trouble.textContent = message;
    this.trouble.hidden = false;
  }

  recover(): void {
    this.trouble.hidden = true;
  }

  announce(message: string): void {
    clearTimeout(this.#timer);
    this.announcement.textContent = message;
  }

  /** What all findings come to: once nothing else has been said for a moment, as nobody hears each key's report, and
   * not twice the same. */
  announceSoon(summary: string): void {
    clearTimeout(this.#timer);
    if (summary === this.#summary) return;
    this.#timer = setTimeout(() => {
      this.#summary = summary;
      this.announce(summary);
    }, ANNOUNCE_AFTER_MS);
  }
}
