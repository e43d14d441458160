// Paths as the core joins them.

/** No blanks around it, no `./`, no leading `/`. */
export function clean(path: string): string {
  return path
    .trim()
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

/** For sorting: a directory's own files come before those of the directories in it. */
export function byPlace(left: string, right: string): number {
  const [a, b] = [left.split("/"), right.split("/")];
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const isLast = Number(at === b.length - 1) - Number(at === a.length - 1);
    const [x, y] = [a[at] ?? "", b[at] ?? ""];
    if (isLast !== 0) return isLast;
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

/** What is short is shown whole. */
const SHORT = 32;

/** Names for paths that are shown in little room: of a long path no more than tells it from the others. */
export function shortNames(paths: string[]): Map<string, string> {
  const ends = new Map<string, number>();
  const endsOf = (path: string) => {
    const parts = path.split("/");
    return parts.map((_, at) => parts.slice(parts.length - 1 - at).join("/"));
  };
  for (const path of paths) for (const end of endsOf(path)) ends.set(end, (ends.get(end) ?? 0) + 1);
  const short = (path: string) => endsOf(path).find((end) => ends.get(end) === 1) ?? path;
  return new Map(paths.map((path) => [path, path.length <= SHORT ? path : short(path)]));
}

/** Names for an archive, one for each path: inside of where it is unpacked, and no two the same. */
export function inArchive(paths: string[]): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const path of paths) {
    const inside = path.split(/[\\/]/).filter((part) => part !== "" && part !== "." && part !== "..").join("/") || "file";
    let wanted = inside;
    for (let number = 2; taken.has(wanted.toLowerCase()); number++) wanted = inside.replace(/(\.[^./]*)?$/, `-${number}$1`);
    taken.add(wanted.toLowerCase());
    names.set(path, wanted);
  }
  return names;
}
