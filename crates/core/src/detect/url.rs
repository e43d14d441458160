//! Passwords inside URLs: `scheme://user:password@host`; and in what some drivers have instead,
//! `user:password@tcp(host)`, `user:password@(host)`, `jdbc:oracle:thin:user/password@host`.

use std::ops::Range;

use super::assignment::{defaults, without_variables};
use super::literal::{Literal, literal};

/// Byte ranges of the literal passwords in the URLs of a text before interpolation, and in those of its variables'
/// defaults: `${DB_URL:-postgres://user:password@db}`.
pub fn url_passwords(raw: &str) -> Vec<Range<usize>> {
    let mut found = in_text(raw);
    for default in defaults(raw) {
        let within = in_text(&raw[default.clone()]).into_iter();
        found.extend(within.map(|range| range.start + default.start..range.end + default.start));
    }
    found
}

fn in_text(raw: &str) -> Vec<Range<usize>> {
    if !raw.contains("://") && !DRIVERS.iter().chain([&ORACLE]).any(|mark| raw.contains(mark)) {
        return Vec::new();
    }
    let shadow = without_variables(raw, false);
    let mut found = driver_passwords(&shadow);
    let mut from = 0;
    while let Some(at) = shadow[from..].find("://") {
        let start = from + at + 3;
        let end = start + shadow[start..].find(ends_authority).unwrap_or(shadow.len() - start);
        if has_scheme(&shadow[..start - 3])
            && let Some(user_info_end) = shadow[start..end].rfind('@').map(|at| start + at)
            && let Some(colon) = shadow[start..user_info_end].find(':').map(|at| start + at)
        {
            let password = colon + 1..user_info_end;
            if is_written_out(&shadow[password.clone()]) {
                found.push(password);
            }
        }
        from = start;
    }
    found
}

const ORACLE: &str = "jdbc:oracle:";

/// What Go's MySQL driver has between the password and the host. The network may be left out.
const DRIVERS: [&str; 3] = ["@tcp(", "@unix(", "@("];

/// `user:password@tcp(…)`, `jdbc:oracle:thin:user/password@…`.
fn driver_passwords(shadow: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (end, _) in DRIVERS.iter().flat_map(|mark| shadow.match_indices(mark)) {
        let start = shadow[..end].rfind(ends_authority).map_or(0, |at| at + 1);
        found.extend(shadow[start..end].find(':').map(|at| start + at + 1..end));
    }
    for (at, _) in shadow.match_indices(ORACLE) {
        let end = at + shadow[at..].find(char::is_whitespace).unwrap_or(shadow.len() - at);
        let Some(user_info_end) = shadow[at..end].find('@').map(|found| at + found) else { continue };
        found.extend(shadow[at..user_info_end].find('/').map(|slash| at + slash + 1..user_info_end));
    }
    found.retain(|password| is_written_out(&shadow[password.clone()]));
    found
}

fn is_written_out(password: &str) -> bool {
    !password.contains(VARIABLE) && literal(password) == Literal::Secret
}

const VARIABLE: char = '\u{1}';

fn ends_authority(character: char) -> bool {
    matches!(character, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>' | '|' | ';' | ',')
        || character.is_whitespace()
}

fn has_scheme(before: &str) -> bool {
    before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == VARIABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(raw: &str) -> Vec<&str> {
        url_passwords(raw).into_iter().map(|range| &raw[range]).collect()
    }

    #[test]
    fn passwords_in_urls_are_found_and_nothing_around_them() {
        assert_eq!(passwords("postgres://u:p@ss@db:5432/x?y=z"), ["p@ss"]);
        assert_eq!(passwords("redis://:pw@r a amqp://g:h@q/"), ["pw", "h"]);
        assert_eq!(passwords("postgres://u:${PW}@db/x"), Vec::<&str>::new());
        assert_eq!(passwords("postgres://u:${PW:-a/b}@db/x"), Vec::<&str>::new());
        assert_eq!(passwords("postgres://${U:-x}:lit@db/x"), ["lit"]);
        assert_eq!(passwords("${URL:-redis://:lit@cache/1} ${A:-${B-amqp://u:pw@q}}"), ["lit", "pw"]);
        assert_eq!(passwords("${URL:?redis://:lit@cache/1}"), Vec::<&str>::new());
        assert_eq!(passwords("http://host:8080/@x"), Vec::<&str>::new());
        assert_eq!(passwords("git://user@host"), Vec::<&str>::new());
        assert_eq!(passwords("root:pw@tcp(db:3306)/x?parse=true"), ["pw"]);
        assert_eq!(passwords("root:${PW}@tcp(db:3306)/x"), Vec::<&str>::new());
        assert_eq!(passwords("root@tcp(db:3306)/x"), Vec::<&str>::new());
        assert_eq!(passwords("root:pw@(db:3306)/x"), ["pw"]);
        assert_eq!(passwords("root@(db:3306)/x"), Vec::<&str>::new());
        assert_eq!(passwords("jdbc:oracle:thin:scott/pw@//db:1521/x"), ["pw"]);
        assert_eq!(passwords("jdbc:oracle:thin:@//db:1521/x"), Vec::<&str>::new());
    }
}
