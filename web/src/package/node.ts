// The entry for Node.
import { readFile } from "node:fs/promises";
import { initSync } from "../wasm/cosec.js";
import { Cosec } from "./cosec.js";

export * from "./cosec.js";

/** Loads the core, once. */
export async function load(module?: WebAssembly.Module | BufferSource): Promise<Cosec> {
  initSync({ module: module ?? (await readFile(new URL("../wasm/cosec_bg.wasm", import.meta.url))) });
  return new Cosec();
}
