// F8: from finding to finding, through all files. What is not valid counts as one.
import type { Place, Report, Severity } from "../core/types";
import type { Editor } from "./editor";
import { type Pointed, summary, wordFor } from "./findings";
import type { Notice } from "./notice";
import type { OpenFiles } from "./open_files";

interface Stop extends Place {
  severity: Severity;
  message: string;
  /** None where the file is not valid. */
  rule?: string;
}

/** `point` hears where it has come to. */
export function jump(direction: 1 | -1, editor: Editor, files: OpenFiles, report: Report | undefined, notice: Notice, point: (entry: Pointed) => void): void {
  // For who does not see it: all that is said of the place.
  const tell = (file: string, line: number, said: Pick<Stop, "severity" | "message">[]) => {
    const sentences = said.map(({ severity, message }, at) => `${wordFor(severity)}${at === 0 ? `, ${file}, line ${line}` : ""}: ${message.replaceAll("`", "")}`);
    notice.announce(sentences.join(". "));
  };
  const here = editor.view.state.selection.main.from;
  const own = editor.marks();
  const next = direction === 1 ? own.find(({ from }) => from > here) : own.filter(({ from }) => from < here).at(-1);
  if (next) {
    editor.select(next.from, next.to);
    point(next.finding ?? { file: files.current });
    return tell(files.current, editor.view.state.doc.lineAt(next.from).number, own.filter(({ from }) => from === next.from));
  }
  const paths = files.paths;
  const start = paths.indexOf(files.current);
  for (let step = 1; step <= paths.length; step++) {
    const path = paths[(start + direction * step + paths.length * step) % paths.length] ?? "";
    const stops = stopsOf(report, path);
    const stop = direction === 1 ? stops[0] : stops.at(-1);
    if (!stop) continue;
    files.reveal(stop);
    point(stop);
    return tell(path, stop.line, stops.filter(({ line, column }) => line === stop.line && column === stop.column));
  }
  notice.announce(report ? summary(report) : "Not checked.");
}

/** In the order of the text. */
function stopsOf(report: Report | undefined, path: string): Stop[] {
  const unread = (report?.errors ?? []).map(({ file, message, place }): Stop => ({ ...(place ?? { file, line: 1, column: 1, end_line: 1, end_column: 1 }), severity: "error", message }));
  return [...(report?.findings ?? []), ...unread].filter((stop) => stop.file === path).sort((left, right) => left.line - right.line || left.column - right.column);
}
