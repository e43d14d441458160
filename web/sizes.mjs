// What the page costs to load, part by part; more than the limit fails the build. cosec.html is another way
// to the same page and does not count twice.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";

const LIMIT = 900 * 1024;
const dist = new URL("dist/", import.meta.url).pathname;
let total = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const bytes = readFileSync(join(entry.parentPath ?? entry.path, entry.name));
  const packed = brotliCompressSync(bytes).length;
  if (entry.name !== "cosec.html") total += packed;
  console.log(`${entry.name.padEnd(36)} ${String(bytes.length).padStart(9)} B  ${String(packed).padStart(8)} B brotli`);
}
console.log(`${"in all".padEnd(36)} ${"".padStart(11)}  ${String(total).padStart(8)} B brotli, of ${LIMIT} allowed`);
if (total > LIMIT) {
  console.error("the page is larger than it may be");
  process.exit(1);
}
