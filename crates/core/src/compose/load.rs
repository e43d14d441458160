//! One Compose file, from text to [`Project`].

use super::decode::{DecodeError, decode};
use super::environment::Environment;
use super::project::Project;
use super::template::{self, Missing, TemplateError};
use super::value::{Data, Template, Value};
use crate::source::{FileId, Sources, Span};
use crate::yaml::{Document, YamlError};

/// What a variable without a value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// As Compose: `${V:?…}` and malformed text are errors.
    Strict,
    /// For linting without the author's environment: they are empty, malformed text stays.
    Lenient,
}

/// How to load.
pub struct LoadOptions<'a> {
    /// The variables, `.env` included.
    pub environment: &'a Environment,
    /// What a variable without a value does.
    pub interpolation: Interpolation,
    /// The project's name from outside (`-p`, `COMPOSE_PROJECT_NAME`); it wins over `name:`.
    pub name: Option<&'a str>,
    /// The project directory, which relative paths start from.
    pub directory: &'a str,
}

/// A loaded file.
pub struct Loaded {
    /// The syntax trees, for whoever masks or edits.
    pub documents: Vec<Document>,
    /// The whole as values.
    pub root: Value,
    /// What rules and plan read.
    pub project: Project,
}

/// Why a file is no project. The sentence names the cause; no value of the file is in it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// What is wrong and what to do.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Another place that it is about.
    pub related: Option<(Span, &'static str)>,
}

impl LoadError {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        LoadError { message: message.into(), span, related: None }
    }
}

impl From<YamlError> for LoadError {
    fn from(error: YamlError) -> Self {
        LoadError::new(error.kind.to_string(), error.span)
    }
}

impl From<DecodeError> for LoadError {
    fn from(error: DecodeError) -> Self {
        LoadError {
            message: error.kind.to_string(),
            span: error.span,
            related: error.related.map(|span| (span, "first here")),
        }
    }
}

/// Loads a file that is in `sources`.
pub fn load_text(sources: &Sources, file: FileId, options: &LoadOptions<'_>) -> Result<Loaded, LoadError> {
    let start = crate::source::file_start(file);
    let documents = crate::yaml::parse(file, sources.file(file).text())?;
    let [document] = documents.as_slice() else {
        return Err(match documents.get(1) {
            None => LoadError::new("the file is empty; a Compose file needs at least `services:`", start),
            Some(second) => LoadError::new(
                "several YAML documents in one file are not supported yet; split them into files",
                second.node(second.root()).span,
            ),
        });
    };
    let mut root = decode(document)?;
    interpolate(&mut root, &mut String::new(), options)?;
    let project = Project::read(sources, &root, options)?;
    Ok(Loaded { documents, root, project })
}

fn interpolate(value: &mut Value, path: &mut String, options: &LoadOptions<'_>) -> Result<(), LoadError> {
    let length = path.len();
    match &mut value.data {
        Data::Seq(items) => {
            for item in items {
                path.push_str(if path.is_empty() { "[]" } else { ".[]" });
                interpolate(item, path, options)?;
                path.truncate(length);
            }
        }
        Data::Map(map) => {
            for (key, entry) in map {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                interpolate(&mut entry.value, path, options)?;
                path.truncate(length);
            }
        }
        Data::Str(text) if text.contains('$') => {
            let missing = match options.interpolation {
                Interpolation::Strict => Missing::Refuse,
                Interpolation::Lenient => Missing::Allow,
            };
            match template::evaluate(text, options.environment, missing) {
                Ok((result, parts)) => {
                    value.template = Some(Template { text: text.clone(), parts }.into());
                    value.data = Data::Str(result.into());
                }
                Err(_) if options.interpolation == Interpolation::Lenient => {}
                Err(TemplateError::Invalid(_)) => {
                    let message = format!(
                        "invalid interpolation format for {path}; close every `${{`, and write `$$` for a plain `$`"
                    );
                    return Err(LoadError::new(message, value.span));
                }
                Err(error @ TemplateError::Required { .. }) => {
                    let message = format!(
                        "error while interpolating {path}: {error}; set it in the environment or in .env"
                    );
                    return Err(LoadError::new(message, value.span));
                }
            }
        }
        _ => {}
    }
    Ok(())
}
