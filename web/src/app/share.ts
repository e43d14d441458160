// A link that carries files in its fragment, which no server ever sees. What goes in has lost its values before.
import type { TextFile } from "../core/types";

const PREFIX = "#share=1.";
const LARGEST = 1 << 20;

async function through(bytes: Uint8Array<ArrayBuffer>, stream: GenericTransformStream, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(stream as ReadableWritablePair<Uint8Array, Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    // A short link can unfold to gigabytes.
    if (length > most) {
      await reader.cancel();
      throw new Error("the link holds more than it may");
    }
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The fragment, with its `#`. */
export async function encode(files: TextFile[]): Promise<string> {
  const text = JSON.stringify(files.map(({ path, text }) => [path, text]));
  const packed = await through(new TextEncoder().encode(text), new CompressionStream("deflate-raw"), LARGEST);
  let letters = "";
  for (const byte of packed) letters += String.fromCharCode(byte);
  return PREFIX + btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The files of a fragment; nothing where it is none of ours or is broken. */
export async function decode(fragment: string): Promise<TextFile[] | undefined> {
  if (!fragment.startsWith(PREFIX)) return undefined;
  try {
    const letters = atob(fragment.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
    const packed = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const unpacked = await through(packed, new DecompressionStream("deflate-raw"), LARGEST);
    const entries: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(unpacked));
    if (!Array.isArray(entries)) return undefined;
    const files = entries.slice(0, 100).flatMap((entry: unknown): TextFile[] => {
      if (!Array.isArray(entry) || typeof entry[0] !== "string" || typeof entry[1] !== "string") return [];
      return entry[0] ? [{ path: entry[0].slice(0, 200), text: entry[1] }] : [];
    });
    return files.length > 0 ? files : undefined;
  } catch {
    return undefined;
  }
}
