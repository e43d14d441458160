// What a key types is drawn together with the marks that it changes, if the linter answers in a moment. Drawn at once,
// the character alone would make a frame, and browsers draw that before they hear the linter's answer: the marks would
// always be a frame late.
import { Prec, type Transaction } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

/** Half a frame: nobody sees a character come so much later. */
const MOMENT_MS = 8;
/** So many answers in a row that took longer, and nothing waits for the next one: the text is a long one. */
const LATE = 2;

export class Held {
  #transaction: Transaction | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #key = "";
  #typedAt: number | undefined;
  #late = 0;

  /** The typing that waits, for whoever draws it now. */
  take(): Transaction | undefined {
    clearTimeout(this.#timer);
    const transaction = this.#transaction;
    this.#transaction = undefined;
    return transaction;
  }

  /** The linter has answered. */
  answered(): void {
    if (this.#typedAt === undefined) return;
    this.#late = performance.now() - this.#typedAt > MOMENT_MS ? this.#late + 1 : 0;
    this.#typedAt = undefined;
  }

  get transaction(): Transaction | undefined {
    return this.#transaction;
  }

  /** `starts` is told before the wait, `draw` ends it. Only plain keys wait: what input methods, dead keys and screen
   * keyboards write is theirs. */
  extension(starts: (transaction: Transaction) => void, draw: () => void) {
    const now = () => {
      draw();
      return false;
    };
    return Prec.highest(
      EditorView.domEventHandlers({
        keydown: (event) => {
          draw();
          this.#key = event.isComposing ? "" : event.key;
          return false;
        },
        beforeinput: (event, view) => {
          draw();
          const isKey = event.inputType === "insertText" && event.data?.length === 1 && event.data === this.#key;
          if (!isKey || !event.cancelable || event.isComposing || view.composing) return false;
          // What is typed over all of a text is no key among many.
          const { from, to } = view.state.selection.main;
          if (to - from === view.state.doc.length && to > 0) return false;
          this.#typedAt = performance.now();
          if (this.#late >= LATE) return false;
          this.#transaction = view.state.update(view.state.replaceSelection(this.#key), { userEvent: "input.type", scrollIntoView: true });
          this.#timer = setTimeout(draw, MOMENT_MS);
          starts(this.#transaction);
          // Its parse, while the linter works.
          void this.#transaction.state;
          return true;
        },
        mousedown: now,
        paste: now,
        cut: now,
        copy: now,
        drop: now,
        compositionstart: now,
        blur: now,
      }),
    );
  }
}
