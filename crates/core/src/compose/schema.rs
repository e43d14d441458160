//! The Compose schema. (compose-go `schema/`)
//!
//! With the feature `schema` the crate jsonschema says what is wrong. The browser page does without: there the crate
//! would cost more than all the rest, so [`small`] knows the keywords that this one schema uses. It also comes first
//! elsewhere, since the crate takes longer to read the schema than all else that a small project needs.

#[cfg(feature = "schema")]
mod full;
mod small;

use std::cmp::Ordering;
use std::collections::BTreeSet;

#[cfg(not(feature = "schema"))]
use small::problem;

use super::load::LoadError;
use super::typed::{EmptyList, raw};
use super::value::{Data, Value};
use crate::source::Span;

/// What is wrong with a model, if anything.
#[cfg(feature = "schema")]
fn problem(model: &serde_json::Value) -> Option<Problem> {
    match small::problem(model) {
        Some(_) => full::problem(model),
        None => {
            // Whatever is loaded in a debug build, by a test or a fuzzer, holds both against each other.
            debug_assert!(full::problem(model).is_none(), "the small reader of the schema misses something");
            None
        }
    }
}

const SCHEMA: &str = include_str!("../../schema/compose-spec.json");

/// Checks a merged model. The error is about the deepest place that is wrong; no value is in it.
pub(super) fn validate(model: &Value) -> Result<(), LoadError> {
    if let Some((path, span)) = date(model, &mut String::new()) {
        let message =
            format!("`{path}` is a date to YAML, which Compose takes nowhere; put quotes around it");
        return Err(LoadError::new(message, span));
    }
    match problem(&raw(model, EmptyList::IsOne)) {
        Some(problem) => Err(problem.at(model)),
        None => Ok(()),
    }
}

/// The first date outside of an extension, whose content Compose does not look at.
fn date(value: &Value, path: &mut String) -> Option<(String, Span)> {
    match &value.data {
        Data::Time(_) => Some((path.clone(), value.span)),
        Data::Map(map) => map.iter().find_map(|(key, entry)| {
            if key.starts_with("x-") {
                return None;
            }
            let length = path.len();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
            let found = date(&entry.value, path);
            path.truncate(length);
            found
        }),
        Data::Seq(items) => items.iter().find_map(|item| date(item, path)),
        _ => None,
    }
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    path: Vec<String>,
    /// A key that should not be there.
    key: Option<String>,
    says: Says,
}

#[derive(Debug, PartialEq, Eq)]
enum Says {
    /// The types that it may have, of all alternatives.
    Types(BTreeSet<&'static str>),
    Sentence(String),
}

impl Problem {
    fn depth(&self) -> usize {
        self.path.len() + usize::from(self.key.is_some())
    }

    /// Takes another problem in; the deepest one is told, the first of several. Of alternatives it is the one that the
    /// author meant.
    fn or(self, other: Problem) -> Problem {
        match (self.depth().cmp(&other.depth()), self.says, other.says) {
            (Ordering::Less, _, says) => Problem { says, ..other },
            (Ordering::Equal, Says::Types(mut types), Says::Types(more)) if self.path == other.path => {
                types.extend(more);
                Problem { says: Says::Types(types), path: self.path, key: self.key }
            }
            (_, says, _) => Problem { says, path: self.path, key: self.key },
        }
    }

    fn at(self, model: &Value) -> LoadError {
        let mut value = model;
        let mut span = model.span;
        let keys = self.path.iter().chain(self.key.iter());
        for key in keys {
            match &value.data {
                Data::Map(map) => {
                    let Some(entry) = map.get(key.as_str()) else { break };
                    (value, span) = (&entry.value, entry.key_span);
                }
                Data::Seq(items) => {
                    let Some(item) = key.parse::<usize>().ok().and_then(|at| items.get(at)) else {
                        break;
                    };
                    (value, span) = (item, item.span);
                }
                _ => break,
            }
        }
        let place =
            if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path.join(".")) };
        let says = match self.says {
            Says::Types(types) => says::types(&types),
            Says::Sentence(sentence) => sentence,
        };
        LoadError::new(format!("{place} {says}"), span)
    }
}

/// The sentences, of which the path is the beginning.
mod says {
    pub(super) fn unknown_key(key: Option<&str>) -> String {
        match key {
            Some(key) => format!("knows no `{key}`; check its spelling and its indentation"),
            None => "has a key that is not known here".to_owned(),
        }
    }

    pub(super) fn types(types: &super::BTreeSet<&'static str>) -> String {
        let names: Vec<&str> = types.iter().copied().collect();
        match names.as_slice() {
            [others @ .., last] if !others.is_empty() => format!("must be {} or {last}", others.join(", ")),
            names => format!("must be {}", names.concat()),
        }
    }

    pub(super) fn missing(key: &str) -> String {
        format!("needs `{key}`")
    }

    pub(super) fn not_one_of(options: &serde_json::Value) -> String {
        let option = |option: &serde_json::Value| match option.as_str() {
            Some(text) => format!("`{text}`"),
            None => option.to_string(),
        };
        let options: Vec<String> = options.as_array().into_iter().flatten().map(option).collect();
        format!("must be one of {}", options.join(", "))
    }

    pub(super) fn no_match(pattern: &str) -> String {
        format!("must be text that matches `{pattern}`")
    }

    pub(super) const TWICE: &str = "has the same entry twice";
    pub(super) const AMBIGUOUS: &str = "can be read in more than one way";

    pub(super) fn too_small(limit: &serde_json::Value) -> String {
        format!("must be {limit} or more")
    }

    pub(super) fn too_large(limit: &serde_json::Value) -> String {
        format!("must be {limit} or less")
    }

    #[cfg(feature = "schema")]
    pub(super) fn other(keyword: &str) -> String {
        format!("breaks the schema's rule `{keyword}`")
    }
}

/// `types` are the schema's names.
fn wrong_type<'t>(types: impl Iterator<Item = &'t str>) -> Says {
    let name = |kind| match kind {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "null" => "nothing",
        "number" => "a number",
        "object" => "a mapping",
        _ => "text",
    };
    Says::Types(types.map(name).collect())
}
