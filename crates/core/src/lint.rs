//! Lints one Compose file with all rules.

use crate::compose::{Environment, Interpolation, LoadError, LoadOptions, Loaded, load_text};
use crate::files::{FileSystem, ReadError, parent};
use crate::rules::{self, Context, Finding, Findings, NotChecked, Persona};
use crate::source::{Position, Sources};
use crate::yaml::Document;

/// How to lint.
#[derive(Default)]
pub struct LintOptions {
    /// Whose rules.
    pub persona: Persona,
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
    /// What was found, in file order.
    pub findings: Vec<Finding>,
    /// What could not be checked.
    pub not_checked: Vec<NotChecked>,
    /// Why the file could not be read as a project. Nothing was checked then.
    pub error: Option<Failure>,
}

impl Outcome {
    /// Where the text is that kept the file from being read.
    pub fn error_place(&self) -> Option<(Position, Position)> {
        match &self.error {
            Some(Failure::Load(error)) => Some(self.sources.range(error.span)),
            Some(Failure::Read(_)) | None => None,
        }
    }
}

/// Why nothing of a file could be checked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No text.
    #[error("cannot read the file: {0}")]
    Read(#[from] ReadError),
    /// No project.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Lints the file at `path`. It is looked at as it stands: variables count as unset, because what the
/// file says must not depend on who lints it.
pub fn lint_file(files: &dyn FileSystem, path: &str, options: &LintOptions) -> Outcome {
    let mut outcome = Outcome { path: path.to_owned(), ..Outcome::default() };
    if let Err(failure) = check(files, path, options, &mut outcome) {
        outcome.not_checked.push(NotChecked { rule: "*", reason: failure.to_string() });
        outcome.error = Some(failure);
    }
    outcome
}

fn check(
    files: &dyn FileSystem,
    path: &str,
    options: &LintOptions,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let text = files.read(path)?;
    let file = outcome.sources.add(path, text);
    let load = LoadOptions {
        environment: &Environment::default(),
        interpolation: Interpolation::Lenient,
        name: None,
        directory: parent(path),
    };
    let Loaded { documents, root, project } = load_text(&outcome.sources, file, &load)?;
    outcome.documents = documents;
    let context = Context { sources: &outcome.sources, root: &root, project: &project, files };
    let mut findings = Findings::default();
    for rule in rules::ALL.iter().filter(|rule| rule.persona <= options.persona) {
        (rule.check)(&context, &mut findings);
    }
    outcome.findings = findings.found;
    outcome.findings.sort_by_key(|finding| (finding.span.file, finding.span.start, finding.rule));
    outcome.not_checked = findings.not_checked;
    Ok(())
}
