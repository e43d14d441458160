//! The core for the browser and for Node: texts in, JSON out. Nothing here decides anything.

mod project;
mod recorder;
mod settings;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use cosec_core::dockerfile::is_dockerfile;
use cosec_core::files::{Answer, Ending, FileFacts, FileSystem, GitState, MemoryFiles, file_name, join};
use cosec_core::fix::{self, Detail};
use cosec_core::lint::{LintOptions, Outcome, is_linted, lint_file};
use cosec_core::report::{self, JsonFinding, JsonNotChecked, JsonPlace, JsonRelated, Report};
use cosec_core::rules::{self, Persona};
use cosec_core::settings::FILE_NAME;
use cosec_core::settle::{Kept, settle, settled};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::recorder::Recorder;
use crate::settings::AllSettings;

/// A set of files that are looked at together. Only what a change can touch is looked at again.
#[wasm_bindgen]
#[derive(Default)]
pub struct Workspace {
    files: MemoryFiles,
    /// What was chosen here; a `cosec.toml` may say otherwise where nothing was.
    persona: Option<Persona>,
    settings: AllSettings,
    linted: BTreeMap<String, Linted>,
}

/// What linting one file gave, and which files it asked for, those that are not there among them.
struct Linted {
    outcome: Outcome,

    asked: BTreeSet<String>,
    asked_to_read: BTreeSet<String>,
    secret_files: BTreeSet<String>,
    asked_git: bool,
    report: Report,
    excerpts: Vec<Excerpt>,
    /// Whether it is known what can be fixed, and which files that was asked of.
    fixes_known: bool,
    asked_for_fixes: BTreeSet<String>,
}

/// A finding's line with its values masked; the part that the finding is about, in UTF-16 units.
#[derive(Clone, Serialize)]
struct Excerpt {
    text: String,
    from: usize,
    to: usize,
}

/// The report of `cosec lint --format json` and what only an editor needs.
#[derive(Serialize)]
struct Answered<'a> {
    version: u32,
    findings: Vec<Shown<'a>>,
    not_checked: Vec<&'a JsonNotChecked>,
    /// Why a file could not be read, and where.
    errors: Vec<Value>,
    /// The files that were linted, those that .gitignore left out, and those that a cosec.toml did.
    linted: Vec<&'a str>,
    ignored: Vec<&'a str>,
    excluded: Vec<&'a str>,
    /// The files that these read, the texts they ask for that are not here, and the files of which they ask no more
    /// than whether they are there and how they end.
    read: BTreeSet<&'a str>,
    wanted: BTreeSet<&'a str>,
    wanted_facts: BTreeSet<&'a str>,
    /// The files that are here and stand behind a secret.
    secret_files: BTreeSet<&'a str>,
    /// Whether .gitignore files stood in for git.
    by_gitignore: bool,
    /// Whether it is known of every finding if it can be fixed.
    fixes_known: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    finding: Cow<'a, JsonFinding>,
    excerpt: Cow<'a, Excerpt>,
}

/// A finding that is to be fixed.
#[derive(Deserialize)]
struct Wanted {
    rule: String,
    line: u32,
    column: u32,
}

impl Wanted {
    fn is(&self, path: &str, finding: &JsonFinding) -> bool {
        self.is_at(path, &finding.place, finding.rule)
    }

    fn is_at(&self, path: &str, place: &JsonPlace, rule: &str) -> bool {
        join("", &place.file) == path
            && (self.line, self.column) == (place.line, place.column)
            && self.rule == rule
    }
}

#[wasm_bindgen]
impl Workspace {
    /// An empty one.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Workspace {
        Workspace::default()
    }

    /// Adds or replaces a file. Paths use `/` and start from the directory that all of them share.
    pub fn set(&mut self, path: &str, text: String) {
        let path = join("", path);
        self.forget(&path);
        self.files.insert(path, text);
    }

    /// Adds or replaces a file that is not to be read, a secret's: its size in bytes, and how it ends (`newline`,
    /// `crlf`, else `plain`).
    pub fn know(&mut self, path: &str, size: f64, ending: &str) {
        let path = join("", path);
        self.forget(&path);
        let ending = match ending {
            "newline" => Ending::Newline,
            "crlf" => Ending::CarriageReturn,
            _ => Ending::Plain,
        };
        self.files.know(&path, FileFacts { size: size as u64, ending, owner: None });
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) {
        let path = join("", path);
        self.forget(&path);
        self.files.remove(&path);
    }

    /// Whose rules: `regular`, `pedantic`, `auditor`. With `regular` a `cosec.toml` can ask for more.
    pub fn persona(&mut self, name: &str) {
        let persona = match name {
            "pedantic" => Some(Persona::Pedantic),
            "auditor" => Some(Persona::Auditor),
            _ => None,
        };
        if persona != self.persona {
            self.persona = persona;
            self.linted.clear();
        }
    }

    /// Lints all Compose and env files but those that .gitignore covers, as `cosec lint DIRECTORY` does, and what else
    /// is a Compose file or a Dockerfile and is read by none of them. A `cosec.toml` counts. Finding out
    /// what can be fixed takes longer than the rest: without `fixes` it is left out where it is not known yet.
    /// Returns JSON: the type `Report` of the package.
    pub fn lint(&mut self, fixes: bool) -> Result<String, String> {
        self.refresh(fixes);
        let there: HashSet<&str> = self.files.paths().collect();
        let all: Vec<&Linted> = self.linted.values().collect();
        let outcomes: Vec<&Outcome> = all.iter().map(|linted| &linted.outcome).collect();
        let settled = settled(&outcomes);
        let mut answer = Answered {
            version: 1,
            findings: Vec::new(),
            not_checked: Vec::new(),
            errors: Vec::new(),
            linted: self.linted.keys().map(String::as_str).collect(),
            ignored: self.files.paths().filter(|path| self.is_ignored(path)).collect(),
            excluded: self.files.paths().filter(|path| self.settings.excludes(path)).collect(),
            read: BTreeSet::new(),
            wanted: BTreeSet::new(),
            wanted_facts: BTreeSet::new(),
            secret_files: BTreeSet::new(),
            by_gitignore: self.linted.values().any(|linted| linted.asked_git),
            fixes_known: self.linted.values().all(|linted| linted.fixes_known),
        };
        let mut findings: Vec<Vec<Shown<'_>>> = all.iter().map(|_| Vec::new()).collect();
        for Kept { at: (of, number), also } in settled.kept {
            let Linted { report, excerpts, outcome, .. } = all[of];
            let mut finding = Cow::Borrowed(&report.findings[number]);
            if !also.is_empty() {
                let also = also.iter().map(|related| JsonRelated::of(&outcome.sources, related));
                finding.to_mut().related.extend(also);
            }
            findings[of].push(Shown { finding, excerpt: Cow::Borrowed(&excerpts[number]) });
        }
        for (of, finding) in settled.unused {
            let outcome = &all[of].outcome;
            let excerpt = excerpt(&report::Excerpts::of(outcome), &finding);
            let finding = JsonFinding::of(&outcome.sources, &finding);
            findings[of].push(Shown { finding: Cow::Owned(finding), excerpt: Cow::Owned(excerpt) });
        }
        answer.findings = findings.into_iter().flatten().collect();
        for (path, linted) in &self.linted {
            answer.not_checked.extend(&linted.report.not_checked);
            if let Some(error) = &linted.outcome.error {
                let place = error.span.map(|span| JsonPlace::of(&linted.outcome.sources, span));
                answer.errors.push(json!({"file": path, "message": error.message, "place": place}));
            }
            let (read, missing): (Vec<&str>, Vec<&str>) =
                linted.asked.iter().map(String::as_str).partition(|asked| there.contains(asked));
            answer.read.extend(read);
            answer.secret_files.extend(linted.secret_files.iter().map(String::as_str));
            let (wanted, facts): (Vec<&str>, Vec<&str>) =
                missing.into_iter().partition(|path| linted.asked_to_read.contains(*path));
            answer.wanted.extend(wanted);
            let is_known = |path: &&str| matches!(self.files.facts(path), Answer::Known(_));
            answer.wanted_facts.extend(facts.into_iter().filter(|path| !is_known(path)));
        }
        answer.errors.extend(self.settings.errors());
        answer.not_checked.extend(self.settings.not_checked());
        serde_json::to_string(&answer).map_err(|error| error.to_string())
    }

    /// Finds out what can be fixed in one more of the files that were linted, if its text has at most `largest` bytes.
    /// False where there is none left: then it is known of all of these.
    pub fn find_fixes(&mut self, largest: usize) -> bool {
        let is_next = |(path, linted): &(&String, &Linted)| {
            !linted.fixes_known && self.files.read(path).is_ok_and(|text| text.len() <= largest)
        };
        let Some(path) = self.linted.iter().find(is_next).map(|(path, _)| path.clone()) else { return false };
        let options = self.options(&path);
        let Some(linted) = self.linted.get_mut(&path) else { return false };
        let recorder = Recorder::new(&self.files);
        let outcome = fix::lint_file(&recorder, &path, &options, Detail::Kind);
        let asked = std::mem::take(&mut linted.asked);
        let asked_to_read = std::mem::take(&mut linted.asked_to_read);
        let secret_files = std::mem::take(&mut linted.secret_files);
        *linted = Linted { asked_to_read, secret_files, ..Linted::new(outcome, recorder, true) };
        linted.asked_for_fixes = std::mem::replace(&mut linted.asked, asked);
        true
    }

    /// Who gets which secret in the project of a Compose file. Returns JSON: the type `ProjectPlan`.
    pub fn plan(&self, path: &str) -> String {
        project::plan(&self.files, &join("", path)).to_string()
    }

    /// The resolved project of a Compose file as `docker compose config` prints it; its values only if asked for.
    /// Returns JSON: the type `Config`.
    pub fn config(&self, path: &str, values: bool) -> String {
        project::config(&self.files, &join("", path), values).to_string()
    }

    /// All files with what is safe to fix fixed. Returns JSON: the type `Fixed`.
    pub fn fix_safe(&mut self) -> String {
        self.refresh(false);
        let paths = self.linted.keys().map(|path| (path.clone(), self.options(path)));
        project::fix_all(&self.files, paths).to_string()
    }

    /// What a file looks like fixed. `finding` is `{rule, line, column}` of a finding in it as JSON; without one it is
    /// all that can be fixed, with `include_unsafe` also by what changes how the stack runs. Returns JSON: the type
    /// `Fixed`. It holds secrets' values: those of the files that are made.
    pub fn fix(
        &mut self,
        path: &str,
        finding: Option<String>,
        include_unsafe: bool,
    ) -> Result<String, String> {
        self.refresh(true);
        let path = join("", path);
        let wanted: Option<Wanted> = match finding {
            Some(finding) => Some(serde_json::from_str(&finding).map_err(|error| error.to_string())?),
            None => None,
        };
        // A finding in a Dockerfile, say, is mended from the project that builds with it.
        let from = wanted.as_ref().and_then(|wanted| {
            let is_here = |finding: &&JsonFinding| wanted.is(&path, finding);
            let knows = |fixable: bool| {
                let has = |linted: &Linted| {
                    linted.report.findings.iter().any(|it| is_here(&it) && (it.fix.is_some() || !fixable))
                };
                self.linted.iter().find(|(_, linted)| has(linted)).map(|(path, _)| path.clone())
            };
            knows(true).or_else(|| knows(false))
        });
        let from = from.unwrap_or_else(|| path.clone());
        project::fix(&self.files, &from, &self.options(&from), include_unsafe, &|place, rule| {
            wanted.as_ref().is_none_or(|wanted| wanted.is_at(&path, place, rule))
        })
        .map(|fixed| fixed.to_string())
    }

    /// The report of all files: `json`, `sarif`, `markdown`.
    pub fn report(&mut self, format: &str) -> Result<String, String> {
        self.refresh(true);
        let mut outcomes: Vec<Outcome> = if format == "sarif" {
            let lint =
                |path: &String| fix::lint_file(&self.files, path, &self.options(path), Detail::Changes);
            self.linted.keys().map(lint).collect()
        } else {
            std::mem::take(&mut self.linted).into_values().map(|linted| linted.outcome).collect()
        };
        settle(&mut outcomes);
        match format {
            "json" => {
                serde_json::to_string_pretty(&Report::new(&outcomes)).map_err(|error| error.to_string())
            }
            "sarif" => Ok(report::sarif(&outcomes)),
            "markdown" => Ok(report::markdown(&outcomes)),
            other => Err(format!("there is no format `{other}`; there are json, sarif and markdown")),
        }
    }

    fn forget(&mut self, path: &str) {
        let name = file_name(path);
        if name == FILE_NAME {
            self.settings.stale();
        }
        if name == ".gitignore" || name == FILE_NAME {
            self.linted.clear();
        }
        self.linted.retain(|linted, entry| {
            linted != path && !entry.asked.contains(path) && !entry.asked_for_fixes.contains(path)
        });
    }

    fn is_ignored(&self, path: &str) -> bool {
        self.files.git(path) == Answer::Known(GitState::Ignored)
    }

    fn options(&self, path: &str) -> LintOptions {
        let options = self.settings.options(path);
        LintOptions { persona: self.persona.unwrap_or(options.persona), ..options }
    }

    /// Lints what is new or changed; with `fixes` it also finds out what can be fixed where that is not known.
    fn refresh(&mut self, fixes: bool) {
        self.settings.refresh(&self.files);
        let mine = |path: &str| !self.is_ignored(path) && !self.settings.excludes(path);
        let there: Vec<String> = self.files.paths().filter(|path| mine(path)).map(str::to_owned).collect();
        let (named, others): (Vec<String>, Vec<String>) = there.into_iter().partition(|path| is_linted(path));
        for path in &named {
            self.lint_one(path);
        }
        // Under any other name a file is one of these by what is in it, or stands for itself: unless it is a part of a
        // project that is looked at as a whole.
        for path in others {
            let is_part = self.linted.iter().any(|(by, linted)| *by != path && linted.asked.contains(&path));
            let is_ours = || is_dockerfile(&path) || has_services(&path, &self.files);
            if is_part || !is_ours() {
                self.linted.remove(&path);
            } else {
                self.lint_one(&path);
            }
        }
        if fixes {
            while self.find_fixes(usize::MAX) {}
        }
    }

    fn lint_one(&mut self, path: &str) {
        if self.linted.contains_key(path) {
            return;
        }
        let recorder = Recorder::new(&self.files);
        let outcome = lint_file(&recorder, path, &self.options(path));
        let is_fixable = |finding: &rules::Finding| fix::kind_of(finding.rule).is_some();
        let fixes_known = !outcome.findings.iter().any(is_fixable);
        let linted = Linted::new(outcome, recorder, fixes_known);
        self.linted.insert(path.to_owned(), linted);
    }
}

/// Whether a file of any name is a Compose file by what is in it.
fn has_services(path: &str, files: &MemoryFiles) -> bool {
    let is_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
    let is_it =
        |line: &str| line.strip_prefix("services").is_some_and(|rest| rest.trim_start().starts_with(':'));
    is_yaml && files.read(path).is_ok_and(|text| text.lines().any(is_it))
}

impl Linted {
    fn new(outcome: Outcome, recorder: Recorder<'_>, fixes_known: bool) -> Self {
        let excerpts = report::Excerpts::of(&outcome);
        Linted {
            report: Report::new(std::slice::from_ref(&outcome)),
            excerpts: outcome.findings.iter().map(|finding| excerpt(&excerpts, finding)).collect(),
            outcome,
            asked_git: recorder.asked_git.get(),
            asked: recorder.asked.into_inner(),
            asked_to_read: recorder.read.into_inner(),
            secret_files: recorder.measured.into_inner(),
            asked_for_fixes: BTreeSet::new(),
            fixes_known,
        }
    }
}

fn excerpt(excerpts: &report::Excerpts<'_>, finding: &rules::Finding) -> Excerpt {
    let (line, range) = excerpts.line(finding);
    let units = |text: &str| text.encode_utf16().count();
    let text = line.trim_start();
    let cut = line.len() - text.len();
    let at = |offset: usize| units(&text[..offset.saturating_sub(cut).min(text.len())]);
    Excerpt { from: at(range.start), to: at(range.end), text: text.to_owned() }
}

/// A file without its values and comments, to be shown to others; nothing where that cannot be done.
#[wasm_bindgen]
pub fn redact(path: &str, text: &str) -> Option<String> {
    cosec_core::redact::redact(path, text)
}

/// A rule's page in Markdown; empty for an unknown rule.
#[wasm_bindgen]
pub fn explain(rule: &str) -> String {
    rules::by_id(rule).map(rules::Rule::markdown).unwrap_or_default()
}

/// All rules. Returns JSON: an array of the type `Rule`.
#[wasm_bindgen]
pub fn rules() -> String {
    let rule = |rule: &&rules::Rule| {
        let needs = format!("{:?}", rule.needs).to_lowercase();
        let fix = fix::kind_of(rule.id);
        json!({"id": rule.id, "summary": rule.summary, "severity": rule.severity, "needs": needs, "fix": fix})
    };
    Value::from(rules::ALL.iter().map(rule).collect::<Vec<_>>()).to_string()
}

/// The version of the core.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(workspace: &mut Workspace) -> Value {
        serde_json::from_str(&workspace.lint(true).unwrap()).unwrap()
    }

    fn found(report: &Value) -> Vec<(&str, &str)> {
        let findings = report["findings"].as_array().unwrap();
        findings.iter().map(|it| (it["rule"].as_str().unwrap(), it["file"].as_str().unwrap())).collect()
    }

    const BASE: &str = "services: {a: {image: x, environment: {PASSWORD: hunter2}}}";

    #[test]
    fn the_browser_gets_the_report_of_the_command_line() {
        let mut workspace = Workspace::new();
        workspace.set("./compose.yaml", BASE.to_owned());
        let report = lint(&mut workspace);
        assert_eq!(found(&report), [("inline-password", "compose.yaml")]);
        let excerpt = &report["findings"][0]["excerpt"];
        assert!(excerpt["text"].as_str().unwrap().ends_with("{PASSWORD: ***}}}"), "{excerpt}");
        workspace.set("compose.yaml", "a: [".to_owned());
        let report = lint(&mut workspace);
        assert_eq!(report["not_checked"][0]["rule"], "*");
        assert_eq!(report["errors"][0]["place"]["line"], 1);
        assert!(explain("inline-password").starts_with("# inline-password"));
        assert!(rules().contains("\"inline-password\""));
    }

    #[test]
    fn a_change_in_one_file_is_seen_in_those_that_read_it_and_nothing_is_said_twice() {
        let mut workspace = Workspace::new();
        workspace.set(
            "compose.yaml",
            "include: [db/compose.yaml]\nservices: {b: {extends: {file: c.yaml, service: c}}}".to_owned(),
        );
        let report = lint(&mut workspace);
        let wanted = report["wanted"].as_array().unwrap();
        assert!(wanted.contains(&json!("db/compose.yaml")) && wanted.contains(&json!("c.yaml")), "{report}");
        workspace.set("db/compose.yaml", BASE.to_owned());
        workspace.set("c.yaml", "services: {c: {image: x, environment: {TOKEN: q9Zt-41x}}}".to_owned());
        let report = lint(&mut workspace);
        let mut all = found(&report);
        all.sort_unstable();
        assert_eq!(all, [("inline-password", "c.yaml"), ("inline-password", "db/compose.yaml")]);
        workspace.remove("c.yaml");
        assert_eq!(found(&lint(&mut workspace)), [("inline-password", "db/compose.yaml")]);
        workspace.set("db/compose.yaml", "services: {a: {image: x}}".to_owned());
        assert!(found(&lint(&mut workspace)).is_empty());
    }

    #[test]
    fn gitignore_decides_here_and_it_is_said_that_git_was_not_asked() {
        let mut workspace = Workspace::new();
        let text = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}";
        workspace.set("compose.yaml", text.to_owned());
        let report = lint(&mut workspace);
        assert_eq!((report["by_gitignore"].as_bool(), found(&report).len()), (Some(false), 0));
        workspace.set(".gitignore", "*.key\n".to_owned());
        let report = lint(&mut workspace);
        assert_eq!(found(&report), [("secret-file-not-ignored", "compose.yaml")]);
        assert_eq!(report["by_gitignore"], true);
        workspace.set(".gitignore", "*.txt\n.env\n".to_owned());
        workspace.set(".env", "PASSWORD=hunter2\n".to_owned());
        let report = lint(&mut workspace);
        assert_eq!(found(&report), []);
        assert_eq!(report["ignored"], json!([".env"]));
    }

    #[test]
    fn no_report_holds_a_value() {
        let mut workspace = Workspace::new();
        workspace.set("compose.yaml", BASE.replace("hunter2", "canary"));
        for format in ["json", "sarif", "markdown"] {
            let report = workspace.report(format).unwrap();
            assert!(report.contains("inline-password") && !report.contains("canary"), "{report}");
        }
        assert!(workspace.report("pdf").is_err());
        assert!(!lint(&mut workspace).to_string().contains("canary"));
    }

    #[test]
    fn a_finding_is_fixed_from_the_project_that_it_is_in_and_refused_with_a_reason() {
        let mut workspace = Workspace::new();
        let text = "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: canary$$1\n  q:\n    image: redis\n    environment: {REDIS_PASSWORD: canary}\n";
        workspace.set("app/compose.yaml", text.to_owned());
        let report = lint(&mut workspace);
        let kinds: Vec<&Value> =
            report["findings"].as_array().unwrap().iter().map(|finding| &finding["fix"]).collect();
        assert_eq!(kinds, [&json!("unsafe"), &Value::Null]);
        let mut fix = |rule: &str, line: u32, column: u32| -> Value {
            let finding = json!({"rule": rule, "line": line, "column": column}).to_string();
            let fixed = workspace.fix("app/compose.yaml", Some(finding), true).unwrap();
            serde_json::from_str(&fixed).unwrap()
        };
        let fixed = fix("inline-password", 5, 26);
        assert_eq!(fixed["fixes"][0]["place"]["line"], 5);
        assert_eq!(fixed["fixes"][0]["kind"], "unsafe");
        let files: BTreeMap<&str, &str> = fixed["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| (file["path"].as_str().unwrap(), file["text"].as_str().unwrap()))
            .collect();
        assert_eq!(files["app/secrets/postgres_password"], "canary$1");
        assert_eq!(files["app/.gitignore"], "/secrets/\n");
        assert!(files["app/compose.yaml"].contains("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password"));
        let refused = fix("inline-password", 8, 35);
        assert_eq!(
            (refused["fixes"].as_array().unwrap().len(), refused["files"].as_array().unwrap().len()),
            (0, 0)
        );
        assert!(refused["refused"][0]["reason"].as_str().unwrap().contains("REDIS_PASSWORD"), "{refused}");
        let safe: Value =
            serde_json::from_str(&workspace.fix("app/compose.yaml", None, false).unwrap()).unwrap();
        assert_eq!(safe["fixes"], json!([]));
        workspace.set("app/compose.yaml", "a: [".to_owned());
        assert!(workspace.fix("app/compose.yaml", None, true).is_err());
    }

    #[test]
    fn a_secret_whose_change_was_undone_in_a_tab_is_used_again() {
        let mut workspace = Workspace::new();
        let text = "services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: q9Zt-41x}}}";
        workspace.set("compose.yaml", text.to_owned());
        let mut paths = || -> Vec<(String, String)> {
            let fixed = workspace.fix("compose.yaml", None, true).unwrap();
            let fixed: Value = serde_json::from_str(&fixed).unwrap();
            let text = |file: &Value, key: &str| file[key].as_str().unwrap().to_owned();
            let files: Vec<_> = fixed["files"]
                .as_array()
                .unwrap()
                .iter()
                .map(|file| (text(file, "path"), text(file, "text")))
                .collect();
            for (path, text) in files.iter().filter(|(path, _)| path != "compose.yaml") {
                workspace.set(path, text.clone());
            }
            files
        };
        let first = paths();
        let (compose, others): (Vec<_>, Vec<_>) =
            first.into_iter().partition(|(path, _)| path == "compose.yaml");
        assert_eq!(others.len(), 2, "{others:?}");
        assert_eq!(paths(), compose);
    }

    #[test]
    fn marks_do_not_wait_for_the_fixes_and_these_ask_for_no_file() {
        let mut workspace = Workspace::new();
        let text =
            "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: canary\n";
        workspace.set("compose.yaml", text.to_owned());
        let quick: Value = serde_json::from_str(&workspace.lint(false).unwrap()).unwrap();
        let whole = lint(&mut workspace);
        let fix = |report: &Value| (report["fixes_known"].clone(), report["findings"][0]["fix"].clone());
        assert_eq!(fix(&quick), (json!(false), Value::Null));
        assert_eq!(fix(&whole), (json!(true), json!("unsafe")));
        assert_eq!(quick["wanted"], whole["wanted"]);
    }

    #[test]
    fn what_is_safe_is_fixed_in_all_files_at_once() {
        let mut workspace = Workspace::new();
        workspace.set(".gitignore", "*.log\n".to_owned());
        workspace.set("a/.gitignore", "*.log\n# canary\n".to_owned());
        for name in ["a/compose.yaml", "b/compose.yaml"] {
            let text = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}\n";
            workspace.set(name, text.to_owned());
        }
        let fixed: Value = serde_json::from_str(&workspace.fix_safe()).unwrap();
        assert_eq!(fixed["fixes"].as_array().unwrap().len(), 2, "{fixed}");
        // What is told of the file it is put into is the file's, comments apart.
        let of_patterns =
            |file: &&Value| file["path"] == "a/.gitignore" && file["shown"][0] == "*.log\n***\n";
        assert!(fixed["files"].as_array().unwrap().iter().any(|file| of_patterns(&file)), "{fixed}");
        for file in fixed["files"].as_array().unwrap() {
            workspace.set(file["path"].as_str().unwrap(), file["text"].as_str().unwrap().to_owned());
        }
        assert_eq!(found(&lint(&mut workspace)), []);
    }

    #[test]
    fn the_resolved_project_is_that_of_compose_and_its_values_are_shown_only_if_asked_for() {
        let mut workspace = Workspace::new();
        let text = "services:\n  db:\n    image: postgres:${TAG:-17}\n    ports: ['${PORT}:5432']\n    environment:\n      PASSWORD: canary\n      TOKEN: ${TOKEN}\n";
        workspace.set("app/compose.yaml", text.to_owned());
        workspace.set("app/.env", "PORT=5433\n".to_owned());
        let config = |workspace: &Workspace, values| -> Value {
            serde_json::from_str(&workspace.config("app/compose.yaml", values)).unwrap()
        };
        let all = config(&workspace, true);
        let shown = all["text"].as_str().unwrap();
        for part in ["name: app\n", "image: postgres:17\n", "PASSWORD: canary\n", "published: \"5433\"\n"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(all["unset"], json!(["TOKEN"]));
        let masked = config(&workspace, false);
        let shown = masked["text"].as_str().unwrap();
        assert!(shown.contains("PASSWORD: redacted") && shown.contains("published: "), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
        workspace.set("app/compose.yaml", text.replace("image:", "imgae:"));
        let refused = config(&workspace, true);
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains("knows no `imgae`"), "{message}");
        assert_eq!(refused["error"]["place"]["line"], 3);
    }

    #[test]
    fn the_plan_takes_overrides_and_variables_in_and_says_where_it_fails() {
        let mut workspace = Workspace::new();
        let text = "services: {a: {image: x, user: '$UID_', secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}";
        workspace.set("app/compose.yaml", text.to_owned());
        workspace.set("app/compose.override.yaml", "services: {b: {image: y, secrets: [s]}}".to_owned());
        workspace.set("app/.env", "UID_=1000\n".to_owned());
        let plan: Value = serde_json::from_str(&workspace.plan("app/compose.yaml")).unwrap();
        assert_eq!(plan["deliveries"][0]["owner"]["user"]["ids"]["uid"], 1000);
        assert_eq!(plan["deliveries"][0]["source"]["file"], "app/s.txt");
        assert_eq!(plan["deliveries"][1]["service"], "b");
        assert_eq!(plan["deliveries"][1]["place"]["file"], "app/compose.override.yaml");
        workspace.set("app/compose.yaml", "services: {a: {image: x, secrets: [gone]}}".to_owned());
        let plan: Value = serde_json::from_str(&workspace.plan("app/compose.yaml")).unwrap();
        assert!(plan["error"]["message"].as_str().unwrap().contains("gone"));
        assert_eq!(plan["error"]["place"]["line"], 1);
    }

    #[test]
    fn a_secrets_file_is_known_by_its_facts_and_not_read() {
        let mut workspace = Workspace::new();
        let text = "services: {a: {image: x, secrets: [s, t], env_file: vars}}\nsecrets: {s: {file: ./s.txt}, t: {file: ./t.txt}}\n";
        workspace.set("compose.yaml", text.to_owned());
        workspace.set(".gitignore", "*.txt\nvars\n".to_owned());
        assert_eq!(lint(&mut workspace)["wanted_facts"], json!([".env", "s.txt", "t.txt", "vars"]));
        workspace.know("s.txt", 12.0, "newline");
        workspace.know("t.txt", 0.0, "plain");
        workspace.know("vars", 3.0, "plain");
        let report = lint(&mut workspace);
        assert_eq!(
            found(&report),
            [("secret-trailing-newline", "compose.yaml"), ("secret-file-missing", "compose.yaml")]
        );
        assert_eq!(report["wanted_facts"], json!([".env"]));
        workspace.remove("t.txt");
        workspace.set("s.txt", "x".to_owned());
        assert_eq!(found(&lint(&mut workspace)), []);
    }

    #[test]
    fn a_file_of_variables_that_is_there_is_asked_for_and_a_secrets_file_never_is() {
        let mut workspace = Workspace::new();
        let text = "services: {a: {image: x, secrets: [s], env_file: vars}}\nsecrets: {s: {file: ./s.txt}}\n";
        workspace.set("compose.yaml", text.to_owned());
        workspace.know("s.txt", 12.0, "plain");
        workspace.know("vars", 12.0, "plain");
        let wanted = lint(&mut workspace)["wanted"].clone();
        let wanted: Vec<&str> = wanted.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(wanted.contains(&"vars") && !wanted.contains(&"s.txt"), "{wanted:?}");
        assert_eq!(lint(&mut workspace)["secret_files"], json!(["s.txt"]));
    }

    #[test]
    fn a_compose_file_of_any_name_and_a_dockerfile_alone_are_linted() {
        let mut workspace = Workspace::new();
        workspace.set("my-stack.yml", BASE.to_owned());
        workspace.set("values.yaml", "environment: {PASSWORD: hunter2}".to_owned());
        workspace.set("api/Dockerfile", "FROM x\nENV DB_PASSWORD=hunter2\n".to_owned());
        let report = lint(&mut workspace);
        let all = [("docker-env-secret", "api/Dockerfile"), ("inline-password", "my-stack.yml")];
        assert_eq!(found(&report), all);
        assert_eq!(report["findings"][0]["excerpt"]["text"], "ENV DB_PASSWORD=***");
        workspace.set("compose.yaml", "include: [my-stack.yml]\nservices: {b: {build: api}}".to_owned());
        let report = lint(&mut workspace);
        assert_eq!(found(&report).len(), 2);
        assert_eq!(report["linted"], json!(["compose.yaml"]));
    }

    #[test]
    fn a_cosec_toml_counts_and_what_is_wrong_in_it_is_said() {
        let mut workspace = Workspace::new();
        workspace.set("compose.yaml", BASE.to_owned());
        workspace.set("old/compose.yaml", BASE.to_owned());
        let toml = "[lint]\nexclude = ['old/']\n[lint.rules]\ninline-password = 'warning'\n";
        workspace.set("cosec.toml", toml.to_owned());
        let report = lint(&mut workspace);
        assert_eq!(found(&report), [("inline-password", "compose.yaml")]);
        assert_eq!(report["findings"][0]["severity"], "warning");
        assert_eq!(report["excluded"], json!(["old/compose.yaml"]));
        workspace.set("cosec.toml", "[lint]\npersona = 'x'\n".to_owned());
        let report = lint(&mut workspace);
        assert_eq!(found(&report).len(), 2);
        assert_eq!(report["errors"][0]["place"]["line"], 2);
        workspace.set("cosec.toml", "[lint.rules]\ninline-password = 'off'\n".to_owned());
        assert_eq!(found(&lint(&mut workspace)), []);
        workspace.set("cosec.toml", "[lint]\nbaseline = 'b.json'\n".to_owned());
        assert_eq!(lint(&mut workspace)["not_checked"][0]["file"], "cosec.toml");
        workspace.remove("cosec.toml");
        assert_eq!(found(&lint(&mut workspace)).len(), 2);
    }

    #[test]
    fn many_findings_on_one_line_cost_what_they_show() {
        let mut text = String::from("services: {a: {image: x, environment: {");
        for number in 0..2000 {
            text.push_str(&format!("A{number}_PASSWORD: canary{number}, "));
        }
        text.push_str("}}}\n");
        let mut workspace = Workspace::new();
        workspace.set("compose.yaml", text);
        let answer = workspace.lint(false).unwrap();
        assert!(answer.len() < 4 << 20 && !answer.contains("canary"), "{} bytes", answer.len());
        let report: Value = serde_json::from_str(&answer).unwrap();
        let excerpt = &report["findings"][1000]["excerpt"];
        let units: Vec<u16> = excerpt["text"].as_str().unwrap().encode_utf16().collect();
        let at = |key: &str| excerpt[key].as_u64().unwrap() as usize;
        assert_eq!(String::from_utf16(&units[at("from")..at("to")]).unwrap(), "***", "{excerpt}");
        assert!(excerpt["text"].as_str().unwrap().contains("A1000_PASSWORD: ***"), "{excerpt}");
    }

    #[test]
    fn the_resolved_project_follows_compose_file_and_knows_what_compose_sets() {
        let mut workspace = Workspace::new();
        workspace.set("a.yaml", "services: {a: {image: 'x:${COMPOSE_PROJECT_NAME}'}}".to_owned());
        workspace.set("b.yaml", "include: [{path: c.yaml, env_file: c.env}]".to_owned());
        workspace.set("c.yaml", "services: {c: {image: 'y:${TAG}'}}".to_owned());
        workspace.set("c.env", "TAG=1\n".to_owned());
        let env = "COMPOSE_FILE=a.yaml:b.yaml\nCOMPOSE_PROJECT_NAME=shop\n";
        workspace.set(".env", env.to_owned());
        let config: Value = serde_json::from_str(&workspace.config("a.yaml", true)).unwrap();
        assert_eq!(config["files"], json!(["a.yaml", "b.yaml"]), "{config}");
        assert_eq!(config["unset"], json!([]));
        let text = config["text"].as_str().unwrap();
        assert!(text.contains("image: x:shop") && text.contains("image: y:1"), "{text}");
    }
}
