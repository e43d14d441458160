// What changes from one text to another, line by line. (Myers, "An O(ND) difference algorithm")

/** A run of lines: in both, or only in the old or the new text. */
export interface Run {
  kind: "same" | "gone" | "new";
  lines: string[];
}

/** Texts that differ in more lines than these are taken to be different as a whole. */
const MOST = 800;

export function diff(before: string, after: string): Run[] {
  const [old, now] = [lines(before), lines(after)];
  const runs: Run[] = [];
  const add = (kind: Run["kind"], line: string) => {
    const last = runs.at(-1);
    if (last?.kind === kind) last.lines.push(line);
    else runs.push({ kind, lines: [line] });
  };
  let [x, y] = [0, 0];
  for (const [toX, toY] of steps(old, now)) {
    while (x < toX && y < toY && old[x] === now[y]) add("same", (y++, old[x++] as string));
    while (x < toX) add("gone", old[x++] as string);
    while (y < toY) add("new", now[y++] as string);
  }
  return runs;
}

/** With their line breaks, so that a last line without one is another line. */
function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Points on the shortest way from the beginnings of both texts to their ends. */
function steps(old: string[], now: string[]): [number, number][] {
  const end: [number, number] = [old.length, now.length];
  const trace: Map<number, number>[] = [];
  const reached = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= Math.min(MOST, old.length + now.length); edits++) {
    trace.push(new Map(reached));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const [below, above] = [reached.get(diagonal + 1) ?? -1, reached.get(diagonal - 1) ?? -1];
      let x = diagonal === -edits || (diagonal !== edits && above < below) ? below : above + 1;
      while (x < old.length && x - diagonal < now.length && old[x] === now[x - diagonal]) x++;
      reached.set(diagonal, x);
      if (x >= old.length && x - diagonal >= now.length) return back(trace, end);
    }
  }
  return [end];
}

function back(trace: Map<number, number>[], end: [number, number]): [number, number][] {
  const way: [number, number][] = [end];
  let [x, y] = end;
  for (let edits = trace.length - 1; edits > 0; edits--) {
    const reached = trace[edits] as Map<number, number>;
    const diagonal = x - y;
    const [below, above] = [reached.get(diagonal + 1) ?? -1, reached.get(diagonal - 1) ?? -1];
    const from = diagonal === -edits || (diagonal !== edits && above < below) ? diagonal + 1 : diagonal - 1;
    const before = reached.get(from) ?? 0;
    // The edit itself, and the equal lines before it.
    way.push([from > diagonal ? before : before + 1, from > diagonal ? before - from + 1 : before - from], [before, before - from]);
    [x, y] = [before, before - from];
  }
  return way.reverse();
}
