// crates/wasm → src/wasm: cargo, bindgen in the version of Cargo.lock, wasm-opt.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const run = (program, args, cwd = root) => execFileSync(program, args, { cwd, stdio: "inherit" });
const metadata = JSON.parse(
  execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps"], { cwd: root, maxBuffer: 1 << 28 }),
);
const out = join(here, "src", "wasm");

run("cargo", ["build", "--quiet", "--profile", "wasm", "--target", "wasm32-unknown-unknown", "--package", "cosec-wasm"]);
rmSync(out, { recursive: true, force: true });
const module = join(metadata.target_directory, "wasm32-unknown-unknown", "wasm", "cosec_wasm.wasm");
run("cargo", ["run", "--quiet", "--package", "xtask-bindgen", "--", module, out]);
// Named one by one: --all-features makes a module that browsers refuse.
const features = ["bulk-memory", "sign-ext", "nontrapping-float-to-int", "mutable-globals", "reference-types", "multivalue"];
const optimised = join(out, "cosec_bg.wasm");
run(process.execPath, [
  join(here, "node_modules", "binaryen", "bin", "wasm-opt"),
  "-Oz",
  "--strip-debug",
  "--strip-producers",
  ...features.map((feature) => `--enable-${feature}`),
  optimised,
  "-o",
  optimised,
]);
