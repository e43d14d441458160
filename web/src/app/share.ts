// A link that carries files in its fragment, which no server ever sees. What goes in has lost its values before.
import type { TextFile } from "../core/types";
import { clean } from "./paths";

const ANY = "#share=";
const PREFIX = `${ANY}1.`;
/** Of all texts together, before they are packed: what a link unfolds to is limited, and so is what goes in. */
const LARGEST = 1 << 20;
const MOST_FILES = 1000;
const LONGEST_PATH = 1000;

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

/** Takes the link out of the page's address: a reload would bring its files back over what has become of them. */
export function leaveLink(): void {
  if (location.hash.startsWith(ANY)) history.replaceState(history.state, "", location.href.replace(/#.*/, ""));
}

/** The fragment, with its `#`, or why there is none. */
export async function encode(files: TextFile[]): Promise<{ fragment: string } | { why: string }> {
  const text = new TextEncoder().encode(JSON.stringify(files.map(({ path, text }) => [path, text])));
  if (text.length > LARGEST) return { why: `${(text.length / 1024).toFixed(0)} KB are more than a link takes, which is ${LARGEST >> 10} KB. Close what nobody has to see.` };
  if (files.length > MOST_FILES) return { why: `${files.length} files are more than a link takes, which is ${MOST_FILES}.` };
  const packed = await through(text, new CompressionStream("deflate-raw"), LARGEST);
  let letters = "";
  for (const byte of packed) letters += String.fromCharCode(byte);
  return { fragment: PREFIX + btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "") };
}

/** The files of a fragment; `broken` where it is one of ours and cannot be read, nothing where it is none. */
export async function decode(fragment: string): Promise<TextFile[] | "broken" | undefined> {
  if (!fragment.startsWith(ANY)) return undefined;
  try {
    if (!fragment.startsWith(PREFIX)) return "broken";
    const letters = atob(fragment.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
    const packed = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const unpacked = await through(packed, new DecompressionStream("deflate-raw"), LARGEST);
    const entries: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(unpacked));
    if (!Array.isArray(entries) || entries.length === 0 || entries.length > MOST_FILES) return "broken";
    const files = entries.flatMap((entry: unknown): TextFile[] => {
      if (!Array.isArray(entry) || typeof entry[0] !== "string" || typeof entry[1] !== "string") return [];
      return clean(entry[0]) && entry[0].length <= LONGEST_PATH ? [{ path: entry[0], text: entry[1] }] : [];
    });
    const paths = new Set(files.map(({ path }) => clean(path)));
    return paths.size === entries.length ? files : "broken";
  } catch {
    return "broken";
  }
}
