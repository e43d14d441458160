//! Why files are no project.

use super::super::decode::DecodeError;
use crate::detect::without_credentials;
use crate::files::ReadError;
use crate::source::Span;
use crate::yaml::YamlError;

/// Why files are no project. The sentence names the cause; no value of a file is in it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// What is wrong and what to do.
    pub message: String,
    /// Where; `None` where a file itself is the trouble.
    pub span: Option<Span>,
    /// Another place that it is about.
    pub related: Option<(Span, &'static str)>,
}

impl LoadError {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        LoadError { message: without_credentials(&message.into()), span: Some(span), related: None }
    }

    pub(in crate::compose) fn also(mut self, span: Span, label: &'static str) -> Self {
        self.related = Some((span, label));
        self
    }

    /// An error of a file as such gets the place that names the file.
    pub(in crate::compose) fn or_at(mut self, span: Span) -> Self {
        self.span = self.span.or(Some(span));
        self
    }

    /// A file that another one names.
    pub(super) fn not_there(path: &str) -> Self {
        let message = format!("there is no file {path}; create it, or correct the path");
        LoadError { message: without_credentials(&message), span: None, related: None }
    }

    pub(crate) fn unreadable(path: &str, error: &ReadError) -> Self {
        let message = match error {
            ReadError::Missing => {
                format!("there is no file {path}; name the Compose file with -f, or change to its directory")
            }
            error => format!("cannot read {path}: {error}"),
        };
        LoadError { message: without_credentials(&message), span: None, related: None }
    }
}

impl From<YamlError> for LoadError {
    fn from(error: YamlError) -> Self {
        LoadError::new(error.kind.to_string(), error.span)
    }
}

impl From<DecodeError> for LoadError {
    fn from(error: DecodeError) -> Self {
        let related = error.related.map(|span| (span, "first here"));
        LoadError { message: error.kind.to_string(), span: Some(error.span), related }
    }
}
