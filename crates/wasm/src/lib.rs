//! The core for the browser and for Node: texts in, JSON out. Nothing here decides anything.

mod project;
mod recorder;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use cosec_core::files::{Answer, FileSystem, GitState, MemoryFiles, file_name, join};
use cosec_core::fix::{self, Detail};
use cosec_core::lint::{LintOptions, Outcome, is_linted, lint_file};
use cosec_core::report::{self, JsonFinding, JsonNotChecked, JsonPlace, JsonRelated, Report};
use cosec_core::rules::{self, Persona};
use cosec_core::settle::{Kept, settle, settled};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::recorder::Recorder;

/// A set of files that are looked at together. Only what a change can touch is looked at again.
#[wasm_bindgen]
#[derive(Default)]
pub struct Workspace {
    files: MemoryFiles,
    persona: Persona,
    linted: BTreeMap<String, Linted>,
}

/// What linting one file gave, and which files it asked for, those that are not there among them.
struct Linted {
    outcome: Outcome,

    asked: BTreeSet<String>,
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
    /// The files that were linted, and those that .gitignore left out.
    linted: Vec<&'a str>,
    ignored: Vec<&'a str>,
    /// The files that these read, and the files they ask for that are not here.
    read: BTreeSet<&'a str>,
    wanted: BTreeSet<&'a str>,
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

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) {
        let path = join("", path);
        self.forget(&path);
        self.files.remove(&path);
    }

    /// Whose rules: `regular`, `pedantic`, `auditor`.
    pub fn persona(&mut self, name: &str) {
        let persona = match name {
            "pedantic" => Persona::Pedantic,
            "auditor" => Persona::Auditor,
            _ => Persona::Regular,
        };
        if persona != self.persona {
            self.persona = persona;
            self.linted.clear();
        }
    }

    /// Lints all Compose and env files but those that .gitignore covers, as `cosec lint DIRECTORY` does. Finding out
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
            read: BTreeSet::new(),
            wanted: BTreeSet::new(),
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
            let (read, wanted): (Vec<&str>, Vec<&str>) =
                linted.asked.iter().map(String::as_str).partition(|asked| there.contains(asked));
            answer.read.extend(read);
            answer.wanted.extend(wanted);
        }
        serde_json::to_string(&answer).map_err(|error| error.to_string())
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
        let paths: Vec<String> = self.linted.keys().cloned().collect();
        project::fix_all(&self.files, &paths, &self.options()).to_string()
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
        project::fix(&self.files, &from, &self.options(), include_unsafe, &|place, rule| {
            wanted.as_ref().is_none_or(|wanted| wanted.is_at(&path, place, rule))
        })
        .map(|fixed| fixed.to_string())
    }

    /// The report of all files: `json`, `sarif`, `markdown`.
    pub fn report(&mut self, format: &str) -> Result<String, String> {
        self.refresh(true);
        let mut outcomes: Vec<Outcome> = if format == "sarif" {
            let lint = |path: &String| fix::lint_file(&self.files, path, &self.options(), Detail::Changes);
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
        if file_name(path) == ".gitignore" {
            self.linted.clear();
        }
        self.linted.retain(|linted, entry| {
            linted != path && !entry.asked.contains(path) && !entry.asked_for_fixes.contains(path)
        });
    }

    fn is_ignored(&self, path: &str) -> bool {
        self.files.git(path) == Answer::Known(GitState::Ignored)
    }

    fn options(&self) -> LintOptions {
        LintOptions { persona: self.persona, ..LintOptions::default() }
    }

    /// Lints what is new or changed; with `fixes` it also finds out what can be fixed where that is not known.
    fn refresh(&mut self, fixes: bool) {
        let options = self.options();
        let ours = |path: &str| is_linted(path) && !self.is_ignored(path);
        let missing: Vec<String> = self
            .files
            .paths()
            .filter(|path| !self.linted.contains_key(*path) && ours(path))
            .map(str::to_owned)
            .collect();
        for path in missing {
            let recorder = Recorder::new(&self.files);
            let outcome = lint_file(&recorder, &path, &options);
            let is_fixable = |finding: &rules::Finding| fix::kind_of(finding.rule).is_some();
            let fixes_known = !outcome.findings.iter().any(is_fixable);
            let linted = Linted::new(outcome, recorder, fixes_known);
            self.linted.insert(path, linted);
        }
        if !fixes {
            return;
        }
        for (path, linted) in self.linted.iter_mut().filter(|(_, linted)| !linted.fixes_known) {
            let recorder = Recorder::new(&self.files);
            let outcome = fix::lint_file(&recorder, path, &options, Detail::Kind);
            let asked = std::mem::take(&mut linted.asked);
            *linted = Linted::new(outcome, recorder, true);
            linted.asked_for_fixes = std::mem::replace(&mut linted.asked, asked);
        }
    }
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
        for name in ["a/compose.yaml", "b/compose.yaml"] {
            let text = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}\n";
            workspace.set(name, text.to_owned());
        }
        let fixed: Value = serde_json::from_str(&workspace.fix_safe()).unwrap();
        assert_eq!(fixed["fixes"].as_array().unwrap().len(), 2, "{fixed}");
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
}
