// The entry for browsers, bundlers and Deno.
import init from "../wasm/cosec.js";
import { Cosec } from "./cosec.js";

export * from "./cosec.js";

/** Loads the core, once. `module` is needed only where the .wasm file does not lie beside this script. */
export async function load(module?: WebAssembly.Module | BufferSource | Response | URL): Promise<Cosec> {
  await init({ module_or_path: module ?? new URL("../wasm/cosec_bg.wasm", import.meta.url) });
  return new Cosec();
}
