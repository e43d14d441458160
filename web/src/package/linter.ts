// Linting while somebody types: the core in a worker, told only what has changed.
import { type Listener, Linter } from "../core/linter.js";

export type { Listener };
export { Linter };
export type * from "../core/types.js";

/** Starts a worker. Give it texts with `set` and `remove`; reports come to the listener, never of an old text. */
export async function start(listener: Listener): Promise<Linter> {
  const linter = new Linter(() => new Worker(new URL("../core/linter.worker.js", import.meta.url), { type: "module" }), listener);
  const wasm = await fetch(new URL("../wasm/cosec_bg.wasm", import.meta.url));
  linter.start(await WebAssembly.compile(await wasm.arrayBuffer()));
  return linter;
}
