//! Secrets that a text holds once its variables have taken their defaults: `password=${P:-hunter2}`.

use std::ops::Range;

use super::{Literal, assignments, literal, url_passwords};
use crate::compose::template::{self, Operator, Piece};

/// A default that is, wholly or in part, the secret of the text around it.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretDefault {
    /// Byte range of the variable's name.
    pub name: Range<usize>,
    /// Byte range of the default.
    pub default: Range<usize>,
}

/// The text with defaults in place of variables, and where in it each stands.
#[derive(Default)]
struct Filled {
    text: String,
    defaults: Vec<(Range<usize>, SecretDefault)>,
}

/// The defaults that become secrets of connection strings, headers, JSON and URLs in a text before interpolation.
pub fn secret_defaults(raw: &str) -> Vec<SecretDefault> {
    if !raw.contains("${") {
        return Vec::new();
    }
    let Ok(pieces) = template::parse(raw) else { return Vec::new() };
    let mut filled = Filled::default();
    filled.fill(raw, &pieces);
    if filled.defaults.is_empty() {
        return Vec::new();
    }
    let mut secrets = url_passwords(&filled.text);
    secrets.extend(assignments(&filled.text, false).into_iter().map(|assignment| assignment.value));
    secrets.sort_by_key(|secret| (secret.start, secret.end));
    let is_in_secret = |place: &Range<usize>| {
        let before = secrets.partition_point(|secret| secret.start <= place.start);
        secrets[..before].last().is_some_and(|secret| place.end <= secret.end)
    };
    let defaults = filled.defaults.into_iter();
    defaults.filter(|(place, _)| is_in_secret(place)).map(|(_, default)| default).collect()
}

impl Filled {
    fn fill(&mut self, raw: &str, pieces: &[Piece]) {
        for piece in pieces {
            let Piece::Variable { name, fallback: Some(fallback), .. } = piece else {
                self.text.push_str(&raw[piece.range()]);
                continue;
            };
            let default = &raw[fallback.range.clone()];
            if fallback.operator != Operator::Default || default.is_empty() {
                self.text.push_str(&raw[piece.range()]);
            } else if fallback.pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
                self.fill(raw, &fallback.pieces);
            } else {
                let start = self.text.len();
                self.text.push_str(default);
                if literal(default) == Literal::Secret {
                    let found = SecretDefault { name: name.clone(), default: fallback.range.clone() };
                    self.defaults.push((start..self.text.len(), found));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_in_the_place_of_a_secret_are_found() {
        let found = |raw: &'static str| -> Vec<&str> {
            secret_defaults(raw).into_iter().map(|found| &raw[found.default]).collect()
        };
        for raw in [
            "host=db password=${P:-pw99xx}",
            "Server=db;Password=${P:-pw99xx};Encrypt=no",
            "jdbc:postgresql://db/x?user=a&password=${P:-pw99xx}",
            "u:${P:-pw99xx}@tcp(db:3306)/x",
            "-Dpassword=${P:-pw99xx}",
            r#"{"password":"${P:-pw99xx}"}"#,
            "Authorization: Bearer ${T:-pw99xx}",
            "host=db password=${A:-${P:-pw99xx}}",
            "postgres://${U:-postgres}:${P:-pw99xx}@${H:-db}/x",
        ] {
            assert_eq!(found(raw), ["pw99xx"], "{raw}");
        }
        for raw in [
            "host=${H:-db} user=${U:-app}",
            "password=${P}",
            "password=${P:?say}",
            "password_file=${F:-x}",
            "${X:-postgres://u:pw@db/x}",
            "http://${H:-localhost}:${PORT:-8080}/x",
            "password=${P:-/run/secrets/x} mode=${M:-fast}",
        ] {
            assert_eq!(found(raw), Vec::<&str>::new(), "{raw}");
        }
    }
}
