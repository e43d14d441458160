//! The Compose schema. (compose-go `schema/`)

use super::load::LoadError;
use super::value::Value;

/// Checks a merged model. Without the feature `schema` everything passes.
#[cfg(not(feature = "schema"))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature as with the feature")]
pub(super) fn validate(_model: &Value) -> Result<(), LoadError> {
    Ok(())
}

#[cfg(feature = "schema")]
pub(super) use with_schema::validate;

#[cfg(feature = "schema")]
mod with_schema {
    use std::sync::OnceLock;

    use jsonschema::error::{TypeKind, ValidationErrorKind};
    use jsonschema::{Draft, ValidationError, Validator};
    use serde_json::Value as JsonValue;

    use super::{LoadError, Value};
    use crate::compose::typed::raw;
    use crate::compose::value::Data;
    use crate::source::Span;

    const SCHEMA: &str = include_str!("../../schema/compose-spec.json");

    /// `None` can only be if the schema that is built in is broken; a test says that it is not.
    fn validator() -> Option<&'static Validator> {
        static VALIDATOR: OnceLock<Option<Validator>> = OnceLock::new();
        VALIDATOR
            .get_or_init(|| {
                let schema: JsonValue = serde_json::from_str(SCHEMA).ok()?;
                jsonschema::options().with_draft(Draft::Draft7).build(&schema).ok()
            })
            .as_ref()
    }

    /// Checks a merged model. The error is about the deepest place that is wrong; no value is in it.
    pub(in crate::compose) fn validate(model: &Value) -> Result<(), LoadError> {
        if let Some((path, span)) = date(model, &mut String::new()) {
            let message =
                format!("`{path}` is a date to YAML, which Compose takes nowhere; put quotes around it");
            return Err(LoadError::new(message, span));
        }
        let Some(validator) = validator() else { return Ok(()) };
        let json = raw(model);
        if validator.is_valid(&json) {
            return Ok(());
        }
        let mut worst: Option<Problem> = None;
        for error in validator.iter_errors(&json) {
            Problem::keep_deepest(&mut worst, &error);
        }
        match worst {
            Some(problem) => Err(problem.at(model)),
            None => Err(LoadError::new("this is no Compose file", model.span)),
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

    struct Problem {
        depth: usize,
        path: Vec<String>,
        /// A key that should not be there.
        key: Option<String>,
        says: String,
    }

    impl Problem {
        /// Of alternatives, the one whose error lies deepest is the one that the author meant.
        fn keep_deepest(worst: &mut Option<Problem>, error: &ValidationError<'_>) {
            if let ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } =
                error.kind()
            {
                for one in context.iter().flatten() {
                    Problem::keep_deepest(worst, one);
                }
                return;
            }
            let path: Vec<String> = error
                .instance_path()
                .as_str()
                .split('/')
                .skip(1)
                .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
                .collect();
            let key = match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.first().cloned(),
                _ => None,
            };
            let depth = path.len() + usize::from(key.is_some());
            if worst.as_ref().is_none_or(|worst| worst.depth < depth) {
                let says = sentence(error.kind(), key.as_deref());
                *worst = Some(Problem { depth, path, key, says });
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
            let place = if self.path.is_empty() {
                "the file".to_owned()
            } else {
                format!("`{}`", self.path.join("."))
            };
            LoadError::new(format!("{place} {}", self.says), span)
        }
    }

    fn sentence(kind: &ValidationErrorKind, key: Option<&str>) -> String {
        match kind {
            ValidationErrorKind::AdditionalProperties { .. } => match key {
                Some(key) => format!("knows no `{key}`; check its spelling and its indentation"),
                None => "has a key that is not known here".to_owned(),
            },
            ValidationErrorKind::Type { kind } => {
                let mut names: Vec<&str> = match kind {
                    TypeKind::Single(one) => vec![name(&one.to_string())],
                    TypeKind::Multiple(several) => several.iter().map(|one| name(&one.to_string())).collect(),
                };
                names.sort_unstable();
                names.dedup();
                format!("must be {}", names.join(" or "))
            }
            ValidationErrorKind::Required { property } => {
                format!("needs `{}`", property.as_str().unwrap_or_default())
            }
            ValidationErrorKind::Enum { options } => {
                let options: Vec<String> = options
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|option| match option.as_str() {
                        Some(text) => format!("`{text}`"),
                        None => option.to_string(),
                    })
                    .collect();
                format!("must be one of {}", options.join(", "))
            }
            ValidationErrorKind::Pattern { .. } => "has characters that are not allowed here".to_owned(),
            ValidationErrorKind::UniqueItems => "has the same entry twice".to_owned(),
            ValidationErrorKind::Minimum { limit } => format!("must be {limit} or more"),
            ValidationErrorKind::Maximum { limit } => format!("must be {limit} or less"),
            ValidationErrorKind::OneOfMultipleValid { .. } => "can be read in more than one way".to_owned(),
            other => format!("breaks the schema's rule `{}`", other.keyword()),
        }
    }

    fn name(kind: &str) -> &'static str {
        match kind {
            "array" => "a list",
            "boolean" => "true or false",
            "integer" => "a whole number",
            "null" => "nothing",
            "number" => "a number",
            "object" => "a mapping",
            _ => "text",
        }
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn the_schema_that_is_built_in_can_be_used() {
            assert!(super::validator().is_some());
        }
    }
}
