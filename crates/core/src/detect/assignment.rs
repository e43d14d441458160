//! Secrets inside longer texts: `password=…` in a connection string, `password: …` in YAML within YAML,
//! `"password": "…"` in JSON, `--password …` and its kin in a command line.

use std::ops::Range;

use super::literal::{Literal, literal};
use super::name::{is_method, is_secret_name};
use crate::compose::template::{self, Operator, Piece};

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
    let in_text =
        |raw: &str| assigned(raw, &without_variables(raw, shell), |value| is_written_out(value, shell));
    let mut found = in_text(raw);
    for default in defaults(raw) {
        let moved = |range: Range<usize>| range.start + default.start..range.end + default.start;
        found.extend(
            in_text(&raw[default.clone()])
                .into_iter()
                .map(|Assignment { name, value }| Assignment { name: moved(name), value: moved(value) }),
        );
    }
    found
}

/// Where in a text the values stand that are used instead of its variables: `${NAME:-here}`, those inside of others
/// too.
pub(super) fn defaults(raw: &str) -> Vec<Range<usize>> {
    fn collect(pieces: &[Piece], found: &mut Vec<Range<usize>>) {
        for piece in pieces {
            if let Piece::Variable { fallback: Some(fallback), .. } = piece
                && fallback.operator != Operator::Required
            {
                found.push(fallback.range.clone());
                collect(&fallback.pieces, found);
            }
        }
    }
    let mut found = Vec::new();
    if raw.contains("${") {
        collect(&template::parse(raw).unwrap_or_default(), &mut found);
    }
    found
}

/// Assignments to the name of a secret whose value, as it stands in the shadow of the text, is wanted.
fn assigned(raw: &str, shadow: &str, wanted: impl Fn(&str) -> bool) -> Vec<Assignment> {
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
        let Some(name) = name_before(shadow, at) else { continue };
        let Some(value) = value_after(shadow, at + 1) else { continue };
        let value = credentials(shadow, &raw[name.clone()], &value).unwrap_or(value);
        let written = &shadow[value.clone()];
        if is_named(shadow, &raw[name.clone()]) && !LOG_LEVELS.contains(&written) && wanted(written) {
            from = value.end;
            found.push(Assignment { name, value });
        }
    }
    found
}

/// Whether what is assigned to a name in a text is a secret: also the header of HTTP, and in a JAAS configuration the
/// users, whose passwords are assigned to `user_NAME`.
fn is_named(text: &str, name: &str) -> bool {
    is_secret_name(name)
        || is_authorization(name)
        || (name.starts_with("user_") && text.contains("LoginModule"))
}

fn is_authorization(name: &str) -> bool {
    name.rsplit('-').next().is_some_and(|last| last.eq_ignore_ascii_case("authorization"))
}

/// What follows the scheme in `Authorization: Bearer …` and `Authorization=Basic …`.
fn credentials(text: &str, name: &str, scheme: &Range<usize>) -> Option<Range<usize>> {
    let is_scheme =
        ["basic", "bearer", "token"].iter().any(|known| text[scheme.clone()].eq_ignore_ascii_case(known));
    (is_scheme && is_authorization(name)).then(|| value_after(text, scheme.end)).flatten()
}

/// `io.example.auth=INFO`: what is assigned is how much is logged.
const LOG_LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "OFF"];

/// A value that is all there, and a secret.
fn is_written_out(value: &str, shell: bool) -> bool {
    let from_outside = value.contains(VARIABLE) || (shell && (value.contains('`') || value.starts_with('$')));
    !from_outside && value != "|" && value != ">" && literal(&value.replace('$', "$$")) == Literal::Secret
}

fn name_before(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text[..at].trim_end_matches([' ', '\t']);
    // `settings['password'] = …` of Ruby, Python and PHP.
    let before = before.strip_suffix(']').filter(|name| name.ends_with(['"', '\''])).unwrap_or(before);
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
    given_in_command(raw, |value| is_written_out(value, true))
}

/// Where in a command line a variable of the file, and nothing else, gives a secret: `--password ${X}`.
pub fn variables_in_command(raw: &str) -> Vec<Assignment> {
    let mut found = given_in_command(raw, |value| value.chars().all(|part| part == VARIABLE));
    found.retain(|assignment| raw[assignment.value.clone()].starts_with("${"));
    found
}

fn given_in_command(raw: &str, wanted: impl Fn(&str) -> bool) -> Vec<Assignment> {
    let shadow = without_variables(raw, true);
    let words = words(&shadow);
    let mut found = assigned(raw, &shadow, &wanted);
    let mut program = "";
    for (at, word) in words.iter().enumerate() {
        let text = &shadow[word.clone()];
        let name = text.rsplit('/').next().unwrap_or(text);
        if is_program(name) {
            program = name;
        }
        let next = words.get(at + 1).cloned();
        found.extend(flag(&shadow, word, next, program));
        if matches!(name, "mc" | "mcli") {
            found.extend(minio_key(&shadow, &words[at + 1..]));
        }
    }
    found.retain(|Assignment { name, value }| {
        let (name, value) = (&shadow[name.clone()], &shadow[value.clone()]);
        // `--tokens 5`
        let is_count = name.ends_with("tokens") && value.bytes().all(|byte| byte.is_ascii_digit());
        wanted(value) && !is_count && !is_method(name, value)
    });
    found.sort_by_key(|assignment| assignment.value.start);
    found.dedup_by_key(|assignment| assignment.value.start);
    found
}

/// Programs, by the beginning of their names, and the short flag before a password.
const PASSWORD_FLAGS: &[(&str, &str)] = &[
    ("cqlsh", "-p"),
    ("keydb-cli", "-a"),
    ("ldap", "-w"),
    ("mongo", "-p"),
    ("rabbitmqadmin", "-p"),
    ("redis-cli", "-a"),
    ("sqlcmd", "-P"),
    ("sshpass", "-p"),
    ("valkey-cli", "-a"),
];

/// The programs whose short flags we know.
fn is_program(name: &str) -> bool {
    is_sql_client(name)
        || name == "curl"
        || PASSWORD_FLAGS.iter().any(|(program, _)| name.starts_with(program))
}

/// They take the password in the same word: `-pPASSWORD`.
fn is_sql_client(name: &str) -> bool {
    name.starts_with("mysql") || name.starts_with("mariadb")
}

/// The secret key of `mc alias set NAME URL ACCESS_KEY SECRET_KEY`, `mc config host add …` likewise.
fn minio_key(text: &str, words: &[Range<usize>]) -> Option<Assignment> {
    let [first, second, third, ..] = words else { return None };
    let is = |word: &Range<usize>, name: &str| text[word.clone()] == *name;
    let at = match () {
        () if is(first, "alias") && is(second, "set") => 2,
        () if is(first, "config") && is(second, "host") && is(third, "add") => 3,
        () => return None,
    };
    let [_, url, access, secret] = words.get(at..at + 4)? else { return None };
    let is_url = text[url.clone()].starts_with("http") || text[url.clone()].starts_with(VARIABLE);
    is_url.then(|| Assignment { name: access.clone(), value: secret.clone() })
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
    let takes_password = |known: &&(&str, &str)| program.starts_with(known.0) && written == known.1;
    match written {
        "requirepass" | "masterauth" => next.map(|value| Assignment { name: word.clone(), value }),
        _ if PASSWORD_FLAGS.iter().any(|known| takes_password(&known)) => {
            next.map(|value| Assignment { name: word.clone(), value })
        }
        "-u" if program == "curl" => {
            let value = next?;
            let colon = text[value.clone()].find(':')? + value.start + 1;
            Some(Assignment { name: word.clone(), value: colon..value.end })
        }
        _ if is_sql_client(program) && written.len() > 2 && written.starts_with("-p") => {
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
        assert_eq!(found("gitlab_rails['smtp_password'] = 'hunter2'"), ["hunter2"]);
        assert_eq!(found("Authorization=Basic hunter2,x=y"), ["hunter2"]);
        assert_eq!(found("${DB:-Server=db;Password=hunter2}"), ["hunter2"]);
        assert_eq!(found("PlainLoginModule required username=a user_bob=\"hunter2\";"), ["hunter2"]);
        for raw in [
            "password=${PW}",
            "password: ",
            "password_file=/x/y",
            "tokens::x",
            "a==b",
            "http://x",
            "password: |\n",
            "io.example.auth=INFO,org.example.token=WARN",
            "user_name=bob",
            "Authorization: Bearer ${TOKEN}",
        ] {
            assert_eq!(found(raw), Vec::<String>::new(), "{raw}");
        }
    }

    #[test]
    fn secrets_in_command_lines_are_found() {
        let found = |raw: &str| values(&in_command(raw), raw);
        assert_eq!(found("redis-server --requirepass hunter2 --port 1"), ["hunter2"]);
        assert_eq!(found("redis-server --requirepass=hunter2"), ["hunter2"]);
        assert_eq!(found("app --auth-token hunter2 --token 5"), ["hunter2", "5"]);
        assert_eq!(found("mysqladmin ping -uroot -phunter2"), ["hunter2"]);
        assert_eq!(found("redis-cli -a hunter2 ping"), ["hunter2"]);
        assert_eq!(found("curl -u admin:hunter2 http://x"), ["hunter2"]);
        assert_eq!(found("curl -H 'Authorization: Bearer hunter2' http://x"), ["hunter2"]);
        assert_eq!(found("wget --header=\"X-Api-Key: hunter2\" http://x"), ["hunter2"]);
        assert_eq!(found("PGPASSWORD=hunter2 psql -U x"), ["hunter2"]);
        assert_eq!(found("/opt/tools/bin/sqlcmd -S x -U sa -P hunter2 -Q y"), ["hunter2"]);
        assert_eq!(found("mc alias set m http://minio:9000 admin hunter2 && mc mb m/x"), ["hunter2"]);
        assert_eq!(found("mc config host add m ${URL} admin hunter2;"), ["hunter2"]);
        for raw in [
            "redis-server --requirepass $$PW",
            "redis-server --requirepass ${PW}",
            "mysqladmin ping -p$$MYSQL_PASSWORD",
            "mysqladmin ping -h db -P 3306",
            "curl -u admin:$(cat /x) http://x",
            "app --token-file /x --password-stdin",
            "ssh -p 22",
            "sqlcmd -P $$PW",
            "mc alias set m http://minio:9000 $USER $PW",
            "mc alias set m http://minio:9000",
            "mc alias list m a b c d",
            "echo -password",
            "bench --tokens 5",
            "etcd --auth-token simple",
        ] {
            assert_eq!(found(raw), Vec::<String>::new(), "{raw}");
        }
    }
}
