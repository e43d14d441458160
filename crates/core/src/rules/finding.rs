//! What a rule says.

use std::fmt;

use crate::source::{Position, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Likely wrong.
    Warning,
    /// A secret is exposed, or the project cannot work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// How sure the rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// By the name alone.
    Low,
    /// By name and value.
    Medium,
    /// Certain.
    High,
}

/// What a fix would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FixKind {
    /// Changes nothing of how the stack runs.
    Safe,
    /// Changes how the stack runs.
    Unsafe,
}

/// What `cosec fix` would do about a finding.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What it changes.
    pub kind: FixKind,
    /// What is done, without a value.
    pub title: String,
    /// The changes of each file, where they were asked for.
    pub files: Vec<ProposedFile>,
    /// A file is to be made with a secret's value in it, which no report holds.
    pub makes_file: bool,
    /// A file's mode is to change, which no edit of a text does.
    pub sets_mode: bool,
}

/// What a fix changes in a file.
#[derive(Clone, Debug)]
pub struct ProposedFile {
    /// Which.
    pub path: String,
    /// From where to where, and what stands there afterwards: names and paths, never a value.
    pub changes: Vec<(Position, Position, String)>,
}

/// Another place that a finding is about.
#[derive(Debug, Clone)]
pub struct Related {
    /// Where.
    pub span: Span,
    /// What is there.
    pub message: String,
}

/// One finding. It names things and never holds a secret's value.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What is wrong and why it matters, in one sentence.
    pub message: String,
    /// What stands at the place, in a few words.
    pub label: String,
    /// What to do.
    pub help: String,
    /// The place.
    pub span: Span,
    /// The place in the project: `services.db.environment.POSTGRES_PASSWORD`.
    pub path: String,
    /// The alias by which the value is reached, where several findings are about one value.
    pub reached: Option<Span>,
    /// Other places.
    pub related: Vec<Related>,
    /// What `cosec fix` would do; `None` where it can do nothing, or was not asked ([`crate::fix::lint_file`]).
    pub fix: Option<Proposal>,
    /// Parts of the excerpt that may be shown. Every other scalar value in it is masked.
    pub shown: Vec<Span>,
}

impl Finding {
    /// A finding of `rule` at its usual severity.
    pub fn new(rule: &super::Rule, span: Span, path: impl Into<String>, message: impl Into<String>) -> Self {
        Finding {
            rule: rule.id,
            severity: rule.severity,
            confidence: Confidence::High,
            message: message.into(),
            label: String::new(),
            help: String::new(),
            span,
            path: path.into(),
            reached: None,
            related: Vec::new(),
            fix: None,
            shown: Vec::new(),
        }
    }

    /// How sure.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// What stands at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// What to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Another place.
    #[must_use]
    pub fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related.push(Related { span, message: message.into() });
        self
    }

    /// A part of the excerpt that holds no secret.
    #[must_use]
    pub fn show(mut self, span: Span) -> Self {
        self.shown.push(span);
        self
    }
}

/// Something that could not be checked here, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotChecked {
    /// The rule's id, or `*` where the whole file could not be read.
    pub rule: &'static str,
    /// Why.
    pub reason: String,
}

impl fmt::Display for NotChecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            "*" => write!(f, "not all of it was checked: {}", self.reason),
            rule => write!(f, "{rule} was not checked: {}", self.reason),
        }
    }
}
