//! What a rule sees, and where it puts what it finds.

use std::ops::Range;

use super::finding::{Finding, NotChecked};
use crate::compose::dotenv::Assigned;
use crate::compose::{Data, Project, Text, Value};
use crate::files::FileSystem;
use crate::source::{Sources, Span};

/// What a rule sees.
pub struct Context<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The whole file as values.
    pub root: &'a Value,
    /// The project.
    pub project: &'a Project,
    /// The world.
    pub files: &'a dyn FileSystem,
}

impl Context<'_> {
    /// Visits `command`, `entrypoint` and health checks of all services.
    pub fn command_lines(&self, mut visit: impl FnMut(&str, &CommandLine)) {
        let services = self.root.get("services").and_then(Value::as_map);
        for (name, service) in services.into_iter().flatten() {
            let service = &service.value;
            let health = service.get("healthcheck").and_then(|health| health.get("test"));
            for (key, value) in [
                ("command", service.get("command")),
                ("entrypoint", service.get("entrypoint")),
                ("healthcheck.test", health),
            ] {
                let Some(value) = value else { continue };
                let words = value.as_seq().unwrap_or(std::slice::from_ref(value));
                let line = CommandLine::new(words.iter().filter_map(Value::to_text));
                if !line.words.is_empty() {
                    visit(&format!("services.{name}.{key}"), &line);
                }
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

/// What a rule for env files sees.
pub struct EnvFileContext<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The assignments, in file order.
    pub assigned: &'a [Assigned],
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
