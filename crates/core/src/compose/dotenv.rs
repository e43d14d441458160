//! Env files: `.env`, `--env-file`, a service's `env_file`. (compose-go `dotenv/parser.go`)
//!
//! `'…'` is literal; `"…"` knows escapes, variables and several lines; unquoted text is trimmed, ends
//! at ` #` and knows variables; `export K=v` and `K: v` work; `K` alone takes the value from outside.

use std::cell::Cell;
use std::sync::Arc;

use super::environment::{Binding, BindingOrigin, Environment, Lookup};
use super::template::{self, Missing, TemplateError};
use super::value::Text;
use crate::source::{FileId, Span};

/// One assignment.
#[derive(Clone)]
pub struct Entry {
    /// The variable.
    pub name: Arc<str>,
    /// Where its name is written.
    pub name_span: Span,
    /// Its value; `None` for a bare name.
    pub value: Option<Arc<str>>,
    /// Where the value is written, without quotes; empty after the name for a bare name.
    pub value_span: Span,
    /// The value before its variables were replaced; `None` for `'…'` and bare names.
    pub template: Option<Arc<str>>,
}

/// An assignment as a linter sees it.
#[derive(Clone)]
pub struct Assigned {
    /// The name.
    pub name: Text,
    /// The value without its quotes; `None` for a bare name.
    pub value: Option<Text>,
}

/// Why an env file cannot be read. Holds no value of the file.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct DotenvError {
    /// What is wrong.
    pub kind: DotenvErrorKind,
    /// Where.
    pub span: Span,
}

/// The causes of a [`DotenvError`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DotenvErrorKind {
    /// A character that no name has.
    #[error("unexpected character in a variable's name; an env file has lines like NAME=value")]
    BadName,
    /// `A B=c`
    #[error("a variable's name cannot contain a space")]
    SpaceInName,
    /// A quote without its end.
    #[error("a quoted value has no closing quote")]
    UnterminatedQuote,
    /// A variable in a value.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// In lines of an env file that are comments any byte may stand, as in Compose: what is no UTF-8 there becomes `?`, so
/// that places stay.
pub fn mend_comments(bytes: &mut [u8]) {
    for line in bytes.split_mut(|byte| *byte == b'\n') {
        if line.trim_ascii_start().starts_with(b"#") && std::str::from_utf8(line).is_err() {
            line.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
    }
}

/// Parses an env file. Variables in its values are looked up in `outer`, then in `scope`, which holds what
/// earlier files and lines have set and gets what this file sets: the last assignment counts.
pub fn parse(
    file: FileId,
    text: &str,
    outer: &dyn Lookup,
    scope: &mut Environment,
    missing: Missing,
) -> Result<Vec<Entry>, DotenvError> {
    let mut parser = Parser { file, text, at: 0, scope, outer, missing, left: Cell::new(MOST) };
    if text.starts_with('\u{feff}') {
        parser.at = '\u{feff}'.len_utf8();
    }
    let mut entries = Vec::new();
    while parser.skip_to_statement() {
        entries.extend(parser.statement()?);
    }
    Ok(entries)
}

/// Parses a file of plain `K=v` lines (`format: raw`): no quotes, no variables, no comments after a value.
pub fn parse_raw(file: FileId, text: &str, outer: &dyn Lookup) -> Result<Vec<Entry>, DotenvError> {
    let mut entries = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let own = line.strip_prefix('\u{feff}').filter(|_| start == 0).unwrap_or(line);
        let trimmed = own.trim_start();
        let start = start + line.len() - trimmed.len();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let span =
            |from: usize, to: usize| Span { file, start: (start + from) as u32, end: (start + to) as u32 };
        let name = trimmed.split('=').next().unwrap_or_default();
        let name_span = span(0, name.len());
        if name.is_empty() {
            return Err(DotenvError { kind: DotenvErrorKind::BadName, span: name_span });
        }
        if name.contains(char::is_whitespace) {
            return Err(DotenvError { kind: DotenvErrorKind::SpaceInName, span: name_span });
        }
        let entry =
            |value, value_span| Entry { name: name.into(), name_span, value, value_span, template: None };
        entries.push(match trimmed.split_once('=') {
            Some((_, value)) => entry(Some(value.into()), span(name.len() + 1, trimmed.len())),
            None => {
                let value = outer.look_up(name).map(|binding| binding.value.clone());
                entry(value, span(name.len(), name.len()))
            }
        });
    }
    Ok(entries)
}

/// The assignments of a file line by line, whatever else is in it: for a linter, which must not give up at a
/// line that Compose would refuse. A value in quotes ends where they do, over several lines if need be.
pub fn scan(file: FileId, text: &str) -> Vec<Assigned> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = at + text[at..].find('\n').unwrap_or(text.len() - at);
        let next = scan_line(file, text, at, end).map_or(end, |(assigned, reached)| {
            found.push(assigned);
            reached.max(end)
        });
        at = next + 1;
    }
    found
}

fn scan_line(file: FileId, text: &str, start: usize, end: usize) -> Option<(Assigned, usize)> {
    let line = &text[start..end];
    let trimmed = line.trim_start_matches(['\u{feff}', ' ', '\t']);
    let trimmed = trimmed.strip_prefix("export ").unwrap_or(trimmed).trim_start();
    if trimmed.starts_with('#') {
        return None;
    }
    let name_start = end - trimmed.len();
    let name_length = trimmed.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')));
    let name_end = name_start + name_length.unwrap_or(trimmed.len());
    let piece = |from: usize, to: usize| {
        Text::plain(&text[from..to], Span { file, start: from as u32, end: to as u32 })
    };
    if name_end == name_start {
        return None;
    }
    let rest = text[name_end..end].trim_start_matches([' ', '\t']);
    let Some(written) = rest.strip_prefix(['=', ':']) else {
        return rest
            .trim()
            .is_empty()
            .then(|| (Assigned { name: piece(name_start, name_end), value: None }, end));
    };
    let written = written.trim_start_matches([' ', '\t']);
    let value_start = end - written.len();
    let (from, to, reached) = match written.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let length = closing_quote(&text[value_start + 1..], quote)?;
            (value_start + 1, value_start + 1 + length, value_start + length + 2)
        }
        _ => {
            let value = written.split(" #").next().unwrap_or_default();
            let value = if value.starts_with('#') { "" } else { value.trim_end() };
            (value_start, value_start + value.len(), end)
        }
    };
    let reached = reached + text[reached.min(text.len())..].find('\n').unwrap_or(0);
    Some((Assigned { name: piece(name_start, name_end), value: Some(piece(from, to)) }, reached))
}

struct Parser<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    scope: &'a mut Environment,
    outer: &'a dyn Lookup,
    missing: Missing,
    /// What its variables may still stand for, in bytes.
    left: Cell<usize>,
}

/// The most that all variables of a file may stand for together, in bytes.
const MOST: usize = 16 << 20;

impl<'a> Parser<'a> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_to_statement(&mut self) -> bool {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return !trimmed.is_empty();
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// The next assignment; none where the last line is a bare name without a line break, which Compose
    /// takes for the value of a variable without a name.
    fn statement(&mut self) -> Result<Option<Entry>, DotenvError> {
        if let Some(rest) = self.rest().strip_prefix("export")
            && rest.starts_with(char::is_whitespace)
        {
            self.at = self.text.len() - rest.trim_start_matches(is_blank).len();
        }
        let start = self.at;
        for (offset, character) in self.rest().char_indices() {
            match character {
                '=' | ':' | '\n' => {
                    let name = self.text[start..start + offset].trim_end();
                    let name_span = self.span(start, start + name.len());
                    if name.contains(' ') {
                        return Err(DotenvError { kind: DotenvErrorKind::SpaceInName, span: name_span });
                    }
                    self.at = start + offset + 1;
                    if character != '\n' {
                        return self.value(name.into(), name_span).map(Some);
                    }
                    let value_span = self.span(start + name.len(), start + name.len());
                    let value = self.outer.look_up(name).map(|binding| binding.value.clone());
                    if let Some(value) = &value {
                        let origin = BindingOrigin::File(value_span);
                        self.scope.set(name, Binding { value: value.clone(), origin });
                    }
                    return Ok(Some(Entry {
                        name: name.into(),
                        name_span,
                        value,
                        value_span,
                        template: None,
                    }));
                }
                '_' | '.' | '-' | '[' | ']' => {}
                other if other.is_alphanumeric() || is_blank(other) => {}
                other => {
                    let at = start + offset;
                    let span = self.span(at, at + other.len_utf8());
                    return Err(DotenvError { kind: DotenvErrorKind::BadName, span });
                }
            }
        }
        // A name at the end of a file that has no line break there is the value of no name to Compose.
        if self.rest().is_empty() {
            return Ok(None);
        }
        self.value("".into(), self.span(start, start)).map(Some)
    }

    fn value(&mut self, name: Arc<str>, name_span: Span) -> Result<Entry, DotenvError> {
        self.at += self.rest().len() - self.rest().trim_start_matches(is_blank).len();
        let start = self.at;
        let quote = self.rest().chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value_span, template, value) = if let Some(quote) = quote {
            let Some(length) = closing_quote(&self.text[start + 1..], quote) else {
                let span = self.span(start, start + 1);
                return Err(DotenvError { kind: DotenvErrorKind::UnterminatedQuote, span });
            };
            let span = self.span(start + 1, start + 1 + length);
            let written = unquote(&self.text[start + 1..start + 1 + length], quote);
            // What stands behind the closing quote is the next statement.
            self.at = start + length + 2;
            if quote == '\'' {
                (span, None, Arc::from(written))
            } else {
                let unescaped = unescape(&written);
                let value = self.expand(&unescaped, span)?;
                (span, Some(Arc::from(unescaped)), value)
            }
        } else {
            let line = &self.rest()[..self.rest().find('\n').unwrap_or(self.rest().len())];
            self.at = (start + line.len() + 1).min(self.text.len());
            let written = line.split(" #").next().unwrap_or_default().trim_end();
            let span = self.span(start, start + written.len());
            (span, Some(Arc::from(written)), self.expand(written, span)?)
        };
        let origin = BindingOrigin::File(value_span);
        self.scope.set(name.clone(), Binding { value: value.clone(), origin });
        Ok(Entry { name, name_span, value: Some(value), value_span, template })
    }

    fn expand(&self, text: &str, span: Span) -> Result<Arc<str>, DotenvError> {
        if !text.contains('$') {
            return Ok(text.into());
        }
        match template::evaluate(text, &(self.outer, &*self.scope as &dyn Lookup), self.missing) {
            Ok((value, _)) => {
                let Some(left) = self.left.get().checked_sub(value.len()) else {
                    return Err(DotenvError { kind: TemplateError::TooLarge.into(), span });
                };
                self.left.set(left);
                Ok(value.into())
            }
            Err(error) => Err(DotenvError { kind: error.into(), span }),
        }
    }
}

/// A space that ends no line.
fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if character == quote && !escaped {
            return Some(at);
        }
        escaped = character == '\\' && !escaped;
    }
    None
}

/// The text between two quotes: a quote behind a backslash is a quote.
fn unquote(text: &str, quote: char) -> String {
    let mut result = String::with_capacity(text.len());
    let mut escaped = false;
    for character in text.chars() {
        if escaped && character != quote {
            result.push('\\');
        }
        let opens = character == '\\' && !escaped;
        if !opens {
            result.push(character);
        }
        escaped = opens;
    }
    result
}

/// The escapes that Compose knows in `"…"`; others stay as they are.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        result.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let mut length = escape.chars().next().map_or(0, char::len_utf8);
        match escape.chars().next() {
            Some('a') => result.push('\u{7}'),
            Some('b') => result.push('\u{8}'),
            Some('f') => result.push('\u{c}'),
            Some('n') => result.push('\n'),
            Some('r') => result.push('\r'),
            Some('t') => result.push('\t'),
            Some('v') => result.push('\u{b}'),
            // How a template writes a dollar.
            Some('$') => result.push_str("$$"),
            Some(other @ ('"' | '\\')) => result.push(other),
            Some('0') => {
                let digits = escape[1..].bytes().take(3).take_while(u8::is_ascii_digit).count();
                let digits = &escape[1..=digits];
                length = 1 + digits.len();
                match u8::from_str_radix(digits, 8) {
                    Ok(byte) if digits.len() == 3 => result.push(char::from(byte)),
                    _ => {
                        result.push('\\');
                        result.push_str(digits);
                    }
                }
            }
            _ => {
                result.push('\\');
                length = 0;
            }
        }
        rest = &escape[length..];
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_in_latin_1_keeps_no_file_from_being_read_and_moves_nothing() {
        let mut bytes = b"A=1\n  # \xe9t\xe9 \xc3\xa9\n# \xc3\xa9\nB=\xc3\xa9\n".to_vec();
        mend_comments(&mut bytes);
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), "A=1\n  # ?t? ??\n# \u{e9}\nB=\u{e9}\n");
        let mut value = b"A=\xe9\n".to_vec();
        mend_comments(&mut value);
        assert_eq!(value, b"A=\xe9\n", "a value is never another one");
    }
    use crate::source::Sources;

    fn values(text: &str) -> Vec<(String, Option<String>)> {
        let mut sources = Sources::default();
        let id = sources.add(".env", text);
        let outer = Environment::from_process([("OUT".to_owned(), "outside".to_owned())]);
        parse(id, text, &outer, &mut Environment::default(), Missing::Refuse)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name.to_string(), entry.value.map(|value| value.to_string())))
            .collect()
    }

    #[test]
    fn each_way_of_writing_a_value_gives_what_compose_gives() {
        let text = "# c\nA=1\nexport B = two # note\nC='$A \\n'\nD=\"x\\ty ${A}\"\nE: v\nOUT\nNONE\nF=\nG=a#b\nH=\"l1\nl2\"\nI='it\\'s' J=#x\nK=1\nK=$A$K\nL=\"\\0101\\q\"\n";
        let expected = [
            ("A", Some("1")),
            ("B", Some("two")),
            ("C", Some("$A \\n")),
            ("D", Some("x\ty 1")),
            ("E", Some("v")),
            ("OUT", Some("outside")),
            ("NONE", None),
            ("F", Some("")),
            ("G", Some("a#b")),
            ("H", Some("l1\nl2")),
            ("I", Some("it's")),
            ("J", Some("#x")),
            ("K", Some("1")),
            ("K", Some("11")),
            ("L", Some("A\\q")),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
        assert_eq!(values(text), expected);
    }

    #[test]
    fn an_open_quote_is_reported_where_it_opens_without_the_value() {
        let mut sources = Sources::default();
        let text = "A=1\nPASSWORD=\"canary\n";
        let id = sources.add(".env", text);
        let none = Environment::default();
        let error = parse(id, text, &none, &mut Environment::default(), Missing::Refuse).err().unwrap();
        assert_eq!(error.kind, DotenvErrorKind::UnterminatedQuote);
        assert_eq!(sources.range(error.span).0.line, 2);
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
}
