//! Compose's interpolation grammar: `$V`, `${V}`, `${V:-default}`, `${V:?error}`, `${V:+alternate}`,
//! nested, `$$` for a dollar. A lone `$` is text. (compose-go `template/template.go`)

use std::ops::Range;

use super::environment::Lookup;
use super::value::{Part, PartKind};

/// A piece of a template. Ranges are byte ranges of the whole template text.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Literal(Range<usize>),
    /// `$$`
    Dollar(Range<usize>),
    /// A variable.
    Variable {
        /// The whole of it with `$` and braces.
        range: Range<usize>,
        /// Its name.
        name: Range<usize>,
        /// What is to happen when it is unset (or set, for `+`).
        fallback: Option<Fallback>,
    },
}

/// What stands after the name in `${NAME…}`.
#[derive(Debug, PartialEq, Eq)]
pub struct Fallback {
    /// `-`, `?` or `+`.
    pub operator: Operator,
    /// `:` before it: an empty value counts as unset.
    pub colon: bool,
    /// The text after the operator.
    pub range: Range<usize>,
    /// That text as a template.
    pub pieces: Vec<Piece>,
}

/// `-`, `?` or `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `-`: used when unset.
    Default,
    /// `?`: an error when unset.
    Required,
    /// `+`: used when set.
    Alternate,
}

/// Why a template cannot be evaluated. Holds no value of a variable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// `${` without a valid end.
    #[error("invalid interpolation format; write `$$` where a plain `$` is meant")]
    Invalid(Range<usize>),
    /// `${V:?message}` without V.
    #[error("required variable {name} is missing a value: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The message in the file.
        message: String,
    },
    /// Variables made of variables, which stand for more than a file can want.
    #[error("its variables stand for more text than a file can want; write some of them out")]
    TooLarge,
}

/// The most that one text may stand for, in bytes. What an argument list and an environment may hold is far less.
const LARGEST: usize = 1 << 20;

/// Deeper nesting is refused, as a file cannot want it.
const DEEPEST: usize = 100;

/// Splits a text into its pieces.
pub fn parse(text: &str) -> Result<Vec<Piece>, TemplateError> {
    parse_range(text, 0..text.len(), 0)
}

fn parse_range(text: &str, range: Range<usize>, depth: usize) -> Result<Vec<Piece>, TemplateError> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let mut literal = range.start;
    let mut at = range.start;
    while at < range.end {
        let Some(found) = text[at..range.end].find('$') else { break };
        let start = at + found;
        let next = if start + 1 < range.end { bytes[start + 1] } else { 0 };
        let piece = match next {
            b'$' => Piece::Dollar(start..start + 2),
            b'{' => {
                if depth >= DEEPEST {
                    return Err(TemplateError::Invalid(start..range.end));
                }
                braced(text, start..range.end, depth)?
            }
            byte if is_name_start(byte) => {
                let end = name_end(bytes, start + 1, range.end);
                Piece::Variable { range: start..end, name: start + 1..end, fallback: None }
            }
            _ => {
                at = start + 1;
                continue;
            }
        };
        if literal < start {
            pieces.push(Piece::Literal(literal..start));
        }
        at = piece.range().end;
        literal = at;
        pieces.push(piece);
    }
    if literal < range.end {
        pieces.push(Piece::Literal(literal..range.end));
    }
    Ok(pieces)
}

fn braced(text: &str, range: Range<usize>, depth: usize) -> Result<Piece, TemplateError> {
    let bytes = text.as_bytes();
    let invalid = || TemplateError::Invalid(range.clone());
    let name_start = range.start + 2;
    let name_stop = name_end(bytes, name_start, range.end);
    if name_stop == name_start || !is_name_start(bytes[name_start]) {
        return Err(invalid());
    }
    let name = name_start..name_stop;
    let rest = text.get(name_stop..range.end).ok_or_else(invalid)?;
    if rest.starts_with('}') {
        return Ok(Piece::Variable { range: range.start..name_stop + 1, name, fallback: None });
    }
    let colon = rest.starts_with(':');
    let operator_at = name_stop + usize::from(colon);
    let operator = match bytes.get(operator_at).filter(|_| operator_at < range.end) {
        Some(b'-') => Operator::Default,
        Some(b'?') => Operator::Required,
        Some(b'+') => Operator::Alternate,
        _ => return Err(invalid()),
    };
    let argument_start = operator_at + 1;
    let length = closing_brace(&text[argument_start..range.end]).ok_or_else(invalid)?;
    let argument = argument_start..argument_start + length;
    if text[argument.clone()].contains('\n') {
        return Err(invalid());
    }
    Ok(Piece::Variable {
        range: range.start..argument.end + 1,
        name,
        fallback: Some(Fallback {
            operator,
            colon,
            pieces: parse_range(text, argument.clone(), depth + 1)?,
            range: argument,
        }),
    })
}

/// The `}` that closes a brace already open before `text`. As in compose-go each `{` opens one and what follows it is
/// passed over; where that finds no end, the last `}` of the line is it.
fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 1;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            b'{' => {
                open += 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    text.lines().next()?.rfind('}')
}

fn is_name_start(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic()
}

fn name_end(bytes: &[u8], start: usize, limit: usize) -> usize {
    let mut end = start;
    while end < limit && (bytes[end] == b'_' || bytes[end].is_ascii_alphanumeric()) {
        end += 1;
    }
    end
}

impl Piece {
    /// The piece's place in the template.
    pub fn range(&self) -> Range<usize> {
        match self {
            Piece::Literal(range) | Piece::Dollar(range) | Piece::Variable { range, .. } => range.clone(),
        }
    }
}

/// What evaluation does with a required variable that has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// An error, as Compose does.
    Refuse,
    /// Empty text: a linter has no environment.
    Allow,
}

/// The first variable of a text that leaves it open what the text becomes where nothing is set: one without a default,
/// or one that counts only if it is set.
pub(super) fn undecided(text: &str) -> Option<&str> {
    fn first<'t>(text: &'t str, pieces: &[Piece]) -> Option<&'t str> {
        pieces.iter().find_map(|piece| match piece {
            Piece::Literal(_) | Piece::Dollar(_) => None,
            Piece::Variable { fallback: Some(fallback), .. } if fallback.operator == Operator::Default => {
                first(text, &fallback.pieces)
            }
            Piece::Variable { name, .. } => Some(&text[name.clone()]),
        })
    }
    if !text.contains('$') {
        return None;
    }
    first(text, &parse(text).unwrap_or_default())
}

/// Evaluates a template. Unused defaults are evaluated too, as Compose 2.40 does, unless the variables are lazy.
pub fn evaluate(
    text: &str,
    environment: &dyn Lookup,
    missing: Missing,
) -> Result<(String, Vec<Part>), TemplateError> {
    let mut result = String::with_capacity(text.len());
    let mut parts = Vec::new();
    for piece in parse(text)? {
        let range = piece.range();
        let kind = evaluate_piece(text, &piece, environment, missing, &mut result)?;
        if result.len() > LARGEST {
            return Err(TemplateError::TooLarge);
        }
        parts.push(Part { range: (range.start, range.end), kind });
    }
    Ok((result, parts))
}

fn evaluate_piece(
    text: &str,
    piece: &Piece,
    environment: &dyn Lookup,
    missing: Missing,
    result: &mut String,
) -> Result<PartKind, TemplateError> {
    let (name, fallback) = match piece {
        Piece::Literal(range) => {
            result.push_str(&text[range.clone()]);
            return Ok(PartKind::Literal);
        }
        Piece::Dollar(_) => {
            result.push('$');
            return Ok(PartKind::Literal);
        }
        Piece::Variable { name, fallback, .. } => (&text[name.clone()], fallback),
    };
    let binding = environment.look_up(name);
    let Some(fallback) = fallback else {
        return Ok(match binding {
            Some(binding) => {
                result.push_str(&binding.value);
                PartKind::Variable { name: name.into(), from: binding.origin }
            }
            None => PartKind::Unset { name: name.into() },
        });
    };
    let set = binding.filter(|binding| !fallback.colon || !binding.value.is_empty());
    let is_used = set.is_some() == (fallback.operator == Operator::Alternate);
    let mut argument = String::new();
    if is_used || !environment.is_lazy() {
        for piece in &fallback.pieces {
            evaluate_piece(text, piece, environment, missing, &mut argument)?;
            if argument.len() > LARGEST {
                return Err(TemplateError::TooLarge);
            }
        }
    }
    Ok(match (fallback.operator, set) {
        (Operator::Alternate, Some(_)) | (Operator::Default, None) => {
            result.push_str(&argument);
            PartKind::Fallback { name: name.into() }
        }
        (Operator::Alternate, None) => PartKind::Unset { name: name.into() },
        (Operator::Default | Operator::Required, Some(binding)) => {
            result.push_str(&binding.value);
            PartKind::Variable { name: name.into(), from: binding.origin }
        }
        (Operator::Required, None) if missing == Missing::Allow => PartKind::Unset { name: name.into() },
        (Operator::Required, None) => {
            return Err(TemplateError::Required { name: name.into(), message: argument });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::Environment;

    fn evaluated(text: &str) -> Result<String, TemplateError> {
        let environment =
            Environment::from_process([("V".to_owned(), "val".to_owned()), ("E".to_owned(), String::new())]);
        evaluate(text, &environment, Missing::Refuse).map(|(result, _)| result)
    }

    #[test]
    fn every_form_gives_what_compose_gives() {
        let cases = [
            ("$V", "val"),
            ("${V}", "val"),
            ("${V:-d}", "val"),
            ("${E:-d}", "d"),
            ("${E-d}", ""),
            ("${U-d}", "d"),
            ("${V:+x}", "x"),
            ("${E+x}", "x"),
            ("${E:+x}", ""),
            ("${U:-${V}}", "val"),
            ("${U:-a${U2:-b}c}z", "abcz"),
            ("${U-a:-b}", "a:-b"),
            ("$V-x", "val-x"),
            ("$$V", "$V"),
            ("$", "$"),
            ("$1 $(c)", "$1 $(c)"),
            ("${U:-{}}", "{}"),
            ("é${V}é", "évalé"),
        ];
        for (text, expected) in cases {
            assert_eq!(evaluated(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_default_that_is_not_used_can_be_left_alone_as_newer_compose_does() {
        let set = || Environment::from_process([("V".to_owned(), "val".to_owned())]);
        for text in ["${V:-${U:?set it}}", "${U:+${U:?set it}}"] {
            assert!(evaluate(text, &set(), Missing::Refuse).is_err(), "{text}");
            assert!(evaluate(text, &set().lazily(true), Missing::Refuse).is_ok(), "{text}");
        }
        assert!(evaluate("${U:-${X:?set it}}", &set().lazily(true), Missing::Refuse).is_err());
    }

    #[test]
    fn what_a_text_becomes_is_open_only_without_a_default() {
        for text in ["a", "a$$b", "${V:-a}/b", "${V-}", "${V:-${W:-a}}", "$(c)", "${"] {
            assert_eq!(undecided(text), None, "{text}");
        }
        for text in ["$V/a", "a/${V}", "${V:?say}", "${V:+a}", "${U:-${V}}", "${U:-a}${V}"] {
            assert_eq!(undecided(text), Some("V"), "{text}");
        }
    }

    #[test]
    fn malformed_text_is_refused_as_compose_refuses_it() {
        for text in ["${}", "${V", "${1}", "${V:=x}", "${V/a/b}", "${V:-a\nb}", "${"] {
            assert!(matches!(evaluated(text), Err(TemplateError::Invalid(_))), "{text}");
        }
        assert_eq!(
            evaluated("${U:?set it}"),
            Err(TemplateError::Required { name: "U".into(), message: "set it".into() })
        );
    }
}
