// The module travels inside a script, packed: a page that may not connect anywhere cannot fetch it, and a page
// from the disk could not either.

export async function compile(): Promise<WebAssembly.Module> {
  const { default: packed } = await import("virtual:cosec-wasm");
  const letters = atob(packed);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return WebAssembly.compile(await new Response(stream).arrayBuffer());
}
