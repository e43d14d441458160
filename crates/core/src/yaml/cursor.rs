//! A place in a text that knows its line and column, and what counts as blank and as a line break.

/// Where something begins.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// In bytes.
    pub(super) at: usize,
    pub(super) line: usize,
    /// In characters, from 0.
    pub(super) column: isize,
}

/// Reads a text from its beginning to its end. The end reads as a zero byte; no text has one of its own
/// ([`forbidden`]).
pub(super) struct Cursor<'t> {
    pub(super) text: &'t str,
    bytes: &'t [u8],
    mark: Mark,
    /// Whether nothing but blanks has been passed since the last line break.
    pub(super) broken: bool,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Cursor { text, bytes: text.as_bytes(), mark: Mark { at, line: 0, column: 0 }, broken: false }
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(super) fn at(&self) -> usize {
        self.mark.at
    }

    pub(super) fn column(&self) -> isize {
        self.mark.column
    }

    /// The byte `ahead` bytes on.
    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.mark.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn is_end(&self, ahead: usize) -> bool {
        self.peek(ahead) == 0
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), b' ' | b'\t')
    }

    /// How many bytes the line break has that begins there; 0 if none does. YAML 1.1 has more of them than 1.2.
    pub(super) fn line_break(&self, ahead: usize) -> usize {
        match self.peek(ahead) {
            b'\r' if self.peek(ahead + 1) == b'\n' => 2,
            b'\r' | b'\n' => 1,
            0xC2 if self.peek(ahead + 1) == 0x85 => 2,
            0xE2 if self.peek(ahead + 1) == 0x80 && matches!(self.peek(ahead + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        self.line_break(ahead) > 0
    }

    /// A line break or the end.
    pub(super) fn is_line_end(&self, ahead: usize) -> bool {
        self.is_end(ahead) || self.is_break(ahead)
    }

    /// A blank, a line break or the end.
    pub(super) fn is_gap(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_line_end(ahead)
    }

    /// Whether `---` or `...` stands here, alone at the beginning of its line.
    pub(super) fn document_marker(&self) -> Option<u8> {
        let first = self.peek(0);
        let three = matches!(first, b'-' | b'.') && self.peek(1) == first && self.peek(2) == first;
        (self.mark.column == 0 && three && self.is_gap(3)).then_some(first)
    }

    /// Goes on by one character, which is no line break.
    pub(super) fn skip(&mut self) {
        let first = self.peek(0);
        if !matches!(first, b' ' | b'\t') {
            self.broken = false;
        }
        self.mark.at += match first {
            0..=0x7F => 1,
            0x80..=0xDF => 2,
            0xE0..=0xEF => 3,
            _ => 4,
        };
        self.mark.column += 1;
    }

    /// Goes on by so many bytes of ASCII that are neither blanks nor line breaks.
    pub(super) fn skip_ascii(&mut self, count: usize) {
        self.broken &= count == 0;
        self.mark.at += count;
        self.mark.column += count as isize;
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// Goes on to the end of the line.
    pub(super) fn skip_line(&mut self) {
        while !self.is_line_end(0) {
            self.skip();
        }
    }

    /// Goes on behind the line break that is here, and says what it is as text.
    pub(super) fn skip_break(&mut self) -> &'static str {
        let width = self.line_break(0);
        let text = match (width, self.peek(2)) {
            (0, _) => return "",
            (3, 0xA8) => "\u{2028}",
            (3, _) => "\u{2029}",
            _ => "\n",
        };
        self.mark = Mark { at: self.mark.at + width, line: self.mark.line + 1, column: 0 };
        self.broken = true;
        text
    }

    /// The line ends with the text.
    pub(super) fn end(&mut self) {
        if self.mark.column > 0 {
            self.mark.line += 1;
            self.mark.column = 0;
        }
    }

    /// The text from a place to here.
    pub(super) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.mark.at).unwrap_or_default()
    }
}

/// The first character that YAML does not allow in a text, by its place.
pub(super) fn forbidden(text: &str) -> Option<usize> {
    let plain = |byte: &u8| matches!(byte, 0x20..=0x7E | b'\t' | b'\n' | b'\r');
    if text.as_bytes().iter().all(plain) {
        return None;
    }
    let allowed = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    text.char_indices().find(|(_, character)| !allowed(*character)).map(|(at, _)| at)
}
