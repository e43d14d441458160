//! Secrets inside longer texts: `password=…` in a connection string, `password: …` in YAML within YAML,
//! `"password": "…"` in JSON, `--password …` and its kin in a command line.

use std::ops::Range;

use super::literal::{Literal, literal};
use super::name::is_secret_name;
use crate::compose::template::{self, Piece};

/// A secret written out inside a text before interpolation.
#[derive(Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Byte range of the name.
    pub name: Range<usize>,
    /// Byte range of the value.
    pub value: Range<usize>,
}

/// Stands for a byte of a variable.
const VARIABLE: char = '\u{1}';

/// The same text, byte for byte as long, with variables blotted out: what stands in `${…}` is not written here.
/// `shell` tells whether `$$NAME` and `$(…)` are variables too: for a shell they are.
pub(super) fn without_variables(raw: &str, shell: bool) -> String {
    let Ok(pieces) = template::parse(raw) else { return raw.to_owned() };
    let mut shadow = String::with_capacity(raw.len());
    for piece in pieces {
        let range = piece.range();
        match piece {
            Piece::Variable { .. } => shadow.extend(range.map(|_| VARIABLE)),
            Piece::Dollar(_) if shell => shadow.extend(range.map(|_| VARIABLE)),
            Piece::Literal(_) | Piece::Dollar(_) => shadow.push_str(&raw[range]),
        }
    }
    shadow
}

/// `name=value`, `name: value`, `"name": "value"` with the name of a secret and a value that is one.
pub fn assignments(raw: &str, shell: bool) -> Vec<Assignment> {
    let shadow = without_variables(raw, shell);
    let bytes = shadow.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = shadow[from..].find(['=', ':']).map(|at| from + at) {
        from = at + 1;
        // `://`, `==`, `::` assign nothing; a colon does so only before a blank or a quote.
        let next = bytes.get(at + 1).copied().unwrap_or(b'\n');
        if bytes[at] == b':' && !matches!(next, b' ' | b'\t' | b'"' | b'\'') || next == b'=' {
            continue;
        }
        let Some(name) = name_before(&shadow, at) else { continue };
        let Some(value) = value_after(&shadow, at + 1) else { continue };
        if is_secret_name(&raw[name.clone()]) && is_written_out(&shadow[value.clone()], shell) {
            from = value.end;
            found.push(Assignment { name, value });
        }
    }
    found
}

/// A value that is all there, and a secret.
fn is_written_out(value: &str, shell: bool) -> bool {
    let from_outside = value.contains(VARIABLE) || (shell && (value.contains('`') || value.starts_with('$')));
    !from_outside && value != "|" && value != ">" && literal(&value.replace('$', "$$")) == Literal::Secret
}

fn name_before(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text[..at].trim_end_matches([' ', '\t']);
    let end = before.strip_suffix(['"', '\'']).map_or(before.len(), str::len);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = before[..end]
        .rfind(|c: char| !is_name(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    // `Pwd` and `User Password` are one word each here; the last word is what counts.
    (start < end).then_some(start..end)
}

fn value_after(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let start = at + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
    let rest = text.get(start..)?;
    let first = rest.chars().next()?;
    if matches!(first, '"' | '\'') {
        let end = rest[1..].find(first)?;
        return Some(start + 1..start + 1 + end);
    }
    let ends =
        |c: char| c.is_whitespace() || matches!(c, ';' | '&' | ',' | '"' | '\'' | ')' | '}' | ']' | '\\');
    let length = rest.find(ends).unwrap_or(rest.len());
    (length > 0).then_some(start..start + length)
}

/// Secrets in the words of a command line: flags with a value (`--password x`, `--requirepass=x`, `mysql -px`,
/// `redis-cli -a x`, `curl -u user:x`), and assignments before or inside it (`PGPASSWORD=x`).
pub fn in_command(raw: &str) -> Vec<Assignment> {
    let shadow = without_variables(raw, true);
    let words = words(&shadow);
    let mut found = assignments(raw, true);
    let mut program = "";
    for (at, word) in words.iter().enumerate() {
        let text = &shadow[word.clone()];
        let name = text.rsplit('/').next().unwrap_or(text);
        if is_program(name) {
            program = name;
        }
        let next = words.get(at + 1).cloned();
        if let Some(assignment) = flag(&shadow, word, next, program) {
            found.push(assignment);
        }
    }
    found.retain(|assignment| is_written_out(&shadow[assignment.value.clone()], true));
    found.sort_by_key(|assignment| assignment.value.start);
    found.dedup_by_key(|assignment| assignment.value.start);
    found
}

/// The programs whose short flags we know.
fn is_program(name: &str) -> bool {
    name.starts_with("mysql")
        || name.starts_with("mariadb")
        || matches!(name, "redis-cli" | "curl" | "wget" | "mongosh" | "mongo")
}

fn flag(text: &str, word: &Range<usize>, next: Option<Range<usize>>, program: &str) -> Option<Assignment> {
    let written = &text[word.clone()];
    let next = next.filter(|next| !text[next.clone()].starts_with('-'));
    if let Some(long) = written.strip_prefix("--") {
        if long.contains('=') || !(is_secret_name(long) || long == "requirepass" || long == "masterauth") {
            let (flag, value) = long.split_once('=')?;
            let known = is_secret_name(flag) || matches!(flag, "requirepass" | "masterauth");
            let start = word.end - value.len();
            return known.then_some(Assignment { name: word.start..start - 1, value: start..word.end });
        }
        return next.map(|value| Assignment { name: word.clone(), value });
    }
    let client = program.starts_with("mysql") || program.starts_with("mariadb");
    match written {
        "requirepass" | "masterauth" => next.map(|value| Assignment { name: word.clone(), value }),
        "-a" if program == "redis-cli" => next.map(|value| Assignment { name: word.clone(), value }),
        "-p" if program.starts_with("mongo") => next.map(|value| Assignment { name: word.clone(), value }),
        "-u" if program == "curl" => {
            let value = next?;
            let colon = text[value.clone()].find(':')? + value.start + 1;
            Some(Assignment { name: word.clone(), value: colon..value.end })
        }
        _ if client && written.len() > 2 && written.starts_with("-p") => {
            Some(Assignment { name: word.start..word.start + 2, value: word.start + 2..word.end })
        }
        _ => None,
    }
}

/// Words as a shell would see them, roughly: blanks part them, quotes around one fall away.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let parts = |c: char| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '(' | ')' | '"' | '\'');
    for (at, character) in text.char_indices() {
        if parts(character) {
            if let Some(start) = start.take() {
                words.push(start..at);
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    words.extend(start.map(|start| start..text.len()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(found: &[Assignment], raw: &str) -> Vec<String> {
        found.iter().map(|assignment| raw[assignment.value.clone()].to_owned()).collect()
    }

    #[test]
    fn secrets_inside_texts_are_found() {
        let found = |raw: &str| values(&assignments(raw, false), raw);
        assert_eq!(found("Server=db;User Id=sa;Password=hunter2;Encrypt=no"), ["hunter2"]);
        assert_eq!(found("a:\n  password: hunter2\n  user: x\n"), ["hunter2"]);
        assert_eq!(found(r#"{"apiKey": "hunter2", "url": "http://x"}"#), ["hunter2"]);
        assert_eq!(found(r#"Login required username="a" password="hunter2";"#), ["hunter2"]);
        assert_eq!(found("minio://h?accessKeyId=a&secretKey=hunter2"), ["hunter2"]);
        for raw in [
            "password=${PW}",
            "password: ",
            "password_file=/x/y",
            "tokens::x",
            "a==b",
            "http://x",
            "password: |\n",
        ] {
            assert_eq!(found(raw), Vec::<String>::new(), "{raw}");
        }
    }

    #[test]
    fn secrets_in_command_lines_are_found() {
        let found = |raw: &str| values(&in_command(raw), raw);
        assert_eq!(found("redis-server --requirepass hunter2 --port 1"), ["hunter2"]);
        assert_eq!(found("redis-server --requirepass=hunter2"), ["hunter2"]);
        assert_eq!(found("mysqladmin ping -uroot -phunter2"), ["hunter2"]);
        assert_eq!(found("redis-cli -a hunter2 ping"), ["hunter2"]);
        assert_eq!(found("curl -u admin:hunter2 http://x"), ["hunter2"]);
        assert_eq!(found("PGPASSWORD=hunter2 psql -U x"), ["hunter2"]);
        for raw in [
            "redis-server --requirepass $$PW",
            "redis-server --requirepass ${PW}",
            "mysqladmin ping -p$$MYSQL_PASSWORD",
            "mysqladmin ping -h db -P 3306",
            "curl -u admin:$(cat /x) http://x",
            "app --token-file /x --password-stdin",
            "ssh -p 22",
            "echo -password",
        ] {
            assert_eq!(found(raw), Vec::<String>::new(), "{raw}");
        }
    }
}
