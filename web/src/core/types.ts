// The shapes of what the core says. `Report` is that of `cosec lint --format json`, version 1, and some more.

/** A text and the path under which the others know it: `/` between parts, relative to what all files share. */
export interface TextFile {
  path: string;
  text: string;
}

/** Lines and columns from 1; columns in Unicode scalar values; the end is exclusive. */
export interface Place {
  file: string;
  line: number;
  column: number;
  end_line: number;
  end_column: number;
}

/** What is told of a file that is not read. */
export interface FileFacts {
  /** In bytes. */
  size: number;
  ending: "plain" | "newline" | "crlf";
}

export type Severity = "error" | "warning" | "info";

/** Whose rules: everybody's, stricter ones too, or all. */
export type Persona = "regular" | "pedantic" | "auditor";

export interface Finding extends Place {
  rule: string;
  severity: Severity;
  confidence: "high" | "medium" | "low";
  message: string;
  /** What to do. */
  help: string;
  /** The place in the project: `services.db.environment.POSTGRES_PASSWORD`. */
  path: string;
  related: (Place & { message: string })[];
  /** What a fix would change; null where there is none, or where that is not known yet: `fixes_known`. */
  fix: "safe" | "unsafe" | null;
  /** The same wherever the finding's lines have moved. */
  fingerprint: string;
  /** The line with its values masked; the part that this is about in UTF-16 units. */
  excerpt: { text: string; from: number; to: number };
}

export interface Report {
  version: 1;
  findings: Finding[];
  /** What could not be checked here; a rule `*` stands for the whole file. */
  not_checked: { file: string; rule: string; reason: string }[];
  /** Files that could not be read as what they are, and where. */
  errors: { file: string; message: string; place: Place | null }[];
  /** The files that were linted, those that .gitignore left out, and those that a cosec.toml did. */
  linted: string[];
  ignored: string[];
  excluded: string[];
  /** The files that these read, those whose text they ask for and is not here, and those of which they ask no more than
   * whether they are there and how they end: secrets' files. */
  read: string[];
  wanted: string[];
  wanted_facts: string[];
  /** The files that are here and stand behind a secret. */
  secret_files: string[];
  /** Whether .gitignore files stood in for git, which alone knows what it tracks. */
  by_gitignore: boolean;
  /** Whether it is known of every finding if it can be fixed. */
  fixes_known: boolean;
}

export interface Rule {
  id: string;
  summary: string;
  severity: Severity;
  /** What it must look at; without a disk the last two are answered in part, or said to be not checked. */
  needs: "text" | "files" | "git";
  /** What a fix changes where there is one. */
  fix: "safe" | "unsafe" | null;
}

export interface Delivery {
  service: string;
  secret: string;
  /** The file's absolute path in the container. */
  target: string;
  owner: {
    uid: number | null;
    gid: number | null;
    user: "image" | { ids: { uid: number; gid: number | null } } | { named: string };
  };
  /** Octal digits. */
  mode: string;
  source: { file: string } | { environment: string };
  /** Where the grant is written. */
  place: Place;
}

export interface ProjectPlan {
  /** Null where the project cannot be read or planned; `error` says why. */
  project: string | null;
  files: string[];
  deliveries: Delivery[];
  error: { message: string; place: Place | null } | null;
}

/** What `docker compose config` makes of a project, or why it refuses. */
export interface Config {
  files: string[];
  /** YAML; null where there is an error. */
  text: string | null;
  /** Variables without a value and a default here; a shell may have them. */
  unset: string[];
  error: { message: string; place: Place | null } | null;
}

/** Which finding of a file is to be fixed. */
export type Wanted = Pick<Finding, "rule" | "line" | "column">;

export interface Fixed {
  /** What is done; `notes` say what else one has to know. */
  fixes: { rule: string; place: Place; path: string; title: string; notes: string[]; kind: "safe" | "unsafe" }[];
  /** What was asked for and has to be done by hand, and why. */
  refused: { rule: string; place: Place; path: string; reason: string }[];
  /** The new texts, those of new files among them; what is `secret` holds a secret's value alone. `shown` is the text
   * before and after with what may be a secret masked. */
  files: (TextFile & { secret: boolean; shown: [before: string, after: string] })[];
}

export type ReportFormat = "json" | "sarif" | "markdown";
