//! Fixes: what to change so that a finding is gone, as edits of texts and files to make. Nothing is written
//! here; whoever asked writes all of it or nothing.
//!
//! A fix is refused, with the reason, rather than guessed: what an anchor, an alias or a merge key brings may
//! be used elsewhere, and a value that is half a variable has no one place.

mod bases;
mod beside;
mod builds;
mod configs;
mod copies;
mod dollars;
mod edit;
mod env_files;
mod file_mode;
mod ignored;
mod mode;
mod mounts;
mod moved;
mod newline;
mod plain_key;
mod readers;
mod replaced;
mod secrets;
mod shadowed;
mod siblings;
mod tree;
mod unused;
mod verify;

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use beside::Beside;
pub use edit::{Edit, apply};
use shadowed::EnvText;
use siblings::Sibling;

use crate::compose::template::Missing;
use crate::compose::{EnvVar, Environment, LoadError, Loaded, Project as Model, Service, add_env_files};
use crate::files::{FileSystem, ReadError, join};
use crate::images::FileForm;
use crate::lint::{LintOptions, Linted, Outcome, lint};
use crate::report::{JsonPlace, masked_change};
use crate::rules::{Finding, FixKind, Proposal, ProposedFile, Severity, by_id};
use crate::source::{SourceFile, Sources, Span};
use crate::yaml::{Document, NodeId};

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
    pub accept: &'a dyn Fn(&Outcome, &Finding) -> bool,
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
    /// Files that get another mode, before their text changes.
    pub modes: Vec<ChangedMode>,
    /// What was asked for and is refused.
    pub refused: Vec<Refusal>,
    /// How many findings have a fix that changes how the stack runs, where those were not asked for.
    pub held_back: usize,
    /// How many errors and warnings are of rules that have no fix.
    pub without_fix: usize,
    /// The variables that move.
    moved: Vec<Moved>,
    /// The variables of builds that become secrets.
    built: Vec<Built>,
    /// The configs that become secrets.
    reshaped: Vec<Reshaped>,
    /// The copies in Dockerfiles that become mounts.
    copied: Vec<Copied>,
    /// The secrets whose definitions go.
    unused: Vec<String>,
    /// Secrets' files that are there as they would be made.
    made: Vec<String>,
    /// Why a file that is to be changed cannot be.
    hindered: Option<String>,
    /// Texts that are to mean what is written there now, variables or not.
    literal: Vec<Span>,
}

/// A variable that is to come from a secret's file.
struct Moved {
    /// It is set in an env file, not in `environment:`.
    in_env_file: bool,
    service: String,
    variable: String,
    form: FileForm,
    secret: String,
}

/// A variable of a service's build that is to come from a secret.
struct Built {
    service: String,
    argument: String,
    secret: String,
}

/// A file that a Dockerfile copied, and removed at the end of a command.
struct Copied {
    /// What stood behind COPY.
    copy: String,
    /// What the command ended with.
    removal: String,
}

/// A config of a service that is to be a secret at the same path.
struct Reshaped {
    service: String,
    config: String,
    secret: String,
    target: String,
}

/// One finding and what is done about it.
#[derive(Clone, Debug, Serialize)]
pub struct Fix {
    /// The rule.
    pub rule: &'static str,
    /// Where the finding is.
    pub place: JsonPlace,
    /// The place in the project.
    pub path: String,
    /// What is done, without a value.
    pub title: String,
    /// What else the user has to know.
    pub notes: Vec<String>,
    /// What it changes.
    pub kind: FixKind,
    /// The finding's place.
    #[serde(skip)]
    span: Span,
    /// A file gets another mode.
    #[serde(skip)]
    sets_mode: bool,
}

impl Fix {
    /// What is done about a finding.
    fn new(outcome: &Outcome, finding: &Finding, kind: FixKind, title: String) -> Self {
        Fix {
            rule: finding.rule,
            place: JsonPlace::of(&outcome.sources, finding.span),
            path: finding.path.clone(),
            title,
            notes: Vec::new(),
            kind,
            span: finding.span,
            sets_mode: false,
        }
    }

    /// Whether it was planned for a finding, of whichever reading of the files.
    pub fn is_of(&self, outcome: &Outcome, finding: &Finding) -> bool {
        let place = JsonPlace::of(&outcome.sources, finding.span);
        self.rule == finding.rule && self.path == finding.path && self.place == place
    }

    /// Whether it mends a finding: several rules may be about one variable that moves.
    fn mends(&self, finding: &Finding) -> bool {
        let moves = |rule| moved::RULES.contains(&rule);
        self.path == finding.path
            && self.span.file == finding.span.file
            && (self.rule == finding.rule || (moves(self.rule) && moves(finding.rule)))
    }
}

/// A finding that is left, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// The rule.
    pub rule: &'static str,
    /// Where the finding is.
    pub place: JsonPlace,
    /// The place in the project.
    pub path: String,
    /// Why, in one sentence.
    pub reason: String,
    /// The finding's place.
    #[serde(skip)]
    span: Span,
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

/// A file and its permission bits before and after.
pub struct ChangedMode {
    /// Where.
    pub path: String,
    /// What they are.
    pub before: u32,
    /// What they become.
    pub after: u32,
}

/// A file and its text before and after.
pub struct ChangedFile {
    /// Where.
    pub path: String,
    /// Its text; `None` if it is new.
    pub before: Option<String>,
    /// What is changed; what is put in holds names and paths, never a value.
    pub edits: Vec<Edit>,
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
    /// The project directory, from where the user stands.
    directory: &'a str,
    environment: &'a Environment,
    linted: &'a Linted,
    /// Whether what fixes say beside their titles is wanted.
    tells: bool,
    env_texts: OnceCell<Vec<EnvText>>,
    services: OnceCell<HashMap<&'a str, &'a Service>>,
    /// The variables of services, by the place where their value is written: `extends` brings one to several.
    variables: OnceCell<HashMap<Span, Vec<(&'a Service, &'a EnvVar)>>>,
    beside: OnceCell<Result<Vec<Beside>, &'static str>>,
    above: OnceCell<Vec<Beside>>,
    built_beside: OnceCell<Vec<(String, String)>>,
    /// Compose files beside it that are no part of it.
    siblings: OnceCell<Vec<Sibling>>,
    /// What files write and others win over, where there are several.
    replaced: OnceCell<Vec<replaced::Word<'a>>>,
    /// Whether there is a place for secrets' files, or why not.
    place: OnceCell<Result<(), String>>,
}

impl<'a> Project<'a> {
    fn new(
        files: &'a dyn FileSystem,
        path: &'a str,
        directory: &'a str,
        environment: &'a Environment,
        linted: &'a Linted,
    ) -> Self {
        let (env_texts, services, variables) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let (beside, above, siblings) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let built_beside = OnceCell::new();
        let (replaced, place) = (OnceCell::new(), OnceCell::new());
        Project {
            files,
            path,
            directory,
            environment,
            linted,
            tells: true,
            env_texts,
            services,
            variables,
            beside,
            above,
            built_beside,
            siblings,
            replaced,
            place,
        }
    }

    /// What lies in the project directory beside the project, read once; or why that is not known.
    fn beside(&self) -> &Result<Vec<Beside>, &'static str> {
        self.beside.get_or_init(|| beside::read(self))
    }

    /// The YAML files in the directories above, read once.
    fn above(&self) -> &[Beside] {
        self.above.get_or_init(|| beside::above(self))
    }

    /// The Dockerfiles of Compose files that are no part of it, found once, each with that file before it.
    fn built_beside(&self) -> &[(String, String)] {
        self.built_beside.get_or_init(|| builds::beside(self))
    }

    /// The Compose files beside it that have a service of its, found once.
    fn siblings(&self) -> &[Sibling] {
        self.siblings.get_or_init(|| siblings::all(self))
    }

    /// The files of `env_file:`, read once.
    fn env_texts(&self) -> &[EnvText] {
        let services = || self.model().into_iter().flat_map(|model| &model.services);
        self.env_texts.get_or_init(|| EnvText::all(self.files, services()))
    }

    /// The service that a place of the project is in, and the rest of its path. A name may have dots: the
    /// longest counts.
    fn service_at<'p>(&self, path: &'p str) -> Option<(&'a Service, &'p str)> {
        let services = self.services.get_or_init(|| {
            let services = self.model().into_iter().flat_map(|model| &model.services);
            services.map(|service| (&*service.name, service)).collect()
        });
        let path = path.strip_prefix("services.")?;
        let mut ends = path.match_indices('.').map(|(at, _)| at).rev();
        ends.find_map(|end| Some((*services.get(&path[..end])?, &path[end + 1..])))
    }

    /// The services that have a variable from a place.
    fn variables_at(&self, place: Span) -> &[(&'a Service, &'a EnvVar)] {
        let all = self.variables.get_or_init(|| {
            let mut all: HashMap<Span, Vec<(&Service, &EnvVar)>> = HashMap::new();
            for service in self.model().into_iter().flat_map(|model| &model.services) {
                for variable in &service.environment {
                    all.entry(moved::place_of(variable)).or_default().push((service, variable));
                }
            }
            all
        });
        all.get(&place).map(Vec::as_slice).unwrap_or_default()
    }

    fn outcome(&self) -> &'a Outcome {
        &self.linted.outcome
    }

    fn sources(&self) -> &'a Sources {
        &self.linted.outcome.sources
    }

    fn documents(&self) -> &'a [Document] {
        &self.linted.outcome.documents
    }

    fn loaded(&self) -> Option<&'a Loaded> {
        self.linted.loaded.as_ref()
    }

    /// What the Compose file says, if it is one.
    fn model(&self) -> Option<&'a Model> {
        self.loaded().map(|loaded| &loaded.project)
    }

    /// A path in the project directory, from where the user stands.
    fn in_directory(&self, path: &str) -> String {
        join(self.directory, path)
    }
}

/// The changes that fixes want, gathered before they become texts.
#[derive(Default)]
struct Changes<'p> {
    /// By file.
    edits: BTreeMap<String, Vec<Edit>>,
    /// Lines of env files that have no effect as long as the Compose file is as it is, by file.
    dead: BTreeMap<String, Vec<Edit>>,
    new_files: Vec<NewFile>,
    /// Secrets' files that are there as they would be made.
    made: Vec<String>,
    /// Lines to append, by file.
    lines: BTreeMap<String, Vec<String>>,
    /// Services that are granted secrets.
    grants: Vec<secrets::Grants<'p>>,
    /// Secrets to define.
    secrets: Vec<secrets::NewSecret<'p>>,
    /// Definitions to take out, by their keys.
    unused: Vec<(&'p Document, NodeId)>,
}

impl Changes<'_> {
    /// The names of the secrets to define.
    fn names(&self) -> HashSet<String> {
        self.secrets.iter().map(|secret| secret.name.clone()).collect()
    }

    /// Adds a line to a file.
    fn append(&mut self, path: String, line: String) {
        let lines = self.lines.entry(path).or_default();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
}

/// Plans the fixes of one file and of what belongs to it. The error is a sentence.
pub fn plan(files: &dyn FileSystem, path: &str, options: &FixOptions<'_>) -> Result<FixPlan, String> {
    let linted = lint(files, path, &options.lint);
    let outcome = &linted.outcome;
    if let Some(error) = &outcome.error {
        return Err(error.message.clone());
    }
    let directory = options.lint.directory_of(path);
    let project = Project::new(files, path, directory, options.environment, &linted);
    let (with_fix, without): (Vec<&Finding>, Vec<&Finding>) = outcome
        .findings
        .iter()
        .filter(|finding| options.rules.is_empty() || options.rules.iter().any(|rule| rule == finding.rule))
        .filter(|finding| options.services.is_empty() || is_in(&project, finding, options.services))
        .filter(|finding| (options.accept)(outcome, finding))
        .partition(|finding| is_wanted(finding, true));
    let (asked, held_back): (Vec<&Finding>, Vec<&Finding>) =
        with_fix.into_iter().partition(|finding| is_wanted(finding, options.include_unsafe));
    let mut tries = usize::MAX;
    let good = together(&project, &asked, &options.lint, &mut tries);
    let mut plan = attempt(&project, &good);
    plan.held_back = held_back.len();
    plan.without_fix = without.iter().filter(|finding| finding.severity > Severity::Info).count();
    for finding in asked.iter().filter(|finding| !good.iter().any(|good| std::ptr::eq(*good, **finding))) {
        let alone = attempt(&project, &[finding]);
        let reason = match verify::check(&project, &alone, &options.lint) {
            Ok(()) => "it does not go together with another fix; run `cosec fix` once more for it".to_owned(),
            Err(reason) => reason,
        };
        plan.refused.extend(alone.refused);
        plan.refused.extend(alone.fixes.iter().map(|_| refuse(outcome, finding, reason.as_str())));
    }
    let mut said: HashSet<(String, String)> = HashSet::new();
    let gone: Vec<Span> =
        plan.refused.iter().map(|refusal| refusal.span).filter(|span| goes(outcome, &plan, *span)).collect();
    plan.refused.retain(|refusal| {
        !gone.contains(&refusal.span) && said.insert((refusal.place.to_string(), refusal.reason.clone()))
    });
    for file in &mut plan.changed {
        file.shown = shown(outcome, file);
    }
    Ok(plan)
}

/// Whether what stands at a place goes with a fix, whoever asked for that.
fn goes(outcome: &Outcome, plan: &FixPlan, span: Span) -> bool {
    let path = join("", outcome.sources.file(span.file).path());
    let takes = |edit: &Edit| edit.start <= span.start as usize && span.end as usize <= edit.end;
    plan.changed.iter().any(|file| join("", &file.path) == path && file.edits.iter().any(takes))
}

/// How much is said of a fix that is not asked for yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Whether there is one, and of what kind.
    Kind,
    /// What it changes, too, for the first [`DETAILED`] of a file.
    Changes,
}

/// Of how many findings of a file the changes are said.
const DETAILED: usize = 500;

/// How often a file is read anew, at most, to learn which fixes hold while it is linted only. Where that is not
/// enough, some are not spoken of.
const TRIES: usize = 32;

/// Lints a file as [`crate::lint::lint_file`] does, and says of each finding what `cosec fix` would do about it.
pub fn lint_file(files: &dyn FileSystem, path: &str, options: &LintOptions, detail: Detail) -> Outcome {
    let mut linted = lint(files, path, options);
    let proposals = if linted.outcome.findings.iter().any(|finding| kind_of(finding.rule).is_some()) {
        proposals(files, path, &linted, options, detail)
    } else {
        Vec::new()
    };
    for (finding, proposal) in linted.outcome.findings.iter_mut().zip(proposals) {
        finding.fix = proposal;
    }
    linted.outcome
}

/// What can be done about each finding.
fn proposals(
    files: &dyn FileSystem,
    path: &str,
    linted: &Linted,
    options: &LintOptions,
    detail: Detail,
) -> Vec<Option<Proposal>> {
    // `.env` alone: what is linted must not depend on who lints.
    let mut environment = Environment::default();
    let directory = options.directory_of(path);
    if read_dotenv(files, &mut Sources::default(), directory, &mut environment).is_err() {
        return Vec::new();
    }
    let mut project = Project::new(files, path, directory, &environment, linted);
    project.tells = false;
    let findings = &linted.outcome.findings;
    let asked: Vec<&Finding> = findings.iter().filter(|finding| is_wanted(finding, true)).collect();
    let mut tries = TRIES;
    let good = together(&project, &asked, options, &mut tries);
    let plan = attempt(&project, &good);
    let mut at: HashMap<&str, Vec<&Fix>> = HashMap::new();
    for fix in &plan.fixes {
        at.entry(&fix.path).or_default().push(fix);
    }
    let mut detailed = 0;
    let proposals = findings.iter().map(|finding| {
        let fix = at.get(finding.path.as_str())?.iter().find(|fix| fix.mends(finding))?;
        let mut proposal = Proposal {
            kind: fix.kind,
            title: fix.title.clone(),
            files: Vec::new(),
            makes_file: false,
            sets_mode: fix.sets_mode,
        };
        if detail == Detail::Changes && detailed < DETAILED {
            detailed += 1;
            let alone = attempt(&project, &[finding]);
            proposal.makes_file = !alone.new_files.is_empty();
            proposal.files = alone.changed.iter().map(proposed).collect();
        }
        Some(proposal)
    });
    proposals.collect()
}

fn proposed(file: &ChangedFile) -> ProposedFile {
    let mut sources = Sources::default();
    let id = sources.add(file.path.clone(), file.before.clone().unwrap_or_default());
    let changes = file.edits.iter().map(|edit| {
        let span = Span { file: id, start: edit.start as u32, end: edit.end as u32 };
        let (start, end) = sources.range(span);
        (start, end, edit.text.clone())
    });
    ProposedFile { path: file.path.clone(), changes: changes.collect() }
}

/// Adds the variables of a project directory's `.env`, if there is one, that are not set yet.
pub fn read_dotenv(
    files: &dyn FileSystem,
    sources: &mut Sources,
    directory: &str,
    environment: &mut Environment,
) -> Result<(), LoadError> {
    let path = join(directory, ".env");
    let Ok(text) = files.read(&path) else { return Ok(()) };
    let file = sources.add(path, text);
    add_env_files(sources, &[file], environment, Missing::Allow)
}

/// Those of the findings whose fixes hold when they are made together.
fn together<'p>(
    project: &Project<'p>,
    findings: &[&'p Finding],
    lint: &LintOptions,
    tries: &mut usize,
) -> Vec<&'p Finding> {
    let hold = |findings: &[&'p Finding], tries: &mut usize| {
        *tries = tries.saturating_sub(1);
        *tries > 0 && verify::check(project, &attempt(project, findings), lint).is_ok()
    };
    if findings.is_empty() || hold(findings, tries) {
        return findings.to_vec();
    }
    // One of them cannot be done as it should: find out which, and do the others.
    let (left, right) = findings.split_at(findings.len() / 2);
    if left.is_empty() {
        return Vec::new();
    }
    let left = together(project, left, lint, tries);
    let right = together(project, right, lint, tries);
    let both = [left.as_slice(), right.as_slice()].concat();
    if left.is_empty() || right.is_empty() || hold(&both, tries) { both } else { left }
}

/// Whether a finding is about one of the services: in its part of the project, in an env file that it reads, or in the
/// Dockerfile that it is built with.
fn is_in(project: &Project<'_>, finding: &Finding, services: &[String]) -> bool {
    let service = finding.path.strip_prefix("services.").unwrap_or_default();
    if services
        .iter()
        .any(|name| service.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.')))
    {
        return true;
    }
    let path = join("", project.sources().file(finding.span.file).path());
    let read = builds::dockerfile_of(project, finding);
    let all = project.model().into_iter().flat_map(|model| &model.services).enumerate();
    all.filter(|(_, service)| services.iter().any(|name| **name == *service.name)).any(|(at, service)| {
        service.env_files.iter().any(|file| join("", &file.path.value) == path)
            || read.is_some_and(|read| read.services.contains(&at))
    })
}

/// The services of a file's project, in its order; none if it cannot be read.
pub fn services(files: &dyn FileSystem, path: &str, options: &LintOptions) -> Vec<String> {
    let loaded = lint(files, path, options).loaded;
    let project = loaded.as_ref().map(|loaded| &loaded.project);
    project
        .into_iter()
        .flat_map(|project| &project.services)
        .map(|service| service.name.to_string())
        .collect()
}

/// Whether a Compose file's project has a file: what it reads is judged with it, and fixed there.
pub fn reads(files: &dyn FileSystem, path: &str, options: &LintOptions, other: &str) -> bool {
    let linted = lint(files, path, options);
    linted.loaded.is_some()
        && linted.outcome.sources.iter().any(|(_, file)| join("", file.path()) == join("", other))
}

/// What a fix for a finding would change, whether or not it can be done.
pub fn kind_of(rule: &str) -> Option<FixKind> {
    by_id(rule)?.fix
}

fn is_wanted(finding: &Finding, include_unsafe: bool) -> bool {
    kind_of(finding.rule).is_some_and(|kind| include_unsafe || kind == FixKind::Safe)
}

fn attempt<'p>(project: &Project<'p>, findings: &[&'p Finding]) -> FixPlan {
    let mut plan = FixPlan::default();
    let mut changes = Changes::default();
    moved::plan(project, findings, &mut plan, &mut changes);
    plain_key::plan(project, findings, &mut plan, &mut changes);
    newline::plan(project, findings, &mut plan, &mut changes);
    file_mode::plan(project, findings, &mut plan);
    mode::plan(project.outcome(), findings, &mut plan, &mut changes);
    env_files::plan(project, findings, &mut plan, &mut changes);
    configs::plan(project, findings, &mut plan, &mut changes);
    builds::plan(project, findings, &mut plan, &mut changes);
    copies::plan(project, findings, &mut plan, &mut changes);
    dollars::plan(project, findings, &mut plan, &mut changes);
    mounts::plan(project, findings, &mut plan, &mut changes);
    unused::plan(project, findings, &mut plan, &mut changes);
    ignored::plan(project, findings, &mut plan, &mut changes);
    finish(project, changes, &mut plan);
    plan
}

/// Turns changes into texts: what git must not see first, then lines that have no effect until the Compose files
/// change, which come next, `.env` last.
fn finish(project: &Project<'_>, mut changes: Changes<'_>, plan: &mut FixPlan) {
    secrets::define(project, &mut changes);
    plan.new_files = changes.new_files;
    plan.made = changes.made;
    for (path, lines) in changes.lines {
        let before = match project.files.read(&path) {
            Ok(text) => Some(text),
            Err(ReadError::Missing) => None,
            Err(error) => {
                let lines = lines.join("`, `");
                plan.hindered = Some(format!(
                    "{path} cannot be changed, {error}; save it as UTF-8, or add `{lines}` to it by hand, then try again"
                ));
                continue;
            }
        };
        let text = before.as_deref().unwrap_or_default();
        let newline = edit::newline(text);
        let mut added = String::new();
        if !text.is_empty() && !text.ends_with('\n') {
            added.push_str(newline);
        }
        for line in lines {
            added.push_str(&line);
            added.push_str(newline);
        }
        let edits = vec![Edit::insert(text.len(), added)];
        plan.changed.extend(ChangedFile::new(path, before, edits));
    }
    let is_else_kept = |path: &str| !changes.edits.contains_key(path);
    let (first, others): (Vec<_>, Vec<_>) =
        changes.dead.into_iter().partition(|(path, _)| is_else_kept(path));
    for (path, edits) in others {
        let known = changes.edits.entry(path).or_default();
        known.extend(edits.into_iter().filter(|edit| !known.contains(edit)).collect::<Vec<_>>());
    }
    let (env, compose): (Vec<_>, Vec<_>) =
        changes.edits.into_iter().partition(|(path, _)| crate::lint::is_env_file(path));
    for (path, edits) in first.into_iter().chain(compose).chain(env) {
        let Ok(before) = project.files.read(&path) else { continue };
        plan.changed.extend(ChangedFile::new(path, Some(before), edits));
    }
}

impl ChangedFile {
    /// `None` where two edits are about the same bytes.
    fn new(path: String, before: Option<String>, edits: Vec<Edit>) -> Option<Self> {
        let after = apply(before.as_deref().unwrap_or_default(), edits.clone())?;
        Some(ChangedFile { path, before, edits, after, shown: (String::new(), String::new()) })
    }
}

/// A file before and after as it may be shown.
fn shown(outcome: &Outcome, file: &ChangedFile) -> (String, String) {
    let before = file.before.as_deref().unwrap_or_default();
    let is_it = |(_, known): &(_, &SourceFile)| known.path() == file.path && known.text() == before;
    let known = outcome.sources.iter().find(is_it).map(|(id, _)| id);
    let is_patterns = matches!(crate::files::file_name(&file.path), ".gitignore" | ".dockerignore");
    masked_change(outcome, known, is_patterns, before, &file.edits)
}

fn refuse(outcome: &Outcome, finding: &Finding, reason: impl Into<String>) -> Refusal {
    Refusal {
        rule: finding.rule,
        place: JsonPlace::of(&outcome.sources, finding.span),
        path: finding.path.clone(),
        reason: reason.into(),
        span: finding.span,
    }
}

#[cfg(test)]
mod tests;
