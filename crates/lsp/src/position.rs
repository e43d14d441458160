//! Byte offsets and the protocol's positions: lines from 0, columns in the units that client and server agreed on.

use cosec_core::source::{Sources, Span};
use lsp_types::{Position, PositionEncodingKind, Range};

/// In what columns are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16,
    Utf32,
}

impl Encoding {
    /// The best of those that a client offers: bytes, else UTF-16, which each client knows.
    pub(crate) fn of(offered: Option<&[PositionEncodingKind]>) -> Self {
        let has = |kind| offered.is_some_and(|offered| offered.contains(&kind));
        if has(PositionEncodingKind::UTF8) {
            Encoding::Utf8
        } else if !has(PositionEncodingKind::UTF16) && has(PositionEncodingKind::UTF32) {
            Encoding::Utf32
        } else {
            Encoding::Utf16
        }
    }

    pub(crate) fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width(self, character: char) -> usize {
        match self {
            Encoding::Utf8 => character.len_utf8(),
            Encoding::Utf16 => character.len_utf16(),
            Encoding::Utf32 => 1,
        }
    }

    /// The position of a byte offset, which is a character's.
    pub(crate) fn position(self, text: &str, offset: usize) -> Position {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        Position { line: line as u32, character: self.column(&before[start..]) }
    }

    /// The column behind the beginning of a line.
    fn column(self, before: &str) -> u32 {
        before.chars().map(|character| self.width(character)).sum::<usize>() as u32
    }

    /// The byte offset of a position. Past a line's end is its end, past the last line the text's.
    pub(crate) fn offset(self, text: &str, position: Position) -> usize {
        let mut lines = text.split_inclusive('\n');
        let start: usize = lines.by_ref().take(position.line as usize).map(str::len).sum();
        let line = lines.next().unwrap_or_default().trim_end_matches(['\n', '\r']);
        let (mut column, mut at) = (0, 0);
        for character in line.chars() {
            if column >= position.character as usize {
                break;
            }
            column += self.width(character);
            at += character.len_utf8();
        }
        start + at
    }

    /// Where a span is. The lines are known already, so that a long file costs no more than a short one.
    pub(crate) fn range(self, sources: &Sources, span: Span) -> Range {
        let file = sources.file(span.file);
        let position = |offset: u32| {
            let (start, _) = file.line_range(offset);
            let before = file.text().get(start..offset as usize).unwrap_or_default();
            Position { line: file.position(offset).line - 1, character: self.column(before) }
        };
        Range { start: position(span.start), end: position(span.end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_right_behind_umlauts_and_emoji_in_each_encoding() {
        let text = "a: 1\r\nü🙂: pw\n";
        let at = text.find("pw").unwrap();
        for (encoding, column) in [(Encoding::Utf8, 8), (Encoding::Utf16, 5), (Encoding::Utf32, 4)] {
            let position = Position { line: 1, character: column };
            assert_eq!(encoding.position(text, at), position, "{encoding:?}");
            assert_eq!(encoding.offset(text, position), at, "{encoding:?}");
        }
        assert_eq!(Encoding::Utf8.offset(text, Position { line: 0, character: 99 }), 4);
        assert_eq!(Encoding::Utf8.offset(text, Position { line: 9, character: 0 }), text.len());
    }

    #[test]
    fn a_client_that_says_nothing_gets_utf_16() {
        assert_eq!(Encoding::of(None), Encoding::Utf16);
        assert_eq!(Encoding::of(Some(&[PositionEncodingKind::UTF32])), Encoding::Utf32);
        let both = [PositionEncodingKind::UTF16, PositionEncodingKind::UTF8];
        assert_eq!(Encoding::of(Some(&both)), Encoding::Utf8);
    }
}
