// A page's side of the worker: it is told what has changed, and only the newest texts' report counts.
import type { FromWorker, Questions, ToWorker } from "./protocol.js";
import type { FileFacts, Persona, Report, Rule } from "./types.js";

/** A text that takes longer is not worth waiting for. */
const PATIENCE_MS = 10_000;

/** What can be fixed is tried out, so it is asked when nobody types. */
const FIXES_AFTER_MS = 150;

export interface Listener {
  ready(version: string, rules: Rule[]): void;
  /** The report of the newest texts; soon after it, once more, with what can be fixed. */
  report(report: Report): void;
  failed(message: string): void;
}

export class Linter {
  readonly #listener: Listener;
  readonly #makeWorker: () => Worker;
  #module: WebAssembly.Module | undefined;
  #worker: Worker | undefined;
  #ready = false;
  #busy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fixes: ReturnType<typeof setTimeout> | undefined;
  /** All texts, and of which paths the worker has not heard yet. */
  readonly #texts = new Map<string, string | FileFacts>();
  readonly #changed = new Set<string>();
  #persona: Persona = "regular";
  #revision = 0;
  #linted = 0;
  /** Why the worker knows no text, until one changes. */
  #failure: string | undefined;
  #number = 0;
  readonly #waiting: ToWorker[] = [];
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(reason: Error): void }>();

  constructor(makeWorker: () => Worker, listener: Listener) {
    this.#makeWorker = makeWorker;
    this.#listener = listener;
  }

  /** Starts, or starts again after `stop`. */
  start(module: WebAssembly.Module): void {
    this.#module = module;
    // A worker that was there before has taken what it knew with it.
    for (const path of this.#texts.keys()) this.#change(path);
    this.#restart();
  }

  set(path: string, text: string): void {
    this.#texts.set(path, text);
    this.#change(path);
  }

  /** A file that is there and is not read: a secret's. */
  know(path: string, facts: FileFacts): void {
    this.#texts.set(path, facts);
    this.#change(path);
  }

  remove(path: string): void {
    this.#texts.delete(path);
    this.#change(path);
  }

  set persona(persona: Persona) {
    this.#persona = persona;
    this.#revision++;
    this.#next();
  }

  /** Whether all has been said of the texts as they are now, what can be fixed among it. */
  get isIdle(): boolean {
    return this.#ready && !this.#busy && this.#linted === this.#revision && this.#fixes === undefined;
  }

  /** Asks about the texts as they are now. */
  ask<Q extends keyof Questions>(question: Q, ask: Questions[Q]["ask"]): Promise<Questions[Q]["answer"]> {
    this.#next();
    // Of no files there is nothing bad to say, and that would be no answer.
    const needsTexts = question !== "explain" && question !== "redact";
    if (this.#failure !== undefined && needsTexts) return Promise.reject(new Error(this.#failure));
    const id = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve: resolve as (value: unknown) => void, reject });
      const message = { kind: "ask", id, question, ask } as ToWorker;
      // What has changed has to be there first.
      if (this.#linted === this.#revision) this.#send(message);
      else this.#waiting.push(message);
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#forgetFixes();
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#ready = false;
  }

  #change(path: string): void {
    this.#changed.add(path);
    this.#revision++;
    this.#next();
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** Sends what has changed as soon as the worker is free; what changes meanwhile goes together. */
  #next(): void {
    if (!this.#ready || this.#busy || this.#linted === this.#revision) return;
    this.#busy = true;
    const set: [string, string | FileFacts][] = [];
    const removed: string[] = [];
    for (const path of this.#changed) {
      const text = this.#texts.get(path);
      if (text === undefined) removed.push(path);
      else set.push([path, text]);
    }
    this.#changed.clear();
    this.#linted = this.#revision;
    this.#failure = undefined;
    this.#forgetFixes();
    this.#send({ kind: "lint", revision: this.#revision, set, removed, persona: this.#persona });
    this.#watch();
    for (const question of this.#waiting.splice(0)) this.#send(question);
  }

  #watch(): void {
    this.#timer = setTimeout(() => this.#fail("This text takes too long to check."), PATIENCE_MS);
  }

  #forgetFixes(): void {
    clearTimeout(this.#fixes);
    this.#fixes = undefined;
  }

  #askForFixes(): void {
    this.#fixes = undefined;
    if (this.#busy || this.#linted !== this.#revision) return;
    this.#busy = true;
    this.#send({ kind: "fixes", revision: this.#revision });
    this.#watch();
  }

  #restart(): void {
    this.stop();
    this.#busy = false;
    const worker = this.#makeWorker();
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = () => this.#fail("The linter could not run in this browser.");
    if (this.#module) this.#send({ kind: "start", module: this.#module });
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        this.#ready = true;
        this.#listener.ready(message.version, message.rules);
        break;
      case "report":
        clearTimeout(this.#timer);
        this.#busy = false;
        // What was typed meanwhile makes this report an old one.
        if (message.revision !== this.#revision) break;
        if (!message.final && !message.report.fixes_known) this.#fixes = setTimeout(() => this.#askForFixes(), FIXES_AFTER_MS);
        this.#listener.report(message.report);
        break;
      case "more":
        clearTimeout(this.#timer);
        this.#busy = false;
        // The next file, unless something has changed.
        this.#askForFixes();
        break;
      case "answer":
        this.#open.get(message.id)?.resolve(message.answer);
        this.#open.delete(message.id);
        return;
      case "failed":
        this.#fail("The linter stopped at this text. It goes on with the next change; please report the rule, not the text.");
        return;
    }
    this.#next();
  }

  /** A new worker knows no text; it is told all of them with the next change, not before: the same text would
   * only stop it again. */
  #fail(message: string): void {
    const failed = this.#revision;
    for (const { reject } of this.#open.values()) reject(new Error(message));
    this.#open.clear();
    this.#waiting.length = 0;
    for (const path of this.#texts.keys()) this.#changed.add(path);
    this.#restart();
    this.#linted = failed;
    this.#failure = message;
    this.#listener.failed(message);
  }
}
