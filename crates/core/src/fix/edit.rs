//! Changes of a text by byte ranges: whatever is not in a range stays, byte for byte.

/// A range of a text and what takes its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What takes its place.
    pub text: String,
}

impl Edit {
    /// Puts text in at a place.
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Edit { start: at, end: at, text: text.into() }
    }

    /// Replaces a range.
    pub fn replace(start: usize, end: usize, text: impl Into<String>) -> Self {
        Edit { start, end, text: text.into() }
    }
}

/// The text with all edits; `None` if two of them are about the same bytes. Texts that go in at the same
/// place stand in the order of the edits.
pub fn apply(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        result.push_str(text.get(at..edit.start)?);
        result.push_str(&edit.text);
        at = edit.end;
    }
    result.push_str(text.get(at..)?);
    Some(result)
}

/// How a text ends its first line, and so the others.
pub(super) fn newline(text: &str) -> &'static str {
    let end = text.find('\n').unwrap_or_default();
    if text[..end].ends_with('\r') { "\r\n" } else { "\n" }
}

/// Where the line that holds `at` starts, behind a byte order mark.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    text[..at].rfind('\n').map_or(mark.min(at), |newline| newline + 1)
}

/// One past the line break of the line that holds `at`, or the end of the text.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// The column of a place, in bytes.
pub(super) fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_all_other_bytes_and_their_order_at_one_place() {
        let edits = vec![Edit::insert(3, "1"), Edit::replace(4, 5, "X"), Edit::insert(3, "2")];
        assert_eq!(apply("abc\u{e9}f", vec![]).as_deref(), Some("abc\u{e9}f"));
        assert_eq!(apply("abcdef", edits).as_deref(), Some("abc12dXf"));
        assert_eq!(apply("abc", vec![Edit::replace(0, 2, ""), Edit::replace(1, 3, "")]), None);
    }
}
