//! Env files: `.env`, `--env-file`, a service's `env_file`. (compose-go `dotenv/parser.go`)
//!
//! `'…'` is literal; `"…"` knows escapes, variables and several lines; unquoted text is trimmed, ends
//! at ` #` and knows variables; `export K=v` and `K: v` work; `K` alone takes the value from outside.

use std::sync::Arc;

use super::environment::{Binding, BindingOrigin, Environment};
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

/// Parses an env file. `outer` holds what is known before it; earlier lines are seen by later ones.
pub fn parse(
    file: FileId,
    text: &str,
    outer: &Environment,
    missing: Missing,
) -> Result<Vec<Entry>, DotenvError> {
    let mut parser = Parser { file, text, at: 0, scope: Environment::default(), outer, missing };
    if text.starts_with('\u{feff}') {
        parser.at = '\u{feff}'.len_utf8();
    }
    let mut entries = Vec::new();
    while parser.skip_to_statement() {
        entries.push(parser.statement()?);
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
        let value: Arc<str> = text[from..to].into();
        Text { raw: value.clone(), value, span: Span { file, start: from as u32, end: to as u32 } }
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
    scope: Environment,
    outer: &'a Environment,
    missing: Missing,
}

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

    fn statement(&mut self) -> Result<Entry, DotenvError> {
        if let Some(rest) = self.rest().strip_prefix("export")
            && rest.starts_with([' ', '\t'])
        {
            let trimmed = rest.trim_start_matches([' ', '\t']);
            self.at = self.text.len() - trimmed.len();
        }
        let start = self.at;
        let line_end = start + self.rest().find('\n').unwrap_or(self.rest().len());
        let line = &self.text[start..line_end];
        for (offset, character) in line.char_indices() {
            match character {
                '=' | ':' => {
                    let name = line[..offset].trim_end();
                    let name_span = self.span(start, start + name.len());
                    if name.contains(char::is_whitespace) {
                        return Err(DotenvError { kind: DotenvErrorKind::SpaceInName, span: name_span });
                    }
                    self.at = start + offset + 1;
                    return self.value(name.into(), name_span);
                }
                '_' | '.' | '-' | '[' | ']' => {}
                other if other.is_alphanumeric() || other.is_whitespace() => {}
                other => {
                    let at = start + offset;
                    let span = self.span(at, at + other.len_utf8());
                    return Err(DotenvError { kind: DotenvErrorKind::BadName, span });
                }
            }
        }
        let name = line.trim_end();
        let name_span = self.span(start, start + name.len());
        if name.contains(char::is_whitespace) {
            return Err(DotenvError { kind: DotenvErrorKind::SpaceInName, span: name_span });
        }
        self.at = line_end;
        let value_span = self.span(start + name.len(), start + name.len());
        let value = self.outer.get(name).map(|binding| binding.value.clone());
        Ok(Entry { name: name.into(), name_span, value, value_span, template: None })
    }

    fn value(&mut self, name: Arc<str>, name_span: Span) -> Result<Entry, DotenvError> {
        let blank = self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r']).len();
        self.at += blank;
        let start = self.at;
        let quote = self.rest().chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value_span, template, value) = if let Some(quote) = quote {
            let Some(length) = closing_quote(&self.text[start + 1..], quote) else {
                let span = self.span(start, start + 1);
                return Err(DotenvError { kind: DotenvErrorKind::UnterminatedQuote, span });
            };
            let span = self.span(start + 1, start + 1 + length);
            let written = &self.text[start + 1..start + 1 + length];
            self.at = start + length + 2;
            // What stands between the closing quote and the end of the line is a comment or nothing.
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            if quote == '\'' {
                (span, None, Arc::from(written))
            } else {
                let unescaped = unescape(written);
                let value = self.expand(&unescaped, span)?;
                (span, Some(Arc::from(unescaped)), value)
            }
        } else {
            let line = &self.rest()[..self.rest().find('\n').unwrap_or(self.rest().len())];
            let end = start + line.len();
            let written = if line.starts_with('#') { "" } else { line };
            let written = written.split(" #").next().unwrap_or_default().trim_end();
            let span = self.span(start, start + written.len());
            let value = self.expand(written, span)?;
            let template = Some(Arc::from(written));
            self.at = end;
            (span, template, value)
        };
        self.scope.set_default(
            name.clone(),
            Binding { value: value.clone(), origin: BindingOrigin::File(value_span) },
        );
        Ok(Entry { name, name_span, value: Some(value), value_span, template })
    }

    fn expand(&self, text: &str, span: Span) -> Result<Arc<str>, DotenvError> {
        let mut visible = self.outer.clone();
        if !text.contains('$') {
            return Ok(text.into());
        }
        visible.extend_default(&self.scope);
        match template::evaluate(text, &visible, self.missing) {
            Ok((value, _)) => Ok(value.into()),
            Err(error) => Err(DotenvError { kind: error.into(), span }),
        }
    }
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

fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => result.push('\n'),
            Some('r') => result.push('\r'),
            Some('t') => result.push('\t'),
            Some('$') => result.push_str("$$"),
            Some(other @ ('"' | '\\' | '\'')) => result.push(other),
            Some(other) => {
                result.push('\\');
                result.push(other);
            }
            None => result.push('\\'),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn values(text: &str) -> Vec<(String, Option<String>)> {
        let mut sources = Sources::default();
        let id = sources.add(".env", text);
        let outer = Environment::from_process([("OUT".to_owned(), "outside".to_owned())]);
        parse(id, text, &outer, Missing::Refuse)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name.to_string(), entry.value.map(|value| value.to_string())))
            .collect()
    }

    #[test]
    fn each_way_of_writing_a_value_gives_what_compose_gives() {
        let text = "# c\nA=1\nexport B = two # note\nC='$A \\n'\nD=\"x\\ty ${A}\"\nE: v\nOUT\nNONE\nF=\nG=a#b\nH=\"l1\nl2\"\n";
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
        let error = parse(id, text, &Environment::default(), Missing::Refuse).err().unwrap();
        assert_eq!(error.kind, DotenvErrorKind::UnterminatedQuote);
        assert_eq!(sources.range(error.span).0.line, 2);
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
}
