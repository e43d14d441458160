// What the menus offer: to open, to add and to export.
import { strToU8, zipSync } from "fflate";
import type { Linter } from "../core/linter";
import type { Report, ReportFormat } from "../core/types";
import { download } from "./download";
import { EXAMPLE } from "./example";
import { missing } from "./findings";
import type { Incoming } from "./incoming";
import { isCredential } from "./intake";
import type { MenuItem } from "./menu";
import type { Notice } from "./notice";
import type { OpenFiles } from "./open_files";
import { inArchive } from "./paths";
import type { Replacing } from "./replacing";

const USUAL = ["compose.yaml", "compose.override.yaml", ".env", ".gitignore", "Dockerfile", ".dockerignore", "cosec.toml"];
const MOST_WANTED = 6;

/** `leave` takes the focus to the editor. */
export function openItems(files: OpenFiles, incoming: Incoming, replacing: Replacing, leave: () => void): MenuItem[] {
  const closeAll = () => {
    replacing.closeAll();
    leave();
  };
  return [
    { label: "Files…", run: () => incoming.chooseFiles() },
    { label: "Folder…", hint: "what cosec looks at in it", run: () => void incoming.chooseFolder() },
    { label: "Example", run: () => replacing.replace(EXAMPLE, files.own ? "This is the example." : "") },
    { label: "Close all", run: closeAll },
    ...(replacing.can ? [{ label: "Bring back what was here", run: () => replacing.bringBack() }] : []),
  ];
}

/** `rename` lets the name of a file be written. */
export function addItems(files: OpenFiles, report: Report | undefined, rename: (path: string) => void): MenuItem[] {
  const isOverride = (path: string) => /(^|\/)(docker-)?compose(\.override)?\.ya?ml$/.test(path);
  // What would be merged is asked for at each Compose file, what is included by its name.
  const named = new Set(report ? missing(report) : []);
  const wanted = (report?.wanted ?? []).filter((path) => (named.has(path) || !isOverride(path)) && !USUAL.includes(path) && !isCredential(path));
  // Those of the file that one looks at first.
  const here = files.current.slice(0, files.current.lastIndexOf("/") + 1);
  wanted.sort((left, right) => Number(right.startsWith(here)) - Number(left.startsWith(here)));
  const another = () => {
    let number = 1;
    while (files.has(`file-${number}.yaml`)) number++;
    files.add(`file-${number}.yaml`);
    rename(`file-${number}.yaml`);
  };
  return [
    ...wanted.slice(0, MOST_WANTED).map((path) => ({ label: path, hint: "asked for", run: () => files.add(path) })),
    ...USUAL.filter((path) => !files.has(path)).map((path) => ({ label: path, run: () => files.add(path) })),
    { label: "Another name…", run: another },
  ];
}

export function exportItems(files: OpenFiles, linter: Linter, notice: Notice): MenuItem[] {
  const run = (work: () => Promise<void>) => () => void work().catch(() => notice.fail("The report could not be made."));
  const report = (format: ReportFormat, name: string, type: string) =>
    run(async () => {
      download(name, await linter.ask("report", { format }), type);
    });
  const zip = run(async () => {
    const written = files.written();
    const names = inArchive(written.map(({ path }) => path));
    const entries = written.map(({ path, text }) => [names.get(path) ?? path, strToU8(text)] as const);
    download("compose-project.zip", zipSync(Object.fromEntries(entries)) as Uint8Array<ArrayBuffer>, "application/zip");
  });
  return [
    { label: "Report as SARIF", hint: "code scanning", run: report("sarif", "cosec.sarif", "application/sarif+json") },
    { label: "Report as JSON", hint: "programs", run: report("json", "cosec.json", "application/json") },
    { label: "Report as Markdown", hint: "issues, reviews", run: report("markdown", "cosec.md", "text/markdown") },
    { label: "These files as zip", hint: "with their values", run: zip },
  ];
}
