import { defineConfig } from "vite";

export default defineConfig({
  // Relative paths: the page works from any directory of any server.
  base: "./",
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false },
  worker: { format: "es" },
});
