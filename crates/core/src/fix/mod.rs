//! Fixes: what to change so that a finding is gone, as edits of texts and files to make. Nothing is written
//! here; whoever asked writes all of it or nothing.
//!
//! A fix is refused, with the reason, rather than guessed: what an anchor, an alias or a merge key brings may
//! be used elsewhere, and a value that is half a variable has no one place.

mod edit;
mod ignored;
mod mode;
mod moved;
mod verify;

use std::collections::BTreeMap;
use std::fmt;

pub use edit::{Edit, apply};

use crate::compose::{Environment, LoadRequest, Loaded, load};
use crate::files::{FileSystem, join, parent};
use crate::lint::{LintOptions, Outcome, lint_file};
use crate::rules::{Finding, FixKind};
use crate::source::Sources;
use crate::yaml::Document;

/// What to fix.
pub struct FixOptions<'a> {
    /// How to lint.
    pub lint: LintOptions,
    /// The variables that the project sees: process and `.env`.
    pub environment: &'a Environment,
    /// Fixes that change how the stack runs, too.
    pub include_unsafe: bool,
    /// Only findings of these rules; all if empty.
    pub rules: &'a [String],
    /// Only findings in these services; all if empty.
    pub services: &'a [String],
    /// Only findings that this lets through: for one at a time.
    pub accept: &'a dyn Fn(&Finding) -> bool,
}

/// What a fixed file is to look like, and what could not be fixed.
#[derive(Default)]
pub struct FixPlan {
    /// What will be done, in file order.
    pub fixes: Vec<Fix>,
    /// New files, to be made before anything is edited.
    pub new_files: Vec<NewFile>,
    /// Files with their new text, in the order in which they are to be written.
    pub changed: Vec<ChangedFile>,
    /// What was asked for and is refused.
    pub refused: Vec<Refusal>,
    /// The variables that move.
    moved: Vec<Moved>,
}

/// A variable that is to come from a secret's file.
struct Moved {
    service: String,
    variable: String,
    variant: String,
    secret: String,
}

/// One finding and what is done about it.
#[derive(Clone, Debug)]
pub struct Fix {
    /// The rule.
    pub rule: &'static str,
    /// The file, line and column of the finding.
    pub place: String,
    /// The place in the project.
    pub path: String,
    /// What is done, without a value.
    pub title: String,
    /// What else the user has to know.
    pub notes: Vec<String>,
    /// What it changes.
    pub kind: FixKind,
}

/// A finding that is left, and why.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The rule.
    pub rule: &'static str,
    /// The file, line and column of the finding.
    pub place: String,
    /// The place in the project.
    pub path: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// A secret's file that is to be made: 0600, exactly these bytes.
pub struct NewFile {
    /// Where.
    pub path: String,
    /// What goes in.
    pub content: Content,
}

/// The bytes of a secret on their way to its file. No Debug, no Display.
pub struct Content(String);

impl Content {
    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A file and its text before and after.
pub struct ChangedFile {
    /// Where.
    pub path: String,
    /// Its text; `None` if it is new.
    pub before: Option<String>,
    /// Its new text.
    pub after: String,
    /// The same two with what may be a secret masked, to be shown.
    pub shown: (String, String),
}

impl fmt::Debug for FixPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fixes, {} refused", self.fixes.len(), self.refused.len())
    }
}

/// What all fixes are made from.
struct Project<'a> {
    files: &'a dyn FileSystem,
    path: &'a str,
    environment: &'a Environment,
    sources: Sources,
    documents: Vec<Document>,
    loaded: Loaded,
}

impl<'a> Project<'a> {
    fn read(
        files: &'a dyn FileSystem,
        path: &'a str,
        chain: &[String],
        environment: &'a Environment,
    ) -> Option<Self> {
        let (mut sources, mut documents) = (Sources::default(), Vec::new());
        let unset = Environment::default();
        let request = LoadRequest::lenient(chain, parent(path), &unset);
        let loaded = load(files, &mut sources, &mut documents, &request).ok()?;
        Some(Project { files, path, environment, sources, documents, loaded })
    }

    /// The project directory, from where the user stands.
    fn directory(&self) -> &str {
        parent(self.path)
    }
}

/// The changes that fixes want, gathered before they become texts.
#[derive(Default)]
struct Changes {
    /// By file.
    edits: BTreeMap<String, Vec<Edit>>,
    new_files: Vec<NewFile>,
    /// Lines to append, by file.
    lines: BTreeMap<String, Vec<String>>,
}

impl Changes {
    fn append(&mut self, path: String, line: String) {
        let lines = self.lines.entry(path).or_default();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
}

/// Plans the fixes of one Compose file and of what belongs to it. The error is a sentence.
pub fn plan(files: &dyn FileSystem, path: &str, options: &FixOptions<'_>) -> Result<FixPlan, String> {
    let outcome = lint_file(files, path, &options.lint);
    if let Some(error) = &outcome.error {
        return Err(error.message.clone());
    }
    let chain = crate::lint::chain(files, path);
    let Some(project) = Project::read(files, path, &chain, options.environment) else {
        return Ok(FixPlan::default());
    };
    let asked: Vec<&Finding> = outcome
        .findings
        .iter()
        .filter(|finding| options.rules.is_empty() || options.rules.iter().any(|rule| rule == finding.rule))
        .filter(|finding| options.services.is_empty() || is_in(finding, options.services))
        .filter(|finding| (options.accept)(finding))
        .collect();
    let plan = attempt(&project, &outcome, &asked, options.include_unsafe);
    if verify::holds(&project, &chain, &plan, &options.lint) {
        return Ok(plan);
    }
    // One of them cannot be done as it should: find out which, and do the others.
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for finding in asked {
        let alone = attempt(&project, &outcome, &[finding], options.include_unsafe);
        if !alone.fixes.is_empty() && verify::holds(&project, &chain, &alone, &options.lint) {
            good.push(finding);
            continue;
        }
        refused.extend(alone.refused);
        refused.extend(alone.fixes.into_iter().map(|fix| Refusal {
            rule: fix.rule,
            place: fix.place,
            path: fix.path,
            reason: "the file would not mean the same afterwards; it has to be done by hand".to_owned(),
        }));
    }
    let mut plan = attempt(&project, &outcome, &good, options.include_unsafe);
    if !verify::holds(&project, &chain, &plan, &options.lint) {
        return Err("the fixes do not go together; fix one at a time with --interactive".to_owned());
    }
    plan.refused.extend(refused);
    Ok(plan)
}

fn is_in(finding: &Finding, services: &[String]) -> bool {
    let service = finding.path.strip_prefix("services.").unwrap_or_default();
    services.iter().any(|name| service.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.')))
}

/// What a fix for a finding would change, whether or not it can be done.
pub fn kind_of(rule: &str) -> Option<FixKind> {
    if ignored::RULES.contains(&rule) {
        return Some(FixKind::Safe);
    }
    (moved::RULES.contains(&rule) || rule == mode::RULE).then_some(FixKind::Unsafe)
}

fn attempt(project: &Project<'_>, outcome: &Outcome, findings: &[&Finding], include_unsafe: bool) -> FixPlan {
    let mut plan = FixPlan::default();
    let mut changes = Changes::default();
    let wanted = |finding: &&&Finding| match kind_of(finding.rule) {
        Some(FixKind::Safe) => true,
        Some(FixKind::Unsafe) => include_unsafe,
        None => false,
    };
    let findings: Vec<&Finding> = findings.iter().filter(wanted).copied().collect();
    moved::plan(project, outcome, &findings, &mut plan, &mut changes);
    mode::plan(outcome, &findings, &mut plan, &mut changes);
    ignored::plan(project, outcome, &findings, &mut plan, &mut changes);
    finish(project, outcome, changes, &mut plan);
    plan
}

/// Turns changes into texts: what git must not see first, Compose files next, `.env` last.
fn finish(project: &Project<'_>, outcome: &Outcome, changes: Changes, plan: &mut FixPlan) {
    plan.new_files = changes.new_files;
    for (path, lines) in changes.lines {
        let before = project.files.read(&path).ok();
        let text = before.clone().unwrap_or_default();
        let newline = edit::newline(&text);
        let mut after = text.clone();
        if !after.is_empty() && !after.ends_with('\n') {
            after.push_str(newline);
        }
        for line in lines {
            after.push_str(&line);
            after.push_str(newline);
        }
        let shown = (text, after.clone());
        plan.changed.push(ChangedFile { path, before, after, shown });
    }
    let (env, compose): (Vec<_>, Vec<_>) =
        changes.edits.into_iter().partition(|(path, _)| crate::lint::is_env_file(path));
    for (path, edits) in compose.into_iter().chain(env) {
        let Ok(before) = project.files.read(&path) else { continue };
        let masks = masks(outcome, &path, &before);
        let mut shown_edits = edits.clone();
        let untouched = |mask: &&Edit| {
            !edits.iter().any(|edit| edit.start < mask.end && mask.start < edit.end && edit.start < edit.end)
        };
        shown_edits.extend(masks.iter().filter(untouched).cloned());
        let shown_before = apply(&before, masks).unwrap_or_default();
        let shown_after = apply(&before, shown_edits).unwrap_or_default();
        if let Some(after) = apply(&before, edits) {
            let shown = (shown_before, shown_after);
            plan.changed.push(ChangedFile { path, before: Some(before), after, shown });
        }
    }
}

/// What to hide of a text that is shown: every value that a rule has said to be a secret, and all of `.env`.
fn masks(outcome: &Outcome, path: &str, text: &str) -> Vec<Edit> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    if crate::lint::is_env_file(path) {
        let mut sources = Sources::default();
        let file = sources.add(path, text);
        let values =
            crate::compose::dotenv::scan(file, text).into_iter().filter_map(|assigned| assigned.value);
        ranges.extend(values.map(|value| (value.span.start as usize, value.span.end as usize)));
    }
    let is_value =
        |finding: &&Finding| !finding.rule.starts_with("secret-") || finding.rule.starts_with("secret-in-");
    let ignored = outcome.ignored.iter().map(|(finding, _)| finding);
    for finding in outcome.findings.iter().chain(ignored).filter(is_value) {
        if !crate::lint::is_env_file(path) && outcome.sources.file(finding.span.file).path() == path {
            ranges.push((finding.span.start as usize, finding.span.end as usize));
        }
    }
    ranges.sort_unstable();
    let mut masks: Vec<Edit> = Vec::new();
    for (start, end) in ranges.into_iter().filter(|(start, end)| start < end) {
        match masks.last_mut() {
            Some(last) if start < last.end => last.end = last.end.max(end),
            _ => masks.push(Edit::replace(start, end, "***")),
        }
    }
    masks
}

/// `compose.yaml:3:7`
fn place(outcome: &Outcome, finding: &Finding) -> String {
    let position = outcome.sources.range(finding.span).0;
    format!("{}:{}:{}", outcome.sources.file(finding.span.file).path(), position.line, position.column)
}

fn refuse(outcome: &Outcome, finding: &Finding, reason: impl Into<String>) -> Refusal {
    Refusal {
        rule: finding.rule,
        place: place(outcome, finding),
        path: finding.path.clone(),
        reason: reason.into(),
    }
}

/// A path in the project directory, from where the user stands.
fn in_directory(project: &Project<'_>, path: &str) -> String {
    join(project.directory(), path)
}
