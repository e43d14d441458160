//! Writes YAML as go-yaml does, so that it reads back as what it was, for Compose and for us: whatever a reader could
//! take for something else is quoted.

use std::cmp::Ordering;

use serde_json::Value;

use super::event::Style;
use super::scalar::{self, Scalar};

/// A JSON value as a YAML document in block style.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    node(value, 0, false, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// In which order go-yaml writes the keys of a mapping: numbers in them by their size, letters behind all else but a
/// number that goes on. (`sorter.go`, with numbers of any length)
pub fn compare_keys(left: &str, right: &str) -> Ordering {
    let common = left.chars().zip(right.chars()).take_while(|(left, right)| left == right);
    let alike: usize = common.map(|(character, _)| character.len_utf8()).sum();
    let (Some(one), Some(other)) = (left[alike..].chars().next(), right[alike..].chars().next()) else {
        return left.len().cmp(&right.len());
    };
    let before = &left[..alike];
    let begun = before.len() - before.trim_end_matches(|last: char| last.is_ascii_digit()).len();
    match (one.is_alphabetic(), other.is_alphabetic()) {
        (false, false) if one.is_ascii_digit() && other.is_ascii_digit() => {
            number_at(left, alike - begun).cmp(&number_at(right, alike - begun))
        }
        (false, false) if one.is_ascii_digit() || other.is_ascii_digit() => {
            one.is_ascii_digit().cmp(&other.is_ascii_digit())
        }
        (true, true) | (false, false) => one.cmp(&other),
        (is_letter, _) if (begun > 0) == is_letter => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// What the digits at a place are compared by: how many they are without zeros before them, what they are then, and how
/// many there are in all.
fn number_at(text: &str, start: usize) -> (usize, &str, usize) {
    let text = &text[start..];
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let digits = text[..end].trim_start_matches('0');
    (digits.len(), digits, end)
}

/// Writes a value behind a key or a dash (`inline`), or at the start of a line.
fn node(value: &Value, indent: usize, inline: bool, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, member)) in map.iter().enumerate() {
                if index > 0 || !inline {
                    push_indent(indent, out);
                }
                text(key, None, out);
                out.push(':');
                match member {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push('\n');
                        node(member, indent + 2, false, out);
                    }
                    Value::Array(items) if !items.is_empty() => {
                        out.push('\n');
                        node(member, indent + 2, false, out);
                    }
                    _ => {
                        out.push(' ');
                        leaf(member, indent + 2, out);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 || !inline {
                    push_indent(indent, out);
                }
                out.push_str("- ");
                match item {
                    Value::Object(inner) if !inner.is_empty() => node(item, indent + 2, true, out),
                    Value::Array(inner) if !inner.is_empty() => node(item, indent + 2, true, out),
                    _ => leaf(item, indent + 2, out),
                }
            }
        }
        _ => leaf(value, indent, out),
    }
}

fn push_indent(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn leaf(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(value) => out.push_str(&number(value)),
        Value::String(string) => text(string, Some(indent), out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// Writes text plain, as a block of lines where `indent` allows one, or in quotes.
fn text(text: &str, indent: Option<usize>, out: &mut String) {
    let form = Form::of(text);
    match indent {
        Some(indent) if form.is_block => block(text, indent, out),
        // As a key without quotes it would merge what it has.
        None if text == "<<" => double(text, out),
        _ if form.is_plain => out.push_str(text),
        _ if form.is_single => {
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push('\'');
        }
        _ => double(text, out),
    }
}

fn block(text: &str, indent: usize, out: &mut String) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    out.push_str(if !text.ends_with('\n') {
        "-"
    } else if text.ends_with("\n\n") || text == "\n" {
        "+"
    } else {
        ""
    });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            // Also where it is all of the document: go-yaml wants a column at least.
            push_indent(indent.max(2), out);
            out.push_str(line);
        }
    }
}

fn double(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            character if is_printable(character) => out.push(character),
            character => out.push_str(&match character as u32 {
                code @ ..=0xFF => format!("\\x{code:02X}"),
                code @ ..=0xFFFF => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            }),
        }
    }
    out.push('"');
}

/// The forms that a text can be written in. Double quotes are always one.
struct Form {
    is_plain: bool,
    /// In single quotes: it says itself that it is text, but for what it begins with or has in it.
    is_single: bool,
    is_block: bool,
}

impl Form {
    /// As go-yaml decides. (`emitterc.go`, `encode.go`)
    fn of(text: &str) -> Form {
        let is_special = |character: char| !is_printable(character) && !matches!(character, '\t' | '\n');
        let (mut has_special, mut has_tab, mut has_break) = (false, false, false);
        let (mut has_indicator, mut blank_before_break, mut previous) =
            (text.starts_with("---") || text.starts_with("..."), false, None);
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let ends_word = characters.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            has_indicator |= match character {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`'
                    if previous.is_none() =>
                {
                    true
                }
                '?' | '-' => previous.is_none() && ends_word,
                ':' => ends_word,
                '#' => previous.is_some_and(|before: char| before.is_ascii_whitespace()),
                _ => false,
            };
            has_special |= is_special(character);
            has_tab |= character == '\t';
            has_break |= character == '\n';
            blank_before_break |= character == '\n' && previous == Some(' ');
            previous = Some(character);
        }
        let at_an_end = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
        let is_text = says_text(text);
        Form {
            is_plain: is_text && !has_indicator && !at_an_end && !has_special && !has_tab && !has_break,
            is_single: is_text && !has_special && !has_tab && !has_break,
            // go-yaml writes a tab at the beginning of a block, and does not read it.
            is_block: has_break
                && !has_special
                && !blank_before_break
                && !text.ends_with(' ')
                && !text.starts_with('\t'),
        }
    }
}

/// Whether a text without quotes is text to all readers, also to those that take `yes` for a truth value and `1:30` for
/// a number with the base 60.
fn says_text(text: &str) -> bool {
    const OLD_TRUTHS: [&str; 16] =
        ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"];
    let is_text = matches!(scalar::resolve(text, Style::Plain, None), Scalar::Text | Scalar::Merge);
    is_text && !is_base_60(text) && !OLD_TRUTHS.contains(&text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let is_sixtieth = |part: &str| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => matches!(ten, b'0'..=b'5') && one.is_ascii_digit(),
        _ => false,
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    first.starts_with(|first: char| first.is_ascii_digit())
        && is_digits(first)
        && is_digits(fraction)
        && whole.contains(':')
        && parts.all(is_sixtieth)
}

/// A number as go's `FormatFloat` writes it, as short as it reads back.
fn number(number: &serde_json::Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// What go-yaml writes as it is: no control character, nothing that some reader takes for a line break or a mark, and
/// nothing beyond the first 65,536 characters.
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        && (character as u32) < 0x1_0000
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compose::{Data, Value as Read, decode};
    use crate::source::Sources;

    fn read(value: &Read) -> Value {
        match &value.data {
            Data::Null => Value::Null,
            Data::Bool(truth) => json!(truth),
            Data::Int(number) => json!(*number as i64),
            Data::Float(number) => json!(number),
            Data::Time(text) | Data::Str(text) => json!(&**text),
            Data::Seq(items) => items.iter().map(read).collect(),
            Data::Map(map) => {
                Value::Object(map.iter().map(|(key, entry)| (key.to_string(), read(&entry.value))).collect())
            }
        }
    }

    #[test]
    fn keys_are_in_the_order_in_which_go_yaml_writes_them() {
        // Measured with `docker compose config`.
        let ordered = [
            "_a",
            "0",
            "00",
            "000",
            "1",
            "2",
            "9a",
            "9_",
            "10",
            "A",
            "A_1",
            "A1",
            "Z",
            "a",
            "a-b",
            "a_b",
            "a0",
            "a0b",
            "a0_",
            "a00",
            "a1",
            "a1b",
            "a1-",
            "a1.5",
            "a1.10",
            "a1_b",
            "a01",
            "a001",
            "a2",
            "a9",
            "a10",
            "a10b",
            "a99999999999999999999",
            "ab",
            "b",
            "foo",
            "foo 1",
            "foo.bar",
            "foo1",
            "n9m11",
            "n10m2",
            "n10m10",
            "x.y",
            "x_y",
            "xy",
            "é",
        ];
        let mut sorted = ordered.to_vec();
        sorted.reverse();
        sorted.sort_by(|left, right| compare_keys(left, right));
        assert_eq!(sorted, ordered);
    }

    #[test]
    fn what_is_written_reads_back_the_same_so_that_no_password_changes() {
        let strings = [
            "",
            " ",
            "a",
            "a b",
            "a: b",
            "a:",
            ":a",
            "a #b",
            "#a",
            "yes",
            "1",
            "0400",
            "1_000",
            "1e3",
            "null",
            "~",
            "2001-12-14",
            "<<",
            "=",
            "-",
            "- a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'",
            "\"",
            "\\",
            "a\nb",
            "a\n",
            "\na",
            "a\n\n",
            "\n",
            " a\nb",
            "a \nb",
            "a\tb",
            "a\r\nb",
            "é",
            "🙂",
            "\u{1}",
            "\u{85}",
            "\u{2028}",
            "\u{feff}a",
            "a\n\tb",
            "{a}",
            "[a]",
            "a, b",
            "|",
            ">",
            "$$x",
            "on",
            "0x1f",
            "0b1",
            ".5",
            ".inf",
            "a\n  b",
            "1:30",
            "\ta\nb",
            "\n\ta\nb",
            "190:20:30.5",
            "---",
            "... a",
            "it's",
            "'a': b",
            "\n  a\n",
            "a\n\n\n",
            "- ",
            "?",
            "\u{2029}a\n",
            "\u{ffff}",
            "\u{a0}",
        ];
        let mut map = serde_json::Map::new();
        for string in strings {
            map.insert(string.to_owned(), json!([string, {"k": string}, [string], {}, [], null, true, 1.5]));
        }
        let value = Value::Object(map);
        let text = write(&value);
        let mut sources = Sources::default();
        let id = sources.add("t", text.as_str());
        let documents = crate::yaml::parse(id, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read(&decode(&documents[0]).unwrap()), value, "{text}");
    }
}
