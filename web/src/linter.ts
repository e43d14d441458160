// The page's side of the worker: one text at a time, and only the newest one's report counts.
import type { FromWorker, Report, ToWorker } from "./protocol";
import LinterWorker from "./linter.worker?worker&inline";
import wasmUrl from "./wasm/cosec_bg.wasm?url";

/** A text that takes longer is not worth freezing for. */
const PATIENCE_MS = 10_000;

export interface Listener {
  ready(version: string): void;
  report(report: Report, text: string): void;
  failed(message: string): void;
}

export class Linter {
  readonly #listener: Listener;
  #module: WebAssembly.Module | undefined;
  #worker: Worker | undefined;
  #busy = false;
  #waiting: string | undefined;
  #current = "";
  #number = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #pages = new Map<number, (markdown: string) => void>();

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    // Compiled here and handed over: the worker needs no address and fetches nothing.
    this.#module = await WebAssembly.compileStreaming(fetch(wasmUrl)).catch(async () =>
      WebAssembly.compile(await (await fetch(wasmUrl)).arrayBuffer()),
    );
    this.#restart();
  }

  /** Lints a text as soon as the worker is free; a newer text replaces one that still waits. */
  lint(text: string): void {
    this.#waiting = text;
    this.#next();
  }

  explain(rule: string): Promise<string> {
    const id = ++this.#number;
    return new Promise((resolve) => {
      this.#pages.set(id, resolve);
      this.#send({ kind: "explain", id, rule });
    });
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #next(): void {
    if (this.#busy || this.#waiting === undefined || !this.#worker) return;
    this.#busy = true;
    this.#current = this.#waiting;
    this.#waiting = undefined;
    this.#send({ kind: "lint", id: ++this.#number, text: this.#current });
    this.#timer = setTimeout(() => this.#fail("This text takes too long to check."), PATIENCE_MS);
  }

  #restart(): void {
    this.#worker?.terminate();
    this.#busy = true;
    const worker = new LinterWorker();
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = () => this.#fail("The linter could not run in this browser.");
    if (this.#module) this.#send({ kind: "start", module: this.#module });
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        this.#busy = false;
        this.#listener.ready(message.version);
        break;
      case "report":
        clearTimeout(this.#timer);
        this.#busy = false;
        // What was typed meanwhile makes this report an old one.
        if (this.#waiting === undefined) this.#listener.report(message.report, this.#current);
        break;
      case "page":
        this.#pages.get(message.id)?.(message.markdown);
        this.#pages.delete(message.id);
        return;
      case "failed":
        this.#fail(message.message);
        return;
    }
    this.#next();
  }

  #fail(message: string): void {
    clearTimeout(this.#timer);
    this.#listener.failed(message);
    this.#restart();
  }
}
