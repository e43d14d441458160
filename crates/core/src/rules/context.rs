//! What a rule sees, and where it puts what it finds.

use super::finding::{Finding, NotChecked};
use crate::compose::{Data, Project, Value};
use crate::files::FileSystem;
use crate::source::Sources;

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

    /// Takes note of what could not be checked; the same twice counts once.
    pub fn not_checked(&mut self, rule: &super::Rule, reason: impl Into<String>) {
        let entry = NotChecked { rule: rule.id, reason: reason.into() };
        if !self.not_checked.contains(&entry) {
            self.not_checked.push(entry);
        }
    }
}
