// Builds: the script and style of the page (`vite build`), the element of the npm package (COSEC_BUILD=element).
import { readFileSync } from "node:fs";
import { defineConfig } from "vite";
import { asScript } from "./wasm_text.mjs";

const build = process.env.COSEC_BUILD ?? "page";

const wasmText = {
  name: "wasm-text",
  resolveId: (id) => (id === "virtual:cosec-wasm" ? `\0${id}` : undefined),
  load: (id) => (id === "\0virtual:cosec-wasm" ? asScript(readFileSync(new URL("src/wasm/cosec_bg.wasm", import.meta.url))) : undefined),
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
  plugins: [wasmText],
  // Older targets get light-dark() written as media queries, which know nothing of a page's own color-scheme.
  build: { target: "es2022", cssTarget: ["chrome123", "edge123", "firefox120", "safari17.5"], assetsInlineLimit: 0, modulePreload: false, minify: true, chunkSizeWarningLimit: 4000, ...output },
  // A classic script: it also starts from a page on the disk. The worker is given the module, it holds none.
  worker: { format: "iife", plugins: () => [wasmText] },
});
