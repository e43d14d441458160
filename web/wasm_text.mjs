// The module as a text: a script cannot hold bytes. What is packed already (gzip in Base64) is packed no further on its
// way; this is packed as the module itself would be, 166 KB less of brotli. src/core/wasm.ts reads it.

/** One letter of UTF-8 for the bytes that are most frequent, two for the others; none that a script or HTML minds. */
function alphabet(bytes) {
  const isPlain = (code) => code < 0x7f && !'"\\<'.includes(String.fromCharCode(code));
  const isOther = (code) => code >= 0xa1 && code !== 0xad;
  const codes = Array.from({ length: 0x200 }, (_, code) => code).filter((code) => code >= 0x20 && (isPlain(code) || isOther(code)));
  const plain = codes.filter(isPlain).length;
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte]++;
  const byCount = [...counts.keys()].sort((left, right) => counts[right] - counts[left]);
  // Neighbours stay in their order, as packers like them.
  const inOrder = [...byCount.slice(0, plain).sort((left, right) => left - right), ...byCount.slice(plain).sort((left, right) => left - right)];
  const letters = new Array(256);
  inOrder.forEach((byte, at) => (letters[byte] = String.fromCharCode(codes[at])));
  return letters;
}

/** A script's text: `letters`, that of each byte from 0 to 255, and `text`. */
export function asScript(bytes) {
  const letters = alphabet(bytes);
  const text = Array.from(bytes, (byte) => letters[byte]).join("");
  return `export const letters = ${JSON.stringify(letters.join(""))};\nexport const text = ${JSON.stringify(text)};\n`;
}
