// The module travels inside a script, as a text: a page that may not connect anywhere cannot fetch it, and a page from
// the disk could not either. wasm_text.mjs writes it.

export async function compile(): Promise<WebAssembly.Module> {
  const { letters, text } = await import("virtual:cosec-wasm");
  const byteOf = new Uint8Array(0x200);
  for (let byte = 0; byte < letters.length; byte++) byteOf[letters.charCodeAt(byte)] = byte;
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = byteOf[text.charCodeAt(at)] ?? 0;
  return WebAssembly.compile(bytes);
}
