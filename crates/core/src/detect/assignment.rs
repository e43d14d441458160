//! Secrets inside longer texts: `password=…` in a connection string, `password: …` in YAML within YAML,
//! `"password": "…"` in JSON.

use std::ops::Range;

use super::literal::{Literal, literal};
use super::name::{is_header_name, is_secret_name, is_user_info_name};
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
pub(super) const VARIABLE: char = '\u{1}';

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

/// The password in the value of a variable that is named for a user and a password: `user:HERE`, `user/HERE`.
pub fn pair_password(name: &str, raw: &str) -> Option<Range<usize>> {
    if !is_user_info_name(name) {
        return None;
    }
    let shadow = without_variables(raw, false);
    let (user, rest) = shadow.split_once([':', '/'])?;
    // More about the user, and more users, may follow. A hash is no password.
    let password = rest.split([':', ',', ';', '|']).next().unwrap_or_default();
    let is_plain = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    let is_pair = is_plain(user) && is_plain(password) && !password.starts_with(['/', '$', '{']);
    let start = user.len() + 1;
    (is_pair && is_written_out(password, false)).then(|| start..start + password.len())
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
pub(super) fn assigned(raw: &str, shadow: &str, wanted: impl Fn(&str) -> bool) -> Vec<Assignment> {
    let bytes = shadow.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = shadow[from..].find(['=', ':']).map(|at| from + at) {
        from = at + 1;
        // `://`, `==`, `::` assign nothing; a colon does so only before a blank or a quote.
        let next = bytes.get(at + 1).copied().unwrap_or(b'\n');
        let assigns = matches!(next, b' ' | b'\t' | b'"' | b'\'') || is_header(shadow, at);
        if bytes[at] == b':' && !assigns || next == b'=' {
            continue;
        }
        let Some(name) = name_before(shadow, at) else { continue };
        let Some(value) = value_after(shadow, at + 1).filter(|value| !is_next(shadow, at, value)) else {
            continue;
        };
        let value = credentials(shadow, &raw[name.clone()], &value).unwrap_or(value);
        let written = &shadow[value.clone()];
        let called = &raw[name.clone()];
        if is_named(shadow, called) && !is_level(called, written) && wanted(written) {
            from = value.end;
            found.push(Assignment { name, value });
        }
    }
    found
}

/// Whether a colon ends the name of HTTP's header for credentials: `Authorization:Bearer x` needs no blank.
fn is_header(text: &str, colon: usize) -> bool {
    let starts = |scheme: &str| {
        text.get(colon + 1..colon + 1 + scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    ["basic ", "bearer ", "token "].iter().any(|scheme| starts(scheme))
        && name_before(text, colon).is_some_and(|name| is_header_name(&text[name]))
}

/// Whether what follows an `=` that nothing is assigned by is the next flag or the next assignment: `-Dpassword= -Dx=y`.
fn is_next(text: &str, equals: usize, value: &Range<usize>) -> bool {
    let is_blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    let bytes = text.as_bytes();
    let is_apart = is_blank(bytes.get(equals + 1)) && !is_blank(bytes[..equals].last());
    let word = text[value.start..].split(char::is_whitespace).next().unwrap_or_default();
    bytes[equals] == b'=' && is_apart && (word.starts_with('-') || word.contains('='))
}

/// Whether what is assigned to a name in a text is a secret: also the header of HTTP, and in a JAAS configuration the
/// users, whose passwords are assigned to `user_NAME`.
fn is_named(text: &str, name: &str) -> bool {
    is_secret_name(name)
        || is_header_name(name)
        || (name.starts_with("user_") && text.contains("LoginModule"))
}

/// What follows the scheme in `Authorization: Bearer …` and `Authorization=Basic …`.
fn credentials(text: &str, name: &str, scheme: &Range<usize>) -> Option<Range<usize>> {
    let is_scheme =
        ["basic", "bearer", "token"].iter().any(|known| text[scheme.clone()].eq_ignore_ascii_case(known));
    (is_scheme && is_header_name(name)).then(|| value_after(text, scheme.end)).flatten()
}

/// Whether what is assigned is how much is logged: `io.example.auth=INFO`, `app_auth=debug`.
fn is_level(name: &str, value: &str) -> bool {
    const LEVELS: [&str; 8] = ["trace", "debug", "info", "warn", "warning", "error", "fatal", "off"];
    let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(value));
    // `PASSWORD=debug` is a bad password.
    let is_upper = value.bytes().all(|byte| byte.is_ascii_uppercase());
    is_level && (is_upper || !name.to_ascii_lowercase().contains("pass"))
}

/// A value that is all there, and a secret.
pub(super) fn is_written_out(value: &str, shell: bool) -> bool {
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
        let pair = |name, raw: &'static str| pair_password(name, raw).map(|range| &raw[range]);
        assert_eq!(pair("SR_BASIC_AUTH_USER_INFO", "admin:hunter2"), Some("hunter2"));
        assert_eq!(pair("SFTP_USERS", "bob:hunter2:1001,ann:x"), Some("hunter2"));
        for (name, raw) in [
            ("AUTH_USER_INFO", "${U}:${P}"),
            ("AUTH_USER_INFO", "https://x/userinfo"),
            ("AUTH_USER_INFO", "sub"),
            ("USER_INFO_URL", "a:b"),
            ("BASIC_AUTH_USERS", "admin:$$2y$$10$$abc"),
            ("LDAP_USERS", "cn:bob"),
        ] {
            assert_eq!(pair(name, raw), None, "{raw}");
        }
        for raw in [
            "password=${PW}",
            "password: ",
            "password_file=/x/y",
            "tokens::x",
            "a==b",
            "http://x",
            "password: |\n",
            "-Des.password= -Dkb.url=http://kibana:5601",
            "password= user=bob",
            "io.example.auth=INFO,org.example.token=WARN",
            "user_name=bob",
            "app_auth=debug,tower_http=info",
            "Authorization: Bearer ${TOKEN}",
        ] {
            assert_eq!(found(raw), Vec::<String>::new(), "{raw}");
        }
    }
}
