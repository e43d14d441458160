//! Writes YAML that reads back as what it was, for Compose and for us: whatever a reader could take for
//! something else is quoted.

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
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(string) => text(string, Some(indent), out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// Writes text plain, as a block of lines where `indent` allows one, or in quotes.
fn text(text: &str, indent: Option<usize>, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    if let Some(indent) = indent
        && is_block(text)
    {
        out.push('|');
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
        return;
    }
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            character if is_printable(character) => out.push(character),
            character if (character as u32) < 0x1_0000 => {
                out.push_str(&format!("\\u{:04x}", character as u32));
            }
            character => out.push_str(&format!("\\U{:08x}", character as u32)),
        }
    }
    out.push('"');
}

fn is_plain(text: &str) -> bool {
    const INDICATORS: &[char] = &[
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '=',
        ' ',
    ];
    let old_truths = ["y", "n", "yes", "no", "on", "off"];
    !text.is_empty()
        && !text.starts_with(INDICATORS)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(|character| is_printable(character) && !matches!(character, '\t' | '\u{85}'))
        && matches!(scalar::resolve(text, Style::Plain, None), Scalar::Text)
        && !old_truths.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether text can be written as a literal block: lines of printable text, the first not indented.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|character| character == '\n' || is_printable(character))
        && !text.split('\n').any(|line| line.ends_with(' ') || line.starts_with('\t'))
}

/// YAML's printable characters but those that some reader takes for a line break or a mark.
fn is_printable(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
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
