//! The variables that a project asks for. (compose-go `template/variables.go`)

use serde_json::Value as JsonValue;

use super::template::{self, Operator, Piece};

/// A variable that is written somewhere in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whether it must have a value (`?`).
    pub required: bool,
    /// What stands in for it (`-`), as it is written.
    pub default: String,
    /// What takes its place if it is set (`+`), as it is written.
    pub alternate: String,
}

/// The variables of a model that was loaded without interpolation, in the order in which they stand. One that
/// is written several times comes several times.
pub fn variables(model: &JsonValue) -> Vec<Variable> {
    let mut found = Vec::new();
    collect(model, &mut found);
    found
}

fn collect(value: &JsonValue, found: &mut Vec<Variable>) {
    match value {
        JsonValue::String(text) if text.contains('$') => {
            if let Ok(pieces) = template::parse(text) {
                pieces_of(text, &pieces, found);
            }
        }
        JsonValue::Array(items) => items.iter().for_each(|item| collect(item, found)),
        JsonValue::Object(map) => map.values().for_each(|member| collect(member, found)),
        _ => {}
    }
}

fn pieces_of(text: &str, pieces: &[Piece], found: &mut Vec<Variable>) {
    for piece in pieces {
        let Piece::Variable { name, fallback, .. } = piece else { continue };
        let argument = |wanted: Operator| match fallback {
            Some(fallback) if fallback.operator == wanted => text[fallback.range.clone()].to_owned(),
            _ => String::new(),
        };
        found.push(Variable {
            name: text[name.clone()].to_owned(),
            required: fallback.as_ref().is_some_and(|fallback| fallback.operator == Operator::Required),
            default: argument(Operator::Default),
            alternate: argument(Operator::Alternate),
        });
        if let Some(fallback) = fallback
            && fallback.operator != Operator::Required
        {
            pieces_of(text, &fallback.pieces, found);
        }
    }
}
