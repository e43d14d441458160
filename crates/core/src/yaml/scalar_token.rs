//! The scalars among the tokens: plain, in quotes, and as blocks of lines.

use super::cursor::Cursor;
use super::event::{Style, SyntaxError};
use super::scanner::{Scanner, Token, TokenKind, refuse};

/// Text that is taken from the source as it is, as long as it is one piece.
struct Text<'t> {
    source: &'t str,
    /// What is put together already, of several pieces.
    joined: Option<String>,
    piece: std::ops::Range<usize>,
}

impl<'t> Text<'t> {
    fn new(cursor: &Cursor<'t>) -> Self {
        Text { source: cursor.text, joined: None, piece: cursor.at()..cursor.at() }
    }

    /// The piece goes on to here.
    fn extend_to(&mut self, end: usize) {
        self.piece.end = end;
    }

    fn push(&mut self, text: &str) {
        let piece = self.source.get(self.piece.clone()).unwrap_or_default();
        let joined = self.joined.get_or_insert_default();
        joined.push_str(piece);
        joined.push_str(text);
        self.piece.start = self.piece.end;
    }

    /// The next piece begins here.
    fn resume_at(&mut self, start: usize) {
        if self.piece.is_empty() {
            self.piece = start..start;
        } else {
            self.push("");
            self.piece = start..start;
        }
    }

    fn finish(mut self) -> Box<str> {
        if self.joined.is_some() {
            self.push("");
        }
        match self.joined {
            Some(joined) => joined.into_boxed_str(),
            None => self.source.get(self.piece).unwrap_or_default().into(),
        }
    }
}

/// The line breaks between two lines of a scalar that is no block: one is a space, of more the first is nothing.
#[derive(Default)]
struct Fold {
    first: &'static str,
    more: String,
}

impl Fold {
    fn add(&mut self, line_break: &'static str) {
        if self.first.is_empty() {
            self.first = line_break;
        } else {
            self.more.push_str(line_break);
        }
    }

    fn push_to(&mut self, text: &mut Text<'_>) {
        match (self.first, self.more.as_str()) {
            ("\n", "") => text.push(" "),
            ("\n", more) => text.push(more),
            (first, more) => {
                text.push(first);
                text.push(more);
            }
        }
        self.first = "";
        self.more.clear();
    }
}

/// How a block ends: `-`, nothing, `+`.
#[derive(PartialEq, Eq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}

type Scanned<T> = Result<T, SyntaxError>;

impl Scanner<'_> {
    pub(super) fn plain(&mut self) -> Scanned<Token> {
        let start = self.cursor.at();
        let indent = self.indent + 1;
        let mut text = Text::new(&self.cursor);
        let mut fold = Fold::default();
        let mut folded = false;
        while self.cursor.document_marker().is_none() && self.cursor.peek(0) != b'#' {
            if !self.ends_plain() {
                if folded {
                    fold.push_to(&mut text);
                    text.resume_at(self.cursor.at());
                    folded = false;
                }
                self.skip_plain_word();
                text.extend_to(self.cursor.at());
            }
            if !self.cursor.is_blank(0) && !self.cursor.is_break(0) {
                break;
            }
            loop {
                if self.cursor.is_break(0) {
                    fold.add(self.cursor.skip_break());
                    folded = true;
                } else if self.cursor.is_blank(0) {
                    if folded && self.cursor.column() < indent && self.cursor.peek(0) == b'\t' {
                        return refuse(
                            "a tab stands where only spaces indent; write spaces",
                            self.cursor.at(),
                        );
                    }
                    self.cursor.skip();
                } else {
                    break;
                }
            }
            if self.flow == 0 && self.cursor.column() < indent {
                break;
            }
        }
        // A line break behind a plain scalar has been passed here.
        self.key_allowed |= folded;
        let end = text.piece.end;
        Ok(Token { kind: TokenKind::Scalar(text.finish(), Style::Plain), start, end })
    }

    /// Whether a plain scalar has no more characters here.
    fn ends_plain(&self) -> bool {
        match self.cursor.peek(0) {
            b':' => self.cursor.is_gap(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow > 0,
            _ => self.cursor.is_gap(0),
        }
    }

    fn skip_plain_word(&mut self) {
        loop {
            let mut ascii = 0;
            while matches!(self.cursor.peek(ascii), b'!'..=b'+' | b'-'..=b'9' | b';'..=b'>' | b'@'..=b'Z' | b'\\' | b'^'..=b'z' | b'|' | b'~')
            {
                ascii += 1;
            }
            self.cursor.skip_ascii(ascii);
            if self.ends_plain() {
                return;
            }
            self.cursor.skip();
        }
    }

    pub(super) fn quoted(&mut self, single: bool) -> Scanned<Token> {
        let start = self.cursor.at();
        let quote = if single { b'\'' } else { b'"' };
        self.cursor.skip();
        let mut text = Text::new(&self.cursor);
        let mut fold = Fold::default();
        loop {
            if self.cursor.document_marker().is_some() {
                return refuse("a document ends inside of quotes; close the quotes before it", start);
            }
            if self.cursor.is_end(0) {
                return refuse("quotes are opened here and never closed", start);
            }
            let mut continued = false;
            while !self.cursor.is_gap(0) {
                let byte = self.cursor.peek(0);
                if byte == quote && single && self.cursor.peek(1) == b'\'' {
                    text.push("'");
                    self.cursor.skip_ascii(2);
                    text.resume_at(self.cursor.at());
                } else if byte == quote {
                    break;
                } else if byte == b'\\' && !single && self.cursor.is_break(1) {
                    self.cursor.skip();
                    self.cursor.skip_break();
                    text.resume_at(self.cursor.at());
                    continued = true;
                    break;
                } else if byte == b'\\' && !single {
                    let mut utf8 = [0; 4];
                    let escaped = self.escaped()?.encode_utf8(&mut utf8);
                    text.push(escaped);
                    text.resume_at(self.cursor.at());
                } else {
                    self.cursor.skip();
                    text.extend_to(self.cursor.at());
                }
            }
            if self.cursor.peek(0) == quote {
                break;
            }
            let mut folded = continued;
            while self.cursor.is_blank(0) || self.cursor.is_break(0) {
                if self.cursor.is_break(0) {
                    let line_break = self.cursor.skip_break();
                    if folded && fold.first.is_empty() {
                        fold.more.push_str(line_break);
                    } else {
                        fold.add(line_break);
                    }
                    folded = true;
                } else {
                    self.cursor.skip();
                }
            }
            if folded {
                fold.push_to(&mut text);
                text.resume_at(self.cursor.at());
            } else {
                text.extend_to(self.cursor.at());
            }
        }
        self.cursor.skip();
        let style = if single { Style::Single } else { Style::Double };
        Ok(Token { kind: TokenKind::Scalar(text.finish(), style), start, end: self.cursor.at() })
    }

    /// The character that an escape stands for.
    fn escaped(&mut self) -> Scanned<char> {
        let start = self.cursor.at();
        self.cursor.skip();
        let digits = match self.cursor.peek(0) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        let character = match self.cursor.peek(0) {
            b'0' => '\0',
            b'a' => '\u{7}',
            b'b' => '\u{8}',
            b't' | b'\t' => '\t',
            b'n' => '\n',
            b'v' => '\u{b}',
            b'f' => '\u{c}',
            b'r' => '\r',
            b'e' => '\u{1b}',
            same @ (b' ' | b'"' | b'\'' | b'\\') => same as char,
            b'N' => '\u{85}',
            b'_' => '\u{a0}',
            b'L' => '\u{2028}',
            b'P' => '\u{2029}',
            _ if digits > 0 => {
                let mut number = 0;
                for ahead in 1..=digits {
                    match (self.cursor.peek(ahead) as char).to_digit(16) {
                        Some(digit) => number = number << 4 | digit,
                        None => {
                            return refuse(
                                "`\\x` in double quotes is followed by two hexadecimal digits, `\\u` by four, `\\U` by \
                                 eight; write `\\\\` for a backslash",
                                start,
                            );
                        }
                    }
                }
                match char::from_u32(number) {
                    Some(character) => character,
                    None => return refuse("this escape in double quotes is no character", start),
                }
            }
            _ => {
                return refuse(
                    "a backslash in double quotes begins an escape, and there is none with this letter; write `\\\\`, or \
                     use single quotes",
                    start,
                );
            }
        };
        self.cursor.skip_ascii(1 + digits);
        Ok(character)
    }

    pub(super) fn block_scalar(&mut self, literal: bool) -> Scanned<Token> {
        let header = self.cursor.at();
        self.cursor.skip();
        let mut chomp = self.chomp();
        let mut indent = 0;
        if self.cursor.peek(0).is_ascii_digit() {
            let digit = isize::from(self.cursor.peek(0) - b'0');
            if digit == 0 {
                return refuse("the lines of a block are indented by 1 at least", header);
            }
            indent = self.indent.max(0) + digit;
            self.cursor.skip();
            chomp = chomp.or_else(|| self.chomp());
        }
        let chomp = chomp.unwrap_or(Chomp::Clip);
        self.cursor.skip_blanks();
        if self.cursor.peek(0) == b'#' {
            self.cursor.skip_line();
        }
        if !self.cursor.is_line_end(0) {
            return refuse(
                "a block of lines (`|`, `>`) begins in the line below; write it there",
                self.cursor.at(),
            );
        }
        self.cursor.skip_break();
        let mut text = String::new();
        let mut breaks = String::new();
        let mut end = self.block_breaks(&mut indent, &mut breaks)?;
        // Where it is written: from its first line with text on, behind the indentation.
        let has_text = self.cursor.column() == indent && !self.cursor.is_end(0);
        let start = if has_text { self.cursor.at() } else { end };
        let mut leading_break = "";
        let mut after_blank = false;
        while self.cursor.column() == indent && !self.cursor.is_end(0) {
            let blank = self.cursor.is_blank(0);
            if literal || after_blank || blank || leading_break != "\n" {
                text.push_str(leading_break);
            } else if breaks.is_empty() {
                text.push(' ');
            }
            text.push_str(&breaks);
            breaks.clear();
            after_blank = blank;
            let line = self.cursor.at();
            self.cursor.skip_line();
            text.push_str(self.cursor.since(line));
            leading_break = self.cursor.skip_break();
            end = self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomp != Chomp::Strip {
            text.push_str(leading_break);
        }
        if chomp == Chomp::Keep {
            text.push_str(&breaks);
        }
        let style = if literal { Style::Literal } else { Style::Folded };
        Ok(Token { kind: TokenKind::Scalar(text.into_boxed_str(), style), start, end })
    }

    fn chomp(&mut self) -> Option<Chomp> {
        let chomp = match self.cursor.peek(0) {
            b'-' => Chomp::Strip,
            b'+' => Chomp::Keep,
            _ => return None,
        };
        self.cursor.skip();
        Some(chomp)
    }

    /// Passes over empty lines and the indentation of the next one, which says how far a block is indented if nothing
    /// else has. The place is where the block ends if no line follows.
    fn block_breaks(&mut self, indent: &mut isize, breaks: &mut String) -> Scanned<usize> {
        let mut end = self.cursor.at();
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.cursor.column() < *indent) && self.cursor.peek(0) == b' ' {
                self.cursor.skip();
            }
            deepest = deepest.max(self.cursor.column());
            if (*indent == 0 || self.cursor.column() < *indent) && self.cursor.peek(0) == b'\t' {
                return refuse("a tab stands where only spaces indent; write spaces", self.cursor.at());
            }
            if !self.cursor.is_break(0) {
                break;
            }
            breaks.push_str(self.cursor.skip_break());
            end = self.cursor.at();
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(end)
    }
}
