// The ways for files to come in from the disk: chosen, dropped, pasted.
import { h } from "./dom";
import { fromDrop, fromHandle, fromList, type Intake } from "./intake";

/** `alone`: it is a folder, a project of its own. */
type Take = (intake: Intake, alone: boolean) => void;

export class Incoming {
  readonly #take: Take;
  readonly #files = h("input", { type: "file", multiple: true, id: "choose-files", hidden: true, tabIndex: -1 });
  readonly #folder = h("input", { type: "file", id: "choose-folder", hidden: true, tabIndex: -1 });
  /** What is seen while something is dragged over the page. */
  readonly overlay = h("div", { id: "drop", hidden: true }, "Drop files or a folder: they stay in this page");

  constructor(root: ShadowRoot, take: Take) {
    this.#take = take;
    this.#folder.webkitdirectory = true;
    for (const input of this.inputs) {
      input.addEventListener("change", () => {
        if (input.files?.length) void fromList(input.files).then((intake) => take(intake, input === this.#folder));
        input.value = "";
      });
    }
    this.#hearDrops(root);
    this.#hearPaste(root);
  }

  get inputs(): HTMLInputElement[] {
    return [this.#files, this.#folder];
  }

  chooseFiles(): void {
    this.#files.click();
  }

  async chooseFolder(): Promise<void> {
    // Its question is about reading; the other's sounds like sending.
    const picker = (window as { showDirectoryPicker?: (options: object) => Promise<FileSystemDirectoryHandle> }).showDirectoryPicker;
    if (!picker) return this.#folder.click();
    let handle: FileSystemDirectoryHandle;
    try {
      handle = await picker.call(window, { mode: "read" });
    } catch (error) {
      // Somebody has thought better of it. All else, a policy or a frame, is the picker's own trouble.
      if (!(error instanceof DOMException && error.name === "AbortError")) this.#folder.click();
      return;
    }
    this.#take(await fromHandle(handle), true);
  }

  #hearDrops(root: ShadowRoot): void {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    let depth = 0;
    const listen = (type: "dragenter" | "dragover" | "dragleave" | "drop", act: (event: DragEvent) => void) =>
      // Before the editor, which would write a dropped file into its text.
      root.addEventListener(
        type,
        (event) => {
          if (!hasFiles(event as DragEvent)) return;
          event.preventDefault();
          event.stopPropagation();
          act(event as DragEvent);
          this.overlay.hidden = depth <= 0;
        },
        { capture: true },
      );
    listen("dragenter", () => depth++);
    listen("dragover", (event) => event.dataTransfer && (event.dataTransfer.dropEffect = "copy"));
    listen("dragleave", () => depth--);
    listen("drop", (event) => {
      depth = 0;
      const transfer = event.dataTransfer;
      if (!transfer) return;
      const isFolder = transfer.items.length === 1 && transfer.items[0]?.webkitGetAsEntry()?.isDirectory === true;
      void fromDrop(transfer).then((intake) => this.#take(intake, isFolder));
    });
  }

  #hearPaste(root: ShadowRoot): void {
    root.addEventListener(
      "paste",
      (event) => {
        const files = (event as ClipboardEvent).clipboardData?.files;
        if (!files?.length) return;
        event.preventDefault();
        event.stopPropagation();
        void fromList(files).then((intake) => this.#take(intake, false));
      },
      { capture: true },
    );
  }
}
