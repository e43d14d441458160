//! What may be repeated of a text that somebody wrote: a message names things, and a name may hold a secret.

use std::ops::Range;

use super::assignment::{VARIABLE, without_variables};
use super::token::tokens;

/// What stands for what is not repeated.
const MASK: &str = "***";

/// The text without the credentials of its URLs (`https://***@host/…`) and without tokens. A path that was made of a
/// URL may have lost one of its two slashes.
pub fn without_credentials(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> = tokens(text).into_iter().map(|token| token.range).collect();
    for (at, _) in text.match_indices(":/") {
        let start = at + 1 + text[at + 1..].bytes().take_while(|byte| *byte == b'/').count();
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '`') || c.is_whitespace();
        let end = start + text[start..].find(ends).unwrap_or(text.len() - start);
        hidden.extend(text[start..end].rfind('@').filter(|at| *at > 0).map(|at| start..start + at));
    }
    hidden.sort_by_key(|range| range.start);
    let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
    for range in hidden {
        if range.start >= from {
            kept.push_str(&text[from..range.start]);
            kept.push_str(MASK);
        }
        from = from.max(range.end);
    }
    kept.push_str(&text[from..]);
    kept
}

/// Where the name ends and where the value starts in what stands in a name's place and is more than one:
/// `NAME=value`, `NAME: value`.
pub fn name_with_value(text: &str) -> Option<(usize, usize)> {
    let colon = text.match_indices(':').find(|(at, _)| text[at + 1..].starts_with([' ', '\t']));
    let separator = [text.find('='), colon.map(|(at, _)| at)].into_iter().flatten().min()?;
    let rest = &text[separator + 1..];
    let value = text.len() - rest.trim_start_matches([' ', '\t']).len();
    (separator > 0 && value < text.len()).then_some((separator, value))
}

/// The part of such a text that may be repeated: `NAME=***`.
pub fn name_without_value(text: &str) -> Option<String> {
    name_with_value(text).map(|(_, value)| format!("{}{MASK}", &text[..value]))
}

/// Where the name ends and where the rest starts in what stands in the place of a variable's, a secret's or a
/// config's name and is more than letters, digits, `_`, `.`, `-` and variables: `NAME:value`, `NAME value`,
/// `NAME->value`. Of `NAME=value` only what stands before the `=` is looked at, and `Jwt:Key=value` has a name of
/// several parts.
pub fn name_with_rest(text: &str) -> Option<(usize, usize)> {
    let shadow = without_variables(text, false);
    let (name, value) = shadow.split_once('=').unwrap_or((&shadow, ""));
    if is_of_parts(name) && !value.trim_start_matches('=').is_empty() {
        return None;
    }
    let is_named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | VARIABLE);
    let end = name.find(|c| !is_named(c))?;
    let end = name[..end].trim_end_matches(['-', '.']).len();
    let separates = |c: char| c.is_whitespace() || matches!(c, ':' | '-' | '>' | '"' | '\'' | '.');
    Some((end, shadow.len() - shadow[end..].trim_start_matches(separates).len()))
}

/// Whether a name is one of .NET's, `ConnectionStrings:Default`: words that begin with a capital letter, or numbers.
pub fn is_of_parts(name: &str) -> bool {
    let is_word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.bytes().any(|byte| byte.is_ascii_lowercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let is_number =
        |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.split(':');
    name.contains(':')
        && parts.next().is_some_and(is_word)
        && parts.all(|part| is_word(part) || is_number(part))
}

/// The part of such a text that may be repeated: `NAME***`.
pub fn name_without_rest(text: &str) -> Option<String> {
    name_with_rest(text).map(|(end, _)| format!("{}{MASK}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_quotes_a_url_does_not_quote_its_credentials() {
        for (text, told) in [
            ("https://u:canary@github.com/x/y.git is far", "https://***@github.com/x/y.git is far"),
            ("a/https:/canary@github.com/x: gone", "a/https:/***@github.com/x: gone"),
            ("`ssh://u:p@canary@h` and http://h/a@b", "`ssh://***@h` and http://h/a@b"),
            ("git@github.com:x/y", "git@github.com:x/y"),
        ] {
            assert_eq!(without_credentials(text), told);
        }
    }

    #[test]
    fn a_value_behind_a_name_is_known_from_the_name() {
        let told = |text| name_without_value(text);
        assert_eq!(told("DB_PASSWORD: canary").as_deref(), Some("DB_PASSWORD: ***"));
        assert_eq!(told("token=canary").as_deref(), Some("token=***"));
        for name in ["DB_PASSWORD", "NAME=", "=x", "a:b", "a: ", "https://h/x"] {
            assert_eq!(told(name), None, "{name}");
        }
    }

    #[test]
    fn what_no_name_has_is_not_repeated_of_one() {
        let told = |text| name_without_rest(text);
        for text in ["DB_PW:canary", "DB_PW canary", "DB_PW->canary", "DB_PW:\"canary\"", "DB_PW:canary=="] {
            assert_eq!(told(text).as_deref(), Some("DB_PW***"), "{text}");
        }
        for text in ["Jwt:Key", "Jwt:Key=", "Jwt:Key==", "Jwt:canary=x"] {
            assert_eq!(told(text).as_deref(), Some("Jwt***"), "{text}");
        }
        for name in ["DB_PW", "a.b-c", "DB_PW=a b", "${X:-a b}_PW=", "1st", "Jwt:Key=a", "Args:0:Name=b"] {
            assert_eq!(told(name), None, "{name}");
        }
    }
}
