//! The schema read by the crate jsonschema.

use std::sync::OnceLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use super::{Problem, SCHEMA, Says, says, wrong_type};

/// `None` can only be if the schema that is built in is broken; a test says that it is not.
fn validator() -> Option<&'static Validator> {
    static VALIDATOR: OnceLock<Option<Validator>> = OnceLock::new();
    VALIDATOR
        .get_or_init(|| {
            let schema: Value = serde_json::from_str(SCHEMA).ok()?;
            jsonschema::options().with_draft(Draft::Draft7).build(&schema).ok()
        })
        .as_ref()
}

/// The deepest place that is wrong.
pub(super) fn problem(model: &Value) -> Option<Problem> {
    let validator = validator()?;
    if validator.is_valid(model) {
        return None;
    }
    let mut worst: Option<Problem> = None;
    for error in validator.iter_errors(model) {
        keep(&mut worst, &error);
    }
    let unknown =
        || Problem { path: Vec::new(), key: None, says: Says::Sentence("is no Compose file".to_owned()) };
    Some(worst.unwrap_or_else(unknown))
}

fn keep(worst: &mut Option<Problem>, error: &ValidationError<'_>) {
    if let ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } =
        error.kind()
    {
        for one in context.iter().flatten() {
            keep(worst, one);
        }
        return;
    }
    let path = error
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
    let says = sentence(error.kind(), key.as_deref());
    let problem = Problem { path, key, says };
    *worst = Some(match worst.take() {
        Some(worst) => worst.or(problem),
        None => problem,
    });
}

fn sentence(kind: &ValidationErrorKind, key: Option<&str>) -> Says {
    Says::Sentence(match kind {
        ValidationErrorKind::Type { kind } => {
            let types: Vec<String> = match kind {
                TypeKind::Single(one) => vec![one.to_string()],
                TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
            };
            return wrong_type(types.iter().map(String::as_str));
        }
        ValidationErrorKind::AdditionalProperties { .. } => says::unknown_key(key),
        ValidationErrorKind::Required { property } => says::missing(property.as_str().unwrap_or_default()),
        ValidationErrorKind::Enum { options } => says::not_one_of(options),
        ValidationErrorKind::Pattern { pattern } => says::no_match(pattern),
        ValidationErrorKind::UniqueItems => says::TWICE.to_owned(),
        ValidationErrorKind::Minimum { limit } => says::too_small(limit),
        ValidationErrorKind::Maximum { limit } => says::too_large(limit),
        ValidationErrorKind::OneOfMultipleValid { .. } => says::AMBIGUOUS.to_owned(),
        other => says::other(other.keyword()),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_that_is_built_in_can_be_used() {
        assert!(super::validator().is_some());
    }
}
