//! Passwords inside URLs: `scheme://user:password@host`.

use std::ops::Range;

use super::assignment::without_variables;
use super::literal::{Literal, literal};

/// Byte ranges of the literal passwords in the URLs of a text before interpolation.
pub fn url_passwords(raw: &str) -> Vec<Range<usize>> {
    if !raw.contains("://") {
        return Vec::new();
    }
    let shadow = without_variables(raw, false);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = shadow[from..].find("://") {
        let start = from + at + 3;
        let end = start + shadow[start..].find(ends_authority).unwrap_or(shadow.len() - start);
        if has_scheme(&shadow[..start - 3])
            && let Some(user_info_end) = shadow[start..end].rfind('@').map(|at| start + at)
            && let Some(colon) = shadow[start..user_info_end].find(':').map(|at| start + at)
        {
            let password = colon + 1..user_info_end;
            let written = &shadow[password.clone()];
            if !written.contains(VARIABLE) && literal(written) == Literal::Secret {
                found.push(password);
            }
        }
        from = start;
    }
    found
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
        assert_eq!(passwords("http://host:8080/@x"), Vec::<&str>::new());
        assert_eq!(passwords("git://user@host"), Vec::<&str>::new());
    }
}
