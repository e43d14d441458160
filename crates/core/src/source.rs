//! Text and where it came from. Every later thing points back here by [`Span`].

use std::fmt;
use std::sync::Arc;

use crate::files::join;

/// Which file of a [`Sources`] a span lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

/// A byte range of one file: `start` inclusive, `end` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The part of this span from `from` to `to`, both counted from its start.
    pub fn slice(self, from: usize, to: usize) -> Span {
        let at = |offset: usize| self.start.saturating_add(offset as u32).min(self.end);
        Span { file: self.file, start: at(from), end: at(to) }
    }

    /// Whether `other` lies wholly in this span.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }
}

/// A place as people count: lines and columns from 1, columns in Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalar values, from 1.
    pub column: u32,
}

/// One text with the path under which people know it.
pub struct SourceFile {
    path: String,
    identity: Option<Box<str>>,
    text: Arc<str>,
    line_starts: Vec<u32>,
    /// Places that are still asked for when the text is gone, by offset.
    places: Box<[(u32, Position)]>,
}

impl SourceFile {
    /// The path as given, for messages.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What tells the file from others wherever the user stands ([`Sources::identify`]); as long as nobody has said
    /// it, its clean path.
    pub fn identity(&self) -> String {
        self.identity.as_deref().map_or_else(|| join("", &self.path), str::to_owned)
    }

    /// The whole text. A byte order mark is kept, so that offsets fit the bytes on disk.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn line_index(&self, offset: u32) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The byte range of the line that `offset` lies in, without its line break.
    pub fn line_range(&self, offset: u32) -> (usize, usize) {
        let line = self.line_index(offset);
        let start = self.line_starts[line] as usize;
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| *next as usize);
        let length = self.text[start..end].trim_end_matches(['\n', '\r']).len();
        (start, start + length)
    }

    /// The place of a byte offset.
    pub fn position(&self, offset: u32) -> Position {
        if let Ok(known) = self.places.binary_search_by_key(&offset, |(offset, _)| *offset) {
            return self.places[known].1;
        }
        let offset = offset.min(self.text.len() as u32);
        let line = self.line_index(offset);
        let start = self.line_starts[line] as usize;
        let before = self.text.get(start..offset as usize).unwrap_or_default();
        let mut column = before.chars().count() as u32 + 1;
        if start == 0 && before.starts_with('\u{feff}') {
            column -= 1;
        }
        Position { line: line as u32 + 1, column }
    }
}

// Files hold secrets: no Debug of the text.
impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile").field("path", &self.path).field("bytes", &self.text.len()).finish()
    }
}

/// All texts that one run has read.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Takes a text in.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1))
            .collect();
        self.files.push(SourceFile {
            path: path.into(),
            identity: None,
            text,
            line_starts,
            places: Box::default(),
        });
        FileId(self.files.len() as u32 - 1)
    }

    /// Says what tells each file from others, from its path.
    pub fn identify(&mut self, identity: impl Fn(&str) -> String) {
        for file in &mut self.files {
            file.identity = Some(identity(&file.path).into_boxed_str());
        }
    }

    /// Gives back the texts that nobody asks for any more: of the files that `spans` lie in they stay if `texts` says
    /// so, else the places of the spans.
    pub fn keep_only(&mut self, spans: &[Span], texts: bool) {
        for (at, file) in self.files.iter_mut().enumerate() {
            let own = spans.iter().filter(|span| span.file == FileId(at as u32));
            let mut offsets: Vec<u32> = own.flat_map(|span| [span.start, span.end]).collect();
            if texts && !offsets.is_empty() {
                continue;
            }
            offsets.sort_unstable();
            offsets.dedup();
            file.places = offsets.into_iter().map(|offset| (offset, file.position(offset))).collect();
            (file.text, file.line_starts) = ("".into(), vec![0]);
        }
    }

    /// One file.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// All files with their ids, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(at, file)| (FileId(at as u32), file))
    }

    /// The source text that a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Where a range of a scalar's text is written. `scalar` is the scalar's span, `text` its text after
    /// YAML's own escapes. Where escapes or folding hide the place, it is the whole scalar.
    pub fn within(&self, scalar: Span, text: &str, range: std::ops::Range<usize>) -> Span {
        let written = self.slice(scalar);
        if written == text {
            return scalar.slice(range.start, range.end);
        }
        if written.len() == text.len() + 2 && written.get(1..=text.len()) == Some(text) {
            return scalar.slice(range.start + 1, range.end + 1);
        }
        if !written.starts_with(['"', '\'']) && text.contains('\n') {
            return match (line_align(written, text, range.start), line_align(written, text, range.end)) {
                (Some(start), Some(end)) if start <= end => scalar.slice(start, end),
                _ => {
                    align_words(written, text, range).map_or(scalar, |(start, end)| scalar.slice(start, end))
                }
            };
        }
        match (align(written, text, range.start), align(written, text, range.end)) {
            (Some(start), Some(end)) if start <= end => scalar.slice(start, end),
            _ => align_words(written, text, range).map_or(scalar, |(start, end)| scalar.slice(start, end)),
        }
    }

    /// Where each byte of a scalar's text is written, and its end, as offsets of the file; `None` where escapes or
    /// folding hide it. As [`Sources::within`] for all of it at once.
    pub fn offsets(&self, scalar: Span, text: &str) -> Option<Vec<usize>> {
        let written = self.slice(scalar);
        let first = scalar.start as usize;
        let mut offsets: Vec<usize> = Vec::with_capacity(text.len() + 1);
        if written.starts_with(['"', '\'']) || !text.contains('\n') {
            let told = walk(written, text, |at, source| {
                // The bytes of one character stand side by side.
                while offsets.last().is_some() && offsets.len() < at {
                    offsets.push(offsets[offsets.len() - 1] + 1);
                }
                offsets.push(first + source);
                true
            });
            told?;
        } else {
            let mut lines = written.split_inclusive('\n');
            let mut start = first;
            for own in text.split_inclusive('\n') {
                let line = lines.next()?;
                let content = own.strip_suffix('\n').unwrap_or(own);
                let whole = line.trim_end_matches(['\n', '\r']);
                let indentation = whole.len().saturating_sub(content.len());
                if !content.is_empty() && !whole.ends_with(content) {
                    return None;
                }
                offsets.extend((0..own.len()).map(|at| start + indentation + at));
                start += line.len();
            }
            offsets.push(offsets.last().map_or(start, |last| last + 1));
        }
        (offsets.len() == text.len() + 1).then_some(offsets)
    }

    /// First and last place of a span; the last is one past the end.
    pub fn range(&self, span: Span) -> (Position, Position) {
        let file = self.file(span.file);
        (file.position(span.start), file.position(span.end))
    }
}

/// The same for a block scalar, line by line: each line is written as it is, behind its indentation.
fn line_align(written: &str, text: &str, offset: usize) -> Option<usize> {
    let line = text[..offset].matches('\n').count();
    let column = offset - text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let own = text.split('\n').nth(line)?;
    let start: usize = written.split_inclusive('\n').take(line).map(str::len).sum();
    // The end of the last line is the end of the whole.
    let source = written.get(start..)?.split('\n').next()?.trim_end_matches('\r');
    if own.is_empty() {
        return Some((start + column).min(written.len()));
    }
    let indentation = source.len().checked_sub(own.len()).filter(|_| source.ends_with(own))?;
    Some(start + indentation + column)
}

/// The offset in `written` at which the text at `offset` is written.
fn align(written: &str, text: &str, offset: usize) -> Option<usize> {
    let mut found = None;
    walk(written, text, |at, source| {
        found = (at == offset).then_some(source);
        at != offset
    });
    found
}

/// From where to where a range of the text is written, where lines are folded in ways that the others do not follow: only
/// what is no blank has to agree, and any blanks stand for any others. `None` where escapes hide it.
fn align_words(written: &str, text: &str, range: std::ops::Range<usize>) -> Option<(usize, usize)> {
    let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''));
    let mut source = written.char_indices().skip(usize::from(quote.is_some()));
    let mut place: Option<(usize, usize)> = None;
    for (at, expected) in text.char_indices().filter(|(_, character)| !character.is_whitespace()) {
        if at >= range.end {
            break;
        }
        let (start, end) = loop {
            let (start, found) = source.next()?;
            let (last, character) = match (quote, found) {
                (Some('"'), '\\') | (Some('\''), '\'') => source.next()?,
                _ => (start, found),
            };
            // `\n`, and a line that goes on.
            if character.is_whitespace() || (last > start && matches!(character, 'n' | 'r' | 't')) {
                continue;
            }
            if character != expected || (last > start && !matches!(character, '"' | '\'' | '\\' | '/')) {
                return None;
            }
            break (start, last + character.len_utf8());
        };
        if at >= range.start {
            place = Some((place.map_or(start, |(first, _)| first), end));
        }
    }
    place
}

/// Tells for each character of the text, and for its end, at which offset it is written, until it is told to stop or
/// cannot: walks both, passing over quotes, indentation, folded line breaks and escapes.
fn walk(written: &str, text: &str, mut goes_on: impl FnMut(usize, usize) -> bool) -> Option<()> {
    let double = written.starts_with('"');
    let mut source = written.char_indices().peekable();
    if written.starts_with(['"', '\'']) {
        source.next();
    }
    let mut line_start = false;
    for (at, expected) in text.char_indices() {
        // Indentation belongs to no text, unless the text itself goes on with a space.
        while line_start && source.peek().is_some_and(|(_, found)| *found == ' ' && expected != ' ') {
            source.next();
        }
        line_start = false;
        let (start, found) = source.next()?;
        if !goes_on(at, start) {
            return Some(());
        }
        if found == expected {
            if found == '\'' && !double && source.peek().is_some_and(|(_, next)| *next == '\'') {
                source.next();
            }
            if double && found == '\\' {
                source.next();
            }
            if found == '\n' {
                line_start = true;
            }
        } else if found == '\n' && expected == ' ' {
            line_start = true;
        } else if double && found == '\\' {
            let (_, escape) = source.next()?;
            let more = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            for _ in 0..more {
                source.next();
            }
        } else {
            return None;
        }
    }
    goes_on(text.len(), source.peek().map_or(written.len(), |(at, _)| *at));
    Some(())
}

/// A span that covers the whole of a file's first byte, for findings about a file as such.
pub fn file_start(file: FileId) -> Span {
    Span { file, start: 0, end: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_skip_the_byte_order_mark() {
        let mut sources = Sources::default();
        let id = sources.add("compose.yaml", "\u{feff}a: 🙂b\nc: d\n");
        let file = sources.file(id);
        let at = |needle: &str| file.position(file.text().find(needle).unwrap() as u32);
        assert_eq!(at("a:"), Position { line: 1, column: 1 });
        assert_eq!(at("b\n"), Position { line: 1, column: 5 });
        assert_eq!(at("d"), Position { line: 2, column: 4 });
    }

    #[test]
    fn a_part_of_a_scalar_is_found_in_every_style_so_that_masks_hit_it() {
        let cases = [
            ("PASSWORD=canary", "PASSWORD=canary", "canary"),
            ("\"PASSWORD=canary\"", "PASSWORD=canary", "canary"),
            ("'it''s=canary'", "it's=canary", "canary"),
            (r#""a\tb=\u00e9canary""#, "a\tb=écanary", r"\u00e9canary"),
            ("one\n    two=canary\n", "one\ntwo=canary\n", "canary\n"),
            ("one:\n\n      two: 3\n      two=canary", "one:\n\n  two: 3\n  two=canary", "canary"),
            ("\\ \"x", "something else", "\\ \"x"),
            // `>` with a line that is indented further, and a line that goes on.
            (
                "sh -c 'a\n        b\n      two=canary\n      '",
                "sh -c 'a\n  b\ntwo=canary '",
                "canary\n      '",
            ),
            ("\"a \\\n   \\\"b\\\" \\\n  two=\\\"canary\\\"\"", "a \"b\" two=\"canary\"", "\\\"canary\\\""),
        ];
        for (written, text, expected) in cases {
            let mut sources = Sources::default();
            let file = sources.add("t", written);
            let scalar = Span { file, start: 0, end: written.len() as u32 };
            let from = text.find('=').map_or(3, |at| at + 1);
            assert_eq!(sources.slice(sources.within(scalar, text, from..text.len())), expected, "{written}");
        }
    }

    #[test]
    fn debug_of_a_file_shows_no_text() {
        let mut sources = Sources::default();
        sources.add("compose.yaml", "PASSWORD: canary");
        assert!(!format!("{sources:?}").contains("canary"));
    }
}
