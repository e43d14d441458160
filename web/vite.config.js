// Builds: the script and style of the page (`vite build`), the element of the npm package (COSEC_BUILD=element).
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const build = process.env.COSEC_BUILD ?? "page";

/** See src/core/wasm.ts for why the module travels so. */
const packedWasm = {
  name: "packed-wasm",
  resolveId: (id) => (id === "virtual:cosec-wasm" ? `\0${id}` : undefined),
  load(id) {
    if (id !== "\0virtual:cosec-wasm") return undefined;
    const module = readFileSync(new URL("src/wasm/cosec_bg.wasm", import.meta.url));
    return `export default ${JSON.stringify(gzipSync(module, { level: 9 }).toString("base64"))};`;
  },
};

const output = {
  page: { outDir: "dist-page", rolldownOptions: { output: { codeSplitting: false } } },
  element: {
    outDir: "dist-element",
    lib: { entry: "src/define.ts", formats: ["es"], fileName: "element" },
    rolldownOptions: { output: { codeSplitting: false } },
  },
}[build];

export default defineConfig({
  // Relative paths: the page works from any directory of any server.
  base: "./",
  plugins: [packedWasm],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false, minify: true, chunkSizeWarningLimit: 2000, ...output },
  // A classic script: it also starts from a page on the disk. The worker is given the module, it holds none.
  worker: { format: "iife", plugins: () => [packedWasm] },
});
