//! What a rule sees, and where it puts what it finds.

use std::cell::OnceCell;
use std::ops::Range;

use super::finding::{Finding, NotChecked};
use super::overridden::{HiddenGrant, hidden_grants, named_files, overridden};
use crate::compose::dotenv::Assigned;
use crate::compose::{Data, EnvVar, Project, SecretDef, Service, Text, Value};
use crate::dockerfile::Dockerfile;
use crate::files::{Answer, FileKind, FileSystem};
use crate::lint::Target;
use crate::source::{Sources, Span};
use crate::yaml::Document;

/// What a rule sees.
pub struct Context<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The whole file as values.
    pub root: &'a Value,
    /// The project.
    pub project: &'a Project,
    /// The trees of its files.
    pub documents: &'a [Document],
    /// The world.
    pub files: &'a dyn FileSystem,
    /// The Dockerfiles of `build:`, as far as they can be read.
    pub dockerfiles: &'a [ReadDockerfile],
    /// The file that is linted, as given.
    pub path: &'a str,
    /// What the project is meant for.
    pub target: Target,
    pub(crate) overridden: OnceCell<Vec<(String, EnvVar)>>,
    pub(crate) hidden_grants: OnceCell<Vec<HiddenGrant>>,
}

/// A Dockerfile and who builds with it.
pub struct ReadDockerfile {
    /// Its path, from where the user stands; of `dockerfile_inline:` the path in the project.
    pub path: String,
    /// Whether it is written in the Compose file.
    pub inline: bool,
    /// What it says.
    pub dockerfile: Dockerfile,
    /// The directory of the build context, from where the user stands.
    pub context: String,
    /// The services that build with it, as indices of [`Project::services`].
    pub services: Vec<usize>,
}

/// What a rule for Dockerfiles sees.
pub struct DockerfileContext<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The file.
    pub read: &'a ReadDockerfile,
    /// The world.
    pub files: &'a dyn FileSystem,
}

/// What [`Context::command_lines`] visits, and what it calls it.
pub(super) const HEALTHCHECK: &str = "healthcheck.test";

/// Commands that are run in a container beside its own.
const HOOKS: [&str; 2] = ["post_start", "pre_stop"];

impl<'a> Context<'a> {
    /// The variables of all services: `environment`, then `build.args`, each with the path of its map.
    pub fn variables(&self, mut visit: impl FnMut(&'a Service, &EnvVar, &str)) {
        for service in &self.project.services {
            let path = format!("services.{}.environment", service.name);
            service.environment.iter().for_each(|variable| visit(service, variable, &path));
            if let Some(build) = &service.build {
                let path = format!("services.{}.build.args", service.name);
                build.args.iter().for_each(|variable| visit(service, variable, &path));
            }
        }
    }

    /// The variables of `environment` that are written in a file and are not the project's, each with the path of
    /// its map.
    pub fn overridden(&self) -> &[(String, EnvVar)] {
        self.overridden.get_or_init(|| overridden(self.sources, self.documents, self.project))
    }

    /// What `include` and `extends` name, each with its path.
    pub fn named_files(&self) -> Vec<(String, Text)> {
        named_files(self.sources, self.documents)
    }

    /// The grants that a later one of their list hides.
    pub fn hidden_grants(&self) -> &[HiddenGrant] {
        self.hidden_grants.get_or_init(|| hidden_grants(self.sources, self.documents))
    }

    /// The path of a secret's file. What a variable without a default says is not known here, which the linter tells,
    /// and an empty path is no file's.
    pub fn file_of(&self, secret: &'a SecretDef) -> Option<&'a Text> {
        let file = secret.file.as_ref()?;
        (file.undecided.is_none() && !self.is_empty_path(file)).then_some(file)
    }

    /// Whether nothing is written where a path should be; the text itself is resolved by now.
    pub fn is_empty_path(&self, path: &Text) -> bool {
        matches!(self.sources.slice(path.span), "''" | "\"\"")
    }

    /// Secrets with a file that is there, and the file's path. What is not known is noted for `rule`.
    pub fn secret_files(
        &self,
        rule: &super::Rule,
        findings: &mut Findings,
    ) -> Vec<(&'a SecretDef, &'a Text)> {
        let mut found = Vec::new();
        for secret in &self.project.secrets {
            let Some(file) = self.file_of(secret) else { continue };
            match self.files.kind(&file.value) {
                Answer::Known(FileKind::File) => found.push((secret, file)),
                Answer::Known(_) => {}
                Answer::NotChecked(reason) => findings.not_checked(rule, reason),
            }
        }
        found
    }

    /// The services that are granted a secret.
    pub fn users_of<'b>(&'b self, secret: &'b str) -> impl Iterator<Item = &'a Service> + 'b {
        self.project
            .services
            .iter()
            .filter(move |service| service.secrets.iter().any(|grant| *grant.source.value == *secret))
    }

    /// Visits `command`, `entrypoint`, health checks, hooks and the commands of `develop.watch` of all services: path,
    /// key, line.
    pub fn command_lines(&self, mut visit: impl FnMut(&str, &str, &CommandLine)) {
        let mut look = |service: &str, key: &str, value: Option<&Value>| {
            let Some(value) = value else { return };
            let words = value.as_seq().unwrap_or(std::slice::from_ref(value));
            let line = CommandLine::new(words.iter().filter_map(Value::to_text));
            if !line.words.is_empty() {
                visit(&format!("services.{service}.{key}"), key, &line);
            }
        };
        let services = self.root.get("services").and_then(Value::as_map);
        for (name, service) in services.into_iter().flatten() {
            let service = &service.value;
            look(name, "command", service.get("command"));
            look(name, "entrypoint", service.get("entrypoint"));
            look(name, HEALTHCHECK, service.get("healthcheck").and_then(|health| health.get("test")));
            for hook in HOOKS {
                let hooks = service.get(hook).and_then(Value::as_seq).unwrap_or_default();
                for (at, hook_of) in hooks.iter().enumerate() {
                    look(name, &format!("{hook}.{at}.command"), hook_of.get("command"));
                }
            }
            let watch = service.get("develop").and_then(|develop| develop.get("watch"));
            for (at, watched) in watch.and_then(Value::as_seq).unwrap_or_default().iter().enumerate() {
                let exec = watched.get("exec").and_then(|exec| exec.get("command"));
                look(name, &format!("develop.watch.{at}.exec.command"), exec);
            }
        }
    }

    /// Visits every scalar of the file with its path. The items of a list are named by their index.
    pub fn scalars(&self, mut visit: impl FnMut(&str, &Value)) {
        fn walk(value: &Value, path: &mut String, visit: &mut dyn FnMut(&str, &Value)) {
            let length = path.len();
            let mut step = |key: &str, value: &Value| {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                walk(value, path, visit);
                path.truncate(length);
            };
            match &value.data {
                Data::Map(map) => map.iter().for_each(|(key, entry)| step(key, &entry.value)),
                Data::Seq(items) => {
                    items.iter().enumerate().for_each(|(at, item)| step(&at.to_string(), item));
                }
                _ => visit(path, value),
            }
        }
        walk(self.root, &mut String::new(), &mut visit);
    }
}

/// The name of what a scalar's text is for, and where its value starts: `NAME=value` of a list, else the key that it
/// stands under.
pub(super) fn slot<'a>(path: &'a str, text: &'a str) -> (&'a str, usize) {
    let mut keys = path.rsplit('.').filter(|key| !key.bytes().all(|byte| byte.is_ascii_digit()));
    let key = keys.next().unwrap_or_default();
    let in_list = path.ends_with(|c: char| c.is_ascii_digit()) && !path.ends_with(key);
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    match text.split_once('=') {
        Some((name, value)) if in_list && is_name(name) => (name, text.len() - value.len()),
        _ => (key, 0),
    }
}

/// What a rule for env files sees.
pub struct EnvFileContext<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The assignments, in file order.
    pub assigned: &'a [Assigned],
    /// The file's path as given.
    pub path: &'a str,
    /// The world.
    pub files: &'a dyn FileSystem,
}

/// A command line, whether it is written as one text or as a list of words.
pub struct CommandLine {
    /// The words with blanks between them, before interpolation.
    pub text: String,
    /// Each word: where it starts in `text`, its scalar's place and own text.
    words: Vec<(usize, Text)>,
}

impl CommandLine {
    fn new(words: impl Iterator<Item = Text>) -> Self {
        let mut line = CommandLine { text: String::new(), words: Vec::new() };
        for word in words {
            if !line.text.is_empty() {
                line.text.push(' ');
            }
            let start = line.text.len();
            line.text.push_str(&word.raw);
            line.words.push((start, word));
        }
        line
    }

    /// Where a range of the text is written; a range over several words is that of the first.
    pub fn place(&self, sources: &Sources, range: Range<usize>) -> Span {
        let at = self.words.partition_point(|(start, _)| *start <= range.start).saturating_sub(1);
        let (start, word) = &self.words[at];
        let within = |offset: usize| offset.saturating_sub(*start).min(word.raw.len());
        sources.within(word.span, &word.raw, within(range.start)..within(range.end))
    }
}

/// Where rules put what they find.
#[derive(Default)]
pub struct Findings {
    pub(crate) found: Vec<Finding>,
    pub(crate) not_checked: Vec<NotChecked>,
}

impl Findings {
    /// Takes a finding.
    pub fn push(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// Takes another's.
    pub(crate) fn append(&mut self, other: Findings) {
        self.found.extend(other.found);
        self.not_checked.extend(other.not_checked);
    }

    /// Takes note of what could not be checked; the same twice counts once.
    pub fn not_checked(&mut self, rule: &super::Rule, reason: impl Into<String>) {
        let entry = NotChecked { rule: rule.id, reason: reason.into() };
        if !self.not_checked.contains(&entry) {
            self.not_checked.push(entry);
        }
    }
}
