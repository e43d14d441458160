//! Lints one Compose file, one file of variables or one Dockerfile, with all rules that are for it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::compose::{Environment, LoadError, LoadRequest, Loaded, Project, Way, dotenv, load};
use crate::dockerfile::{self, is_dockerfile};
use crate::files::{
    Answer, FILE_NAMES, FileKind, FileSystem, GitState, OVERRIDE_NAMES, ReadError, file_name, join, parent,
};
use crate::ignore::{self, Comment};
use crate::reach;
use crate::report::value_places;
use crate::rules::{
    self, Check, Context, DockerfileContext, EnvFileContext, Finding, Findings, NotChecked, Persona,
    ReadDockerfile, Rule, Severity, Telling, name_rests,
};
use crate::source::{FileId, Position, Sources, Span};
use crate::yaml::Document;

/// How to lint.
#[derive(Clone, Default)]
pub struct LintOptions {
    /// Whose rules.
    pub persona: Persona,
    /// What the project is meant for.
    pub target: Target,
    /// Rules that are off, on or of another severity than their own, by id.
    pub levels: BTreeMap<String, Level>,
    /// The files that are one project with the linted one, it among them, later ones over earlier ones: what `-f`
    /// names. If empty, those that [`chain`] finds.
    pub files: Vec<String>,
    /// The project directory, which relative paths start from; that of the Compose file if not said.
    pub directory: Option<String>,
}

/// What a project is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// `docker compose`
    #[default]
    Compose,
    /// `docker stack deploy`
    Swarm,
}

/// What settings make of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It does not run.
    Off,
    /// It runs, whatever the persona, and its findings have this severity.
    At(Severity),
}

impl LintOptions {
    /// The project directory of the Compose file at `path`.
    pub(crate) fn directory_of<'a>(&'a self, path: &'a str) -> &'a str {
        self.directory.as_deref().unwrap_or_else(|| parent(path))
    }

    pub(crate) fn runs(&self, rule: &Rule) -> bool {
        match self.levels.get(rule.id) {
            Some(Level::Off) => false,
            Some(Level::At(_)) => true,
            None => rule.persona <= self.persona,
        }
    }

    /// Gives a finding the severity that settings want.
    pub(crate) fn grade(&self, finding: &mut Finding) {
        if let Some(Level::At(severity)) = self.levels.get(finding.rule) {
            finding.severity = *severity;
        }
    }

    fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        rules::ALL.iter().copied().filter(|rule| self.runs(rule))
    }
}

/// What linting one file gave.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The file's path as given.
    pub path: String,
    /// The texts that were read.
    pub sources: Sources,
    /// The syntax trees of the file, for masking.
    pub documents: Vec<Document>,
    /// Where the values stand, for masking, of files whose trees were given back.
    pub values: HashMap<FileId, Vec<Span>>,
    /// What follows the name in a name's place (`:value` of `NAME:value`), for masking.
    pub rests: Vec<Span>,
    /// Which of the texts are Dockerfiles, for masking.
    pub dockerfiles: Vec<FileId>,
    /// What was found, in file order.
    pub findings: Vec<Finding>,
    /// What was found and is ignored by a comment, with the comment's reason.
    pub ignored: Vec<(Finding, String)>,
    /// What was found and a baseline knows already.
    pub known: Vec<Finding>,
    /// The comments that ignore, as far as this project can judge them.
    pub comments: Vec<Comment>,
    /// What could not be checked.
    pub not_checked: Vec<NotChecked>,
    /// Why the file could not be read as a project. What could be made sense of all the same was checked.
    pub error: Option<LoadError>,
}

impl Outcome {
    /// Where the text is that kept the file from being read.
    pub fn error_place(&self) -> Option<(Position, Position)> {
        match &self.error {
            Some(error) => error.span.map(|span| self.sources.range(span)),
            None => None,
        }
    }

    /// Gives back what no report needs: of many files it is most of the memory. `excerpts`: whether lines will be shown.
    pub fn slim(&mut self, excerpts: bool) {
        let is_shown = |finding: &Finding| finding.severity > Severity::Info;
        let shows = self.error.is_some() || !self.comments.is_empty() || self.findings.iter().any(is_shown);
        let excerpts = excerpts && shows;
        let ignored = self.ignored.iter().map(|(finding, _)| finding);
        let of_findings = self.findings.iter().chain(ignored).flat_map(|finding| {
            let related = finding.related.iter().map(|related| related.span);
            related.chain([finding.span]).chain(finding.reached)
        });
        let of_error = self.error.iter().flat_map(|error| {
            let related = error.related.map(|(span, _)| span);
            error.span.into_iter().chain(related)
        });
        let of_comments = self.comments.iter().map(Comment::span);
        let spans: Vec<Span> = of_findings.chain(of_error).chain(of_comments).collect();
        if excerpts {
            self.values = value_places(self);
            self.values.retain(|file, _| spans.iter().any(|span| span.file == *file));
        }
        self.documents = Vec::new();
        self.sources.keep_only(&spans, excerpts);
    }

    /// Puts the findings in file order.
    pub(crate) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| (finding.span.file, finding.span.start, finding.rule));
    }

    fn take(&mut self, findings: Findings) {
        self.findings.extend(findings.found);
        for entry in findings.not_checked {
            if !self.not_checked.contains(&entry) {
                self.not_checked.push(entry);
            }
        }
    }
}

/// Lints the file at `path`. It is looked at as it stands: variables count as unset, because what the
/// file says must not depend on who lints it.
pub fn lint_file(files: &dyn FileSystem, path: &str, options: &LintOptions) -> Outcome {
    lint(files, path, options).outcome
}

/// A linted file and what the rules have seen of it: what fixes are made from.
pub(crate) struct Linted {
    /// What was found.
    pub(crate) outcome: Outcome,
    /// The project; `None` of a file of variables, of a Dockerfile, and of what cannot be read.
    pub(crate) loaded: Option<Loaded>,
    /// The Dockerfiles of the project, or the one that was linted.
    pub(crate) dockerfiles: Vec<ReadDockerfile>,
}

/// As [`lint_file`], and keeps the project.
pub(crate) fn lint(files: &dyn FileSystem, path: &str, options: &LintOptions) -> Linted {
    let outcome = Outcome { path: path.to_owned(), ..Outcome::default() };
    let mut linted = Linted { outcome, loaded: None, dockerfiles: Vec::new() };
    let checked = if is_env_file(path) {
        check_env_file(files, path, options, &mut linted.outcome)
    } else if is_dockerfile(path) {
        check_dockerfile(files, path, options, &mut linted)
    } else {
        check(files, path, options, &mut linted)
    };
    let outcome = &mut linted.outcome;
    outcome.rests = name_rests(&outcome.documents, &outcome.sources);
    if let Err(error) = checked {
        outcome.not_checked.push(NotChecked { rule: "*", reason: error.to_string() });
        outcome.error = Some(error);
    }
    let Outcome { documents, sources, findings, error, not_checked, .. } = outcome;
    let telling = Telling::of(documents);
    if let Some(error) = error {
        error.message = telling.text(&error.message);
    }
    for entry in not_checked {
        entry.reason = telling.text(&entry.reason);
    }
    for finding in findings {
        telling.finding(sources, finding);
        options.grade(finding);
    }
    outcome.sort();
    reach::note(&outcome.documents, &mut outcome.findings);
    ignore::apply(outcome, options);
    linted
}

/// Whether a path is that of an env file: `.env`, `.env.local`, `db.env`, `env.example`.
pub fn is_env_file(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    name.split('.').any(|part| part == "env") && !CODE.contains(&last) && !is_dockerfile(path)
}

/// Endings of programs and data: `env.ts` reads variables, it is no list of them.
const CODE: &[&str] = &[
    "bat", "c", "cjs", "conf", "cpp", "cs", "css", "cts", "dart", "ex", "exs", "go", "h", "hcl", "html",
    "ini", "java", "js", "json", "jsx", "kt", "lua", "map", "md", "mjs", "mts", "nix", "php", "pl", "ps1",
    "py", "rb", "rs", "rst", "scala", "sh", "snap", "svelte", "swift", "tf", "toml", "ts", "tsx", "vue",
    "xml", "yaml", "yml", "zig",
];

/// Whether a path is that of a Compose file: `compose.yaml`, `docker-compose.prod.yml`, `app-compose.yml`.
pub fn is_compose_file(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| stem.split(['.', '-', '_']).any(|word| word == "compose"))
}

/// Whether a file of a directory is linted by itself: a Compose file, or variables.
pub fn is_linted(path: &str) -> bool {
    is_compose_file(path) || is_env_file(path)
}

fn check_env_file(
    files: &dyn FileSystem,
    path: &str,
    options: &LintOptions,
    outcome: &mut Outcome,
) -> Result<(), LoadError> {
    let text = files.read(path).map_err(|error| LoadError::unreadable(path, &error))?;
    let file = outcome.sources.add(path, text);
    let assigned = dotenv::scan(file, outcome.sources.file(file).text());
    let context = EnvFileContext { sources: &outcome.sources, assigned: &assigned, path, files };
    let mut findings = Findings::default();
    for rule in options.rules() {
        if let Check::EnvFile(check) | Check::ProjectAndEnvFile(_, check) = rule.check {
            guarded(rule, &mut findings, |findings| check(&context, findings));
        }
    }
    outcome.take(findings);
    Ok(())
}

fn check_dockerfile(
    files: &dyn FileSystem,
    path: &str,
    options: &LintOptions,
    linted: &mut Linted,
) -> Result<(), LoadError> {
    let outcome = &mut linted.outcome;
    let text = files.read(path).map_err(|error| LoadError::unreadable(path, &error))?;
    let file = outcome.sources.add(path, text);
    outcome.dockerfiles.push(file);
    let read = ReadDockerfile {
        path: path.to_owned(),
        inline: false,
        dockerfile: dockerfile::parse(file, outcome.sources.file(file).text()),
        // Without a project the context is most often where the file lies.
        context: parent(path).to_owned(),
        services: Vec::new(),
    };
    let findings = dockerfile_findings(files, &read, options, &outcome.sources);
    outcome.take(findings);
    linted.dockerfiles.push(read);
    Ok(())
}

fn dockerfile_findings(
    files: &dyn FileSystem,
    read: &ReadDockerfile,
    options: &LintOptions,
    sources: &Sources,
) -> Findings {
    let context = DockerfileContext { sources, read, files };
    let mut findings = Findings::default();
    for rule in options.rules() {
        if let Check::Dockerfile(check) = rule.check {
            guarded(rule, &mut findings, |findings| check(&context, findings));
        }
    }
    findings
}

fn check(
    files: &dyn FileSystem,
    path: &str,
    options: &LintOptions,
    linted: &mut Linted,
) -> Result<(), LoadError> {
    let outcome = &mut linted.outcome;
    let chain = if options.files.is_empty() { chain(files, path) } else { options.files.clone() };
    let environment = Environment::default();
    let request = LoadRequest::lenient(&chain, options.directory_of(path), &environment);
    let loaded = load(files, &mut outcome.sources, &mut outcome.documents, &request)?;
    let unread = loaded.left_out.iter().map(|reason| NotChecked { rule: "*", reason: reason.clone() });
    outcome.not_checked.extend(unread);
    let project = &loaded.project;
    outcome.not_checked.extend(undecided_paths(project));
    let dockerfiles = read_dockerfiles(files, project, outcome);
    let context = Context {
        sources: &outcome.sources,
        root: &loaded.root,
        project,
        documents: &outcome.documents,
        files,
        dockerfiles: &dockerfiles,
        path,
        target: options.target,
        overridden: OnceCell::new(),
        hidden_grants: OnceCell::new(),
    };
    let mut findings = Findings::default();
    for rule in options.rules() {
        if let Check::Project(check) | Check::ProjectAndEnvFile(check, _) = rule.check {
            guarded(rule, &mut findings, |findings| check(&context, findings));
        }
    }
    for read in &dockerfiles {
        findings.append(dockerfile_findings(files, read, options, &outcome.sources));
    }
    outcome.take(findings);
    let included = outcome.sources.iter().filter(|(file, _)| loaded.ways.of(*file) == Some(Way::EnvFile));
    let included: Vec<String> = included.map(|(_, file)| file.path().to_owned()).collect();
    for path in env_files(files, project, &included) {
        if let Err(error) = check_env_file(files, &path, options, outcome) {
            outcome.not_checked.push(NotChecked { rule: "env-file-secret", reason: error.to_string() });
        }
    }
    let refused = loaded.refused.clone();
    linted.loaded = Some(loaded);
    linted.dockerfiles = dockerfiles;
    refused.map_or(Ok(()), Err)
}

/// The files and directories that no rule looks at, because a variable without a value says where they are.
fn undecided_paths(project: &Project) -> Vec<NotChecked> {
    let secrets = project
        .secrets
        .iter()
        .filter_map(|secret| Some(("the file of the secret", &secret.name, secret.file.as_ref()?)));
    let of_services = project.services.iter().flat_map(|service| {
        let name = &service.name;
        let env_files =
            service.env_files.iter().map(move |entry| ("an env file of service", name, &entry.path));
        let built = service.build.iter().flat_map(move |build| {
            let context = build.context.iter().map(move |path| ("the build context of service", name, path));
            context.chain(build.dockerfile.iter().map(move |path| ("the Dockerfile of service", name, path)))
        });
        env_files.chain(built)
    });
    let mut found: Vec<(&str, String, usize)> = Vec::new();
    for (what, name, path) in secrets.chain(of_services) {
        let Some(variable) = path.undecided.as_deref() else { continue };
        match found.iter_mut().find(|(known, ..)| *known == variable) {
            Some((.., others)) => *others += 1,
            None => found.push((variable, format!("{what} `{name}`"), 0)),
        }
    }
    let reason = |(variable, what, others): (&str, String, usize)| {
        let others = match others {
            0 => "is".to_owned(),
            1 => "and 1 more are".to_owned(),
            others => format!("and {others} more are"),
        };
        format!(
            "{what} {others} where `{variable}` says, which has no value here; give it a default, \
             `${{{variable}:-…}}`, or set it in the project's .env"
        )
    };
    found.into_iter().map(|found| NotChecked { rule: "*", reason: reason(found) }).collect()
}

/// The Dockerfiles of `build:`, each once. A remote context is not looked at.
fn read_dockerfiles(files: &dyn FileSystem, project: &Project, outcome: &mut Outcome) -> Vec<ReadDockerfile> {
    let mut read: Vec<ReadDockerfile> = Vec::new();
    for (at, service) in project.services.iter().enumerate() {
        let Some(build) = &service.build else { continue };
        if let Some(inline) = &build.inline {
            read.push(ReadDockerfile {
                dockerfile: dockerfile::parse_inline(&outcome.sources, inline),
                path: format!("services.{}.build.dockerfile_inline", service.name),
                inline: true,
                context: build.context.as_ref().map_or_else(String::new, |context| context.value.to_string()),
                services: vec![at],
            });
            continue;
        }
        let Some(context) = build.local_context() else { continue };
        let Some(path) = build.dockerfile_path(context) else { continue };
        if let Some(known) = read.iter_mut().find(|known| known.path == path && known.context == context) {
            known.services.push(at);
            continue;
        }
        let reason = match files.read(&path) {
            Ok(text) => {
                let file = outcome.sources.add(path.clone(), text);
                outcome.dockerfiles.push(file);
                read.push(ReadDockerfile {
                    dockerfile: dockerfile::parse(file, outcome.sources.file(file).text()),
                    path,
                    inline: false,
                    context: context.to_owned(),
                    services: vec![at],
                });
                continue;
            }
            Err(ReadError::Missing) => match files.kind(&path) {
                Answer::NotChecked(reason) => reason.to_owned(),
                Answer::Known(_) => continue,
            },
            Err(error) => error.to_string(),
        };
        outcome.not_checked.push(NotChecked { rule: "*", reason: format!("{path}: {reason}") });
    }
    read
}

/// The files of variables that the project reads: `.env`, those of `include:` and those of `env_file:`, unless git
/// ignores them.
fn env_files(files: &dyn FileSystem, project: &Project, included: &[String]) -> Vec<String> {
    let mut paths = vec![join(&project.directory, ".env")];
    let entries = project.services.iter().flat_map(|service| &service.env_files);
    let known = entries.filter(|entry| entry.path.undecided.is_none()).map(|entry| &*entry.path.value);
    for path in included.iter().map(String::as_str).chain(known) {
        let path = join("", path);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let is_there = |path: &String| files.kind(path) == Answer::Known(FileKind::File);
    let kept_back = |path: &String| files.git(path) == Answer::Known(GitState::Ignored);
    paths.into_iter().filter(|path| is_there(path) && !kept_back(path)).collect()
}

/// A rule that fails costs itself only, and that is said. (Where panics cannot be caught, as in wasm, the caller
/// starts anew.)
fn guarded(rule: &Rule, findings: &mut Findings, check: impl FnOnce(&mut Findings)) {
    let mut own = Findings::default();
    match catch_unwind(AssertUnwindSafe(|| check(&mut own))) {
        Ok(()) => findings.append(own),
        Err(_) => findings.not_checked(rule, "the rule failed; please report it"),
    }
}

/// The files that Compose would read together with this one: an override file stands on its base, and a
/// base takes its override along.
pub fn chain(files: &dyn FileSystem, path: &str) -> Vec<String> {
    let name = file_name(path);
    let exists = |name: &str| {
        let other = join(parent(path), name);
        files.read(&other).is_ok().then_some(other)
    };
    let pair = FILE_NAMES.iter().position(|base| *base == name);
    let over = OVERRIDE_NAMES.iter().position(|over| *over == name);
    let mut chain = Vec::new();
    if over.is_some() {
        chain.extend(FILE_NAMES.iter().find_map(|base| exists(base)));
    }
    chain.push(path.to_owned());
    if pair.is_some() {
        chain.extend(OVERRIDE_NAMES.iter().find_map(|over| exists(over)));
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_fails_costs_itself_only_and_that_is_said() {
        let mut findings = Findings::default();
        guarded(rules::ALL[0], &mut findings, |_| panic!("on purpose"));
        assert_eq!(findings.not_checked.len(), 1);
        assert_eq!(findings.not_checked[0].rule, rules::ALL[0].id);
    }

    #[test]
    fn files_that_people_call_compose_files_are_found() {
        for name in [
            "compose.yaml",
            "docker-compose.yml",
            "docker-compose.prod.yml",
            "compose.override.yaml",
            "app_compose.yml",
        ] {
            assert!(is_compose_file(name), "{name}");
        }
        for name in ["composer.yaml", "values.yaml", "compose.json", "decompose.yml"] {
            assert!(!is_compose_file(name), "{name}");
        }
    }

    #[test]
    fn env_files_are_known_by_their_names() {
        for path in [".env", "a/.env.local", "db.env", "env.example", "app.env.dist"] {
            assert!(is_env_file(path), "{path}");
        }
        for path in ["compose.yaml", "compose.env.yaml", "environment", "envoy.json", "env.ts", "env.d.ts"] {
            assert!(!is_env_file(path), "{path}");
        }
    }
}
