// Which language a file is in, by its name.
import { yaml } from "@codemirror/lang-yaml";
import { StreamLanguage, type StreamParser } from "@codemirror/language";
import { dockerFile } from "@codemirror/legacy-modes/mode/dockerfile";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import type { Extension } from "@codemirror/state";

/** `NAME=value` with quotes, variables and comments, as Compose reads it. */
const dotenv: StreamParser<{ where: "name" | "value"; quote: string }> = {
  name: "dotenv",
  startState: () => ({ where: "name", quote: "" }),
  token(stream, state) {
    if (stream.sol() && !state.quote) state.where = "name";
    if (state.where === "name") {
      if (stream.eatSpace()) return null;
      if (stream.peek() === "#") return stream.skipToEnd(), "comment";
      if (stream.match(/^export(?=\s)/)) return "keyword";
      if (stream.match(/^[\w.-]+/)) return "propertyName";
      if (stream.next()?.match(/[=:]/)) state.where = "value";
      return "operator";
    }
    if (stream.match(/^\$(\{[^}]*\}?|\w+)/)) return "variableName.special";
    const next = stream.next() ?? "";
    if (state.quote) {
      if (next === "\\") stream.next();
      else if (next === state.quote) state.quote = "";
      return "string";
    }
    if (next === '"' || next === "'") {
      state.quote = next;
      return "string";
    }
    if (next === "#" && /\s/.test(stream.string.charAt(stream.pos - 2))) return stream.skipToEnd(), "comment";
    return "string";
  },
  languageData: { commentTokens: { line: "#" } },
};

/** Lines of patterns. */
const ignore: StreamParser<unknown> = {
  name: "ignore",
  token(stream) {
    if (stream.sol() && stream.peek() === "#") return stream.skipToEnd(), "comment";
    if (stream.match(/^(\*+|\?|\[[^\]]*\]|^!)/)) return "keyword";
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "#" } },
};

export interface Language {
  label: string;
  extension: Extension;
}

const LANGUAGES: [RegExp, () => Language][] = [
  [/\.ya?ml$/i, () => ({ label: "YAML", extension: yaml() })],
  [/(^|\.)env(\.|$)/i, () => ({ label: "dotenv", extension: StreamLanguage.define(dotenv) })],
  [/^(docker|container)file(\..*)?$|\.dockerfile$/i, () => ({ label: "Dockerfile", extension: StreamLanguage.define({ ...dockerFile, name: "dockerfile" }) })],
  [/^\.(git|docker)ignore$/, () => ({ label: "ignore", extension: StreamLanguage.define(ignore) })],
  [/\.toml$/i, () => ({ label: "TOML", extension: StreamLanguage.define(toml) })],
];

/** Each is made once. */
const made = new Map<() => Language, Language>();

export function languageOf(path: string): Language {
  const own = path.slice(path.lastIndexOf("/") + 1);
  const make = LANGUAGES.find(([pattern]) => pattern.test(own))?.[1];
  if (!make) return { label: "text", extension: [] };
  const known = made.get(make) ?? make();
  made.set(make, known);
  return known;
}
