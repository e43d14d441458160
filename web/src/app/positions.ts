// The core counts columns in Unicode scalar values, the editor offsets in UTF-16 units.
import type { Text } from "@codemirror/state";
import type { Place } from "../core/types";

/** The line that was asked for last, and whether its units are its characters: thousands of places can be on one. */
let last = { content: "", isPlain: true };

export function offset(text: Text, line: number, column: number): number {
  if (line > text.lines) return text.length;
  const { from, text: content } = text.line(Math.max(1, line));
  if (last.content !== content) last = { content, isPlain: !/[\ufeff\ud800-\udfff]/.test(content) };
  if (last.isPlain) return from + Math.min(column - 1, content.length);
  let units = line === 1 && content.startsWith("\ufeff") ? 1 : 0;
  let left = column - 1;
  while (left-- > 0 && units < content.length) units += (content.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
  return from + units;
}

/** A range that is never empty where the text is not, so that there is something to mark. */
export function range(text: Text, place: Omit<Place, "file">): { from: number; to: number } {
  const from = Math.min(offset(text, place.line, place.column), text.length);
  const to = Math.max(offset(text, place.end_line, place.end_column), from);
  if (to > from) return { from, to };
  return from < text.length ? { from, to: from + 1 } : { from: Math.max(0, from - 1), to: from };
}
