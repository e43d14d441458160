// Files from the disk: chosen, dropped, or a whole folder. Only what cosec can look at becomes a tab; what is
// left out is said. Of keys and other credentials no more is taken than that they are there.
import type { FileFacts, TextFile } from "../core/types";
import { byPlace } from "./paths";

export interface Intake {
  files: TextFile[];
  skipped: { path: string; why: string }[];
  /** Where the files of a folder came from. */
  found: Map<string, Candidate>;
  /** What is there and was not read. */
  known: Map<string, FileFacts>;
  /** The other files of a folder, to be read when a file asks for them. */
  pool: Map<string, Candidate>;
}

export interface Candidate {
  path: string;
  open(): Promise<Blob>;
}

const LARGEST = 2 << 20;
const MOST_FILES = 10_000;
const NOT_ENTERED = new Map([
  [".git", "git's own files"],
  [".hg", "Mercurial's own files"],
  [".svn", "Subversion's own files"],
  ["node_modules", "packages"],
]);

const name = (path: string) => path.slice(path.lastIndexOf("/") + 1);

const CREDENTIALS = new Set([
  ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".git-credentials", ".htpasswd", ".vault-token", ".s3cfg", ".boto", ".dockercfg", "credentials",
]);

/** What is nobody's to read, by its name: keys and files that programs keep credentials in. */
export function isCredential(path: string): boolean {
  const own = name(path).toLowerCase();
  return (
    CREDENTIALS.has(own) ||
    /^id_(rsa|dsa|ecdsa|ed25519)(_sk)?$/.test(own) ||
    /\.(pem|key|p8|p12|pfx|jks|keystore|ppk|kdbx|gpg|asc|age|tfstate)$/.test(own) ||
    /(^|\/)(\.docker\/config\.json|\.kube\/config)$/.test(path)
  );
}

/** What may be told of a file that is not read. */
export async function facts(candidate: Candidate): Promise<FileFacts | undefined> {
  const blob = await candidate.open().catch(() => undefined);
  if (!blob) return undefined;
  const last = await blob.slice(-2).arrayBuffer().catch(() => undefined);
  if (!last) return undefined;
  const end = new Uint8Array(last);
  const ending = end.at(-1) !== 10 ? "plain" : end.length === 2 && end[0] === 13 ? "crlf" : "newline";
  return { size: blob.size, ending };
}

/** What is worth a tab in a folder of many things. */
function isOurs(path: string): boolean {
  const own = name(path).toLowerCase();
  return (
    (/compose/.test(own) && /\.ya?ml$/.test(own)) ||
    own.split(".").includes("env") ||
    /^(docker|container)file(\..+)?$|\.dockerfile$/.test(own) ||
    [".gitignore", ".dockerignore", "cosec.toml"].includes(own)
  );
}

/** A text, or why it is none. */
export async function read(candidate: Candidate): Promise<{ text: string } | { why: string }> {
  const blob = await candidate.open().catch(() => undefined);
  if (!blob) return { why: "it cannot be read" };
  if (blob.size > LARGEST) return { why: `${(blob.size / (1 << 20)).toFixed(1)} MB is more than the ${LARGEST >> 20} MB this page takes` };
  const content = await blob.arrayBuffer().catch(() => undefined);
  if (!content) return { why: "it cannot be read" };
  const bytes = new Uint8Array(content);
  if (bytes.subarray(0, 8000).includes(0)) return { why: "it is no text" };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { why: "it is not UTF-8 text" };
  }
}

/** `inFolder`: take what is ours, keep the rest at hand. Otherwise each file was meant. */
async function sort(candidates: Candidate[], inFolder: boolean, skipped: Intake["skipped"]): Promise<Intake> {
  const intake: Intake = { files: [], skipped, found: new Map(), known: new Map(), pool: new Map() };
  if (inFolder) candidates.sort((left, right) => byPlace(left.path, right.path));
  for (const candidate of candidates) {
    if (isCredential(candidate.path)) {
      const told = await facts(candidate);
      if (told) intake.known.set(candidate.path, told);
      continue;
    }
    if (inFolder && !isOurs(candidate.path)) {
      intake.pool.set(candidate.path, candidate);
      continue;
    }
    const content = await read(candidate);
    if (inFolder) intake.found.set(candidate.path, candidate);
    if ("text" in content) intake.files.push({ path: candidate.path, text: content.text });
    else intake.skipped.push({ path: candidate.path, why: content.why });
  }
  return intake;
}

/** Of `<input type="file">`, with or without `webkitdirectory`. */
export function fromList(list: FileList): Promise<Intake> {
  const skipped: Intake["skipped"] = [];
  const entered = new Set<string>();
  const walk: Walk = { candidates: [], skipped };
  for (const file of list) {
    // The folder's own name comes first: paths start inside it.
    const path = file.webkitRelativePath.replace(/^[^/]*\//, "") || file.name;
    const closed = path.split("/").slice(0, -1).find((part) => NOT_ENTERED.has(part));
    if (closed === undefined) takes(walk, { path, open: async () => file });
    else if (!entered.has(closed)) skipped.push({ path: `${closed}/`, why: NOT_ENTERED.get(closed) ?? "" });
    if (closed !== undefined) entered.add(closed);
  }
  return sort(walk.candidates, [...list].some((file) => file.webkitRelativePath !== ""), skipped);
}

interface Walk {
  candidates: Candidate[];
  skipped: Intake["skipped"];
}

/** A folder's name on the way down: whether to go in. */
function enters(walk: Walk, path: string, own: string): boolean {
  const why = NOT_ENTERED.get(own);
  if (why !== undefined) walk.skipped.push({ path: `${path}/`, why });
  return why === undefined;
}

/** Whether there is room for another file; said once when there is not. */
function takes(walk: Walk, candidate: Candidate): void {
  if (walk.candidates.length < MOST_FILES) walk.candidates.push(candidate);
  else if (!walk.skipped.some((entry) => entry.path === "all others")) {
    // First, as a long list of what is left out is cut.
    walk.skipped.unshift({ path: "all others", why: `only the first ${MOST_FILES.toLocaleString("en")} files were looked at` });
  }
}

/** A folder of which not all is known. First, as a long list of what is left out is cut. */
function unreadable(walk: Walk, path: string): void {
  walk.skipped.unshift({ path, why: "this folder, or a part of it, cannot be read" });
}

/** Of a drop: files and folders. Must be called in the event itself, later the browser has taken them away. */
export function fromDrop(transfer: DataTransfer): Promise<Intake> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = [...transfer.files];
  const walk: Walk = { candidates: [], skipped: [] };
  const single = entries.length === 1 && entries[0]?.isDirectory ? entries[0] : undefined;
  const descend = async (entry: FileSystemEntry, path: string): Promise<void> => {
    if (entry.isFile) {
      const open = () => new Promise<Blob>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      takes(walk, { path, open });
    } else if (entry === single || enters(walk, path, entry.name)) {
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      for (;;) {
        // A hundred at a time, until there are none.
        const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => {
          unreadable(walk, `${path || entry.name}/`);
          return [];
        });
        if (some.length === 0) break;
        for (const inner of some) await descend(inner, path ? `${path}/${inner.name}` : inner.name);
      }
    }
  };
  return (async () => {
    for (const entry of entries) await descend(entry, entry === single ? "" : entry.name);
    if (entries.length === 0) walk.candidates.push(...files.map((file) => ({ path: file.name, open: async () => file })));
    return sort(walk.candidates, entries.some((entry) => entry.isDirectory), walk.skipped);
  })();
}

/** Of the File System Access API. */
export async function fromHandle(handle: FileSystemDirectoryHandle): Promise<Intake> {
  const walk: Walk = { candidates: [], skipped: [] };
  const descend = async (directory: FileSystemDirectoryHandle, prefix: string): Promise<void> => {
    try {
      for await (const [own, entry] of directory as unknown as AsyncIterable<[string, FileSystemHandle]>) {
        const path = prefix + own;
        if (entry.kind === "file") takes(walk, { path, open: () => (entry as FileSystemFileHandle).getFile() });
        else if (enters(walk, path, own)) await descend(entry as FileSystemDirectoryHandle, `${path}/`);
      }
    } catch {
      unreadable(walk, prefix || `${directory.name}/`);
    }
  };
  await descend(handle, "");
  return sort(walk.candidates, true, walk.skipped);
}
