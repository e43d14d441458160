//! From characters to tokens, as go-yaml does it, which Compose reads with: YAML 1.1 with that parser's own habits. What
//! it takes and refuses decides, not what the specification says.

use std::collections::VecDeque;

use super::cursor::{Cursor, Mark};
use super::event::{Style, SyntaxError};

/// What the grammar of [`super::event`] is made of.
pub(super) enum TokenKind {
    StreamEnd,
    /// `%YAML 1.1`: major and minor.
    Version(u8, u8),
    /// `%TAG ! tag:x,2000:`: handle and prefix.
    TagDirective(Box<str>, Box<str>),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    /// `-`
    BlockEntry,
    /// `,`
    FlowEntry,
    /// `?`, or the place before a key without one.
    Key,
    /// `:`
    Value,
    Alias(Box<str>),
    Anchor(Box<str>),
    /// Handle and suffix.
    Tag(Box<str>, Box<str>),
    Scalar(Box<str>, Style),
}

/// A token and where it is written, in bytes.
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Something that is a key if a `:` follows it.
struct SimpleKey {
    possible: bool,
    /// It stands where nothing but a key may.
    required: bool,
    /// Its token, counted from the first of the text.
    token: usize,
    mark: Mark,
}

/// A key without `?` has one line and so many characters.
const LONGEST_KEY: usize = 1024;

/// As far as go-yaml looks for the comment of a token or the next line of a comment, in bytes.
const COMMENT_REACH: usize = 512;

pub(super) struct Scanner<'t> {
    pub(super) cursor: Cursor<'t>,
    tokens: VecDeque<Token>,
    /// How many tokens have been taken.
    taken: usize,
    pub(super) indent: isize,
    indents: Vec<isize>,
    /// How many brackets are open.
    pub(super) flow: usize,
    pub(super) key_allowed: bool,
    /// For the block and each open bracket.
    keys: Vec<SimpleKey>,
}

type Scanned<T = ()> = Result<T, SyntaxError>;

pub(super) fn refuse<T>(message: &'static str, offset: usize) -> Scanned<T> {
    Err(SyntaxError { message, offset })
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let cursor = Cursor::new(text);
        let none = SimpleKey { possible: false, required: false, token: 0, mark: cursor.mark() };
        Scanner {
            cursor,
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            flow: 0,
            key_allowed: true,
            keys: vec![none],
        }
    }

    /// The next token, which stays.
    pub(super) fn peek(&mut self) -> Scanned<&Token> {
        while self.tokens.is_empty() || self.head_may_be_key()? {
            self.fetch()?;
        }
        Ok(&self.tokens[0])
    }

    /// Takes the next token away.
    pub(super) fn take(&mut self) -> Scanned<Token> {
        self.peek()?;
        self.taken += 1;
        match self.tokens.pop_front() {
            Some(token) => Ok(token),
            None => refuse("the text ends where more is expected", self.cursor.at()),
        }
    }

    /// Whether the next token may still turn out to be a key.
    fn head_may_be_key(&mut self) -> Scanned<bool> {
        match self.keys.iter().position(|key| key.possible && key.token == self.taken) {
            Some(level) => self.is_key(level),
            None => Ok(false),
        }
    }

    /// Whether a `:` here would make a key of what may be one.
    fn is_key(&mut self, level: usize) -> Scanned<bool> {
        let here = self.cursor.mark();
        let key = &mut self.keys[level];
        if !key.possible {
            return Ok(false);
        }
        let is_longer = || {
            here.at - key.mark.at > LONGEST_KEY
                && self.cursor.since(key.mark.at).chars().count() > LONGEST_KEY
        };
        if key.mark.line < here.line || is_longer() {
            if key.required {
                return no_colon(key.mark.at);
            }
            key.possible = false;
        }
        Ok(key.possible)
    }

    /// What begins here may be a key.
    fn save_key(&mut self) -> Scanned {
        if !self.key_allowed {
            return Ok(());
        }
        self.drop_key()?;
        let mark = self.cursor.mark();
        let required = self.flow == 0 && self.indent == mark.column;
        let token = self.taken + self.tokens.len();
        if let Some(key) = self.keys.last_mut() {
            *key = SimpleKey { possible: true, required, token, mark };
        }
        Ok(())
    }

    /// What may have been a key is none.
    fn drop_key(&mut self) -> Scanned {
        match self.keys.last_mut() {
            Some(key) if key.possible && key.required => no_colon(key.mark.at),
            Some(key) => {
                key.possible = false;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push_back(Token { kind, start, end: self.cursor.at() });
    }

    /// A token of so many characters.
    fn indicator(&mut self, kind: TokenKind, length: usize) {
        let start = self.cursor.at();
        self.cursor.skip_ascii(length);
        self.push(kind, start);
    }

    /// Begins a block collection at a column that lies further in. `before` is the token that it begins with, where
    /// that is already there.
    fn roll(&mut self, mark: Mark, before: Option<usize>, kind: TokenKind) {
        if self.flow > 0 || self.indent >= mark.column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = mark.column;
        let token = Token { kind, start: mark.at, end: mark.at };
        match before {
            Some(number) => self.tokens.insert(number - self.taken, token),
            None => self.tokens.push_back(token),
        }
    }

    /// Begins a block collection here, if it lies further in and may.
    fn begin(&mut self, kind: TokenKind, message: &'static str) -> Scanned {
        if self.flow == 0 {
            if !self.key_allowed {
                return refuse(message, self.cursor.at());
            }
            self.roll(self.cursor.mark(), None, kind);
        }
        Ok(())
    }

    /// Ends the block collections that lie further in than a column.
    fn unroll(&mut self, column: isize) {
        while self.flow == 0 && self.indent > column {
            self.push(TokenKind::BlockEnd, self.cursor.at());
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch(&mut self) -> Scanned {
        self.skip_to_token();
        self.unroll(self.cursor.column());
        let first = self.cursor.peek(0);
        if self.cursor.is_end(0) {
            // What may be a key so far is none: its line is over.
            self.cursor.end();
            self.between_documents()?;
            self.push(TokenKind::StreamEnd, self.cursor.at());
            return Ok(());
        }
        if first == b'%' && self.cursor.column() == 0 {
            self.between_documents()?;
            return self.directive();
        }
        if let Some(marker) = self.cursor.document_marker() {
            self.between_documents()?;
            let kind = if marker == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
            self.indicator(kind, 3);
            return Ok(());
        }
        let gap = self.cursor.is_gap(1);
        match first {
            b'[' => self.flow_start(TokenKind::FlowSequenceStart)?,
            b'{' => self.flow_start(TokenKind::FlowMappingStart)?,
            b']' => self.flow_end(TokenKind::FlowSequenceEnd)?,
            b'}' => self.flow_end(TokenKind::FlowMappingEnd)?,
            b',' => {
                self.drop_key()?;
                self.key_allowed = true;
                self.indicator(TokenKind::FlowEntry, 1);
            }
            b'-' if gap => return self.block_entry(),
            b'?' if gap || self.flow > 0 => self.key()?,
            b':' if gap || self.flow > 0 => self.value()?,
            b'*' | b'&' => self.anchor(first == b'*')?,
            b'!' => {
                self.save_key()?;
                self.key_allowed = false;
                self.tag()?;
            }
            b'|' | b'>' if self.flow == 0 => {
                self.drop_key()?;
                self.key_allowed = true;
                self.scalar(|scanner| scanner.block_scalar(first == b'|'))?;
            }
            b'\'' | b'"' => {
                self.save_key()?;
                self.key_allowed = false;
                self.scalar(|scanner| scanner.quoted(first == b'\''))?;
            }
            b'-' | b'?' | b':' if !gap && (self.flow == 0 || first == b'-') => self.plain_scalar()?,
            b'\t' => {
                return refuse("a tab stands where only spaces indent; write spaces", self.cursor.at());
            }
            b'@' | b'`' | b'%' | b'|' | b'>' | b'-' | b'?' | b':' | b'#' => {
                return refuse(
                    "a value cannot begin with this character; put quotes around it",
                    self.cursor.at(),
                );
            }
            _ => self.plain_scalar()?,
        }
        self.skip_comment_of_token();
        Ok(())
    }

    fn plain_scalar(&mut self) -> Scanned {
        self.save_key()?;
        self.key_allowed = false;
        self.scalar(Self::plain)
    }

    fn scalar(&mut self, scan: impl FnOnce(&mut Self) -> Scanned<Token>) -> Scanned {
        let token = scan(self)?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// All blocks end here, and no key goes on.
    fn between_documents(&mut self) -> Scanned {
        self.unroll(-1);
        self.drop_key()?;
        self.key_allowed = false;
        Ok(())
    }

    /// Passes over blanks, comments and line breaks. A tab at the beginning of a line of a block stays.
    fn skip_to_token(&mut self) {
        loop {
            while self.cursor.peek(0) == b' '
                || self.cursor.peek(0) == b'\t' && (self.flow > 0 || !self.key_allowed)
            {
                self.cursor.skip();
            }
            if self.cursor.peek(0) == b'#' {
                self.skip_comments();
            }
            if !self.cursor.is_break(0) {
                return;
            }
            self.cursor.skip_break();
            self.key_allowed |= self.flow == 0;
        }
    }

    /// A comment, and those in the lines below it, whatever blanks stand before them.
    fn skip_comments(&mut self) {
        loop {
            self.cursor.skip_line();
            let next = (1..COMMENT_REACH)
                .find(|ahead| !self.cursor.is_blank(*ahead) && !self.cursor.is_break(*ahead));
            match next {
                Some(ahead) if self.cursor.is_break(0) && self.cursor.peek(ahead) == b'#' => {
                    while self.cursor.peek(0) != b'#' {
                        if self.cursor.is_break(0) {
                            self.cursor.skip_break();
                        } else {
                            self.cursor.skip();
                        }
                    }
                }
                _ => return,
            }
        }
    }

    /// The comment behind a token, in its line.
    fn skip_comment_of_token(&mut self) {
        if self.cursor.broken {
            return;
        }
        let next = (0..COMMENT_REACH).find(|ahead| !self.cursor.is_blank(*ahead));
        if next.is_some_and(|ahead| self.cursor.peek(ahead) == b'#') {
            self.cursor.skip_line();
        }
    }

    fn flow_start(&mut self, kind: TokenKind) -> Scanned {
        self.save_key()?;
        let mark = self.cursor.mark();
        self.keys.push(SimpleKey { possible: false, required: false, token: 0, mark });
        self.flow += 1;
        self.key_allowed = true;
        self.indicator(kind, 1);
        Ok(())
    }

    fn flow_end(&mut self, kind: TokenKind) -> Scanned {
        self.drop_key()?;
        if self.flow > 0 {
            self.flow -= 1;
            self.keys.pop();
        }
        self.key_allowed = false;
        self.indicator(kind, 1);
        Ok(())
    }

    fn block_entry(&mut self) -> Scanned {
        self.begin(TokenKind::BlockSequenceStart, "a list cannot begin here; begin it in a line of its own")?;
        self.drop_key()?;
        self.key_allowed = true;
        self.indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn key(&mut self) -> Scanned {
        self.begin(TokenKind::BlockMappingStart, "a key cannot begin here; begin it in a line of its own")?;
        self.drop_key()?;
        self.key_allowed = self.flow == 0;
        self.indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn value(&mut self) -> Scanned {
        let level = self.keys.len() - 1;
        if self.is_key(level)? {
            let key = &mut self.keys[level];
            key.possible = false;
            let (number, mark) = (key.token, key.mark);
            let token = Token { kind: TokenKind::Key, start: mark.at, end: mark.at };
            self.tokens.insert(number - self.taken, token);
            self.roll(mark, Some(number), TokenKind::BlockMappingStart);
            self.key_allowed = false;
        } else {
            self.begin(
                TokenKind::BlockMappingStart,
                "a `:` makes no key here; put quotes around a value that has one",
            )?;
            self.key_allowed = self.flow == 0;
        }
        self.indicator(TokenKind::Value, 1);
        Ok(())
    }

    /// The letters, digits, `_` and `-` that are here.
    fn word(&mut self) -> &'t str {
        let start = self.cursor.at();
        while matches!(self.cursor.peek(0), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-') {
            self.cursor.skip();
        }
        self.cursor.since(start)
    }

    fn anchor(&mut self, alias: bool) -> Scanned {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.cursor.at();
        self.cursor.skip();
        let name = self.word();
        let ends = self.cursor.is_gap(0)
            || matches!(self.cursor.peek(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return refuse(
                "the name behind `&` or `*` is made of letters, digits, `_` and `-`; put quotes around a value that \
                 begins so",
                start,
            );
        }
        self.push(if alias { TokenKind::Alias(name.into()) } else { TokenKind::Anchor(name.into()) }, start);
        Ok(())
    }

    fn tag(&mut self) -> Scanned {
        let start = self.cursor.at();
        let (handle, suffix): (Box<str>, Box<str>) = if self.cursor.peek(1) == b'<' {
            self.cursor.skip_ascii(2);
            let uri = self.tag_uri(start, "")?;
            if self.cursor.peek(0) != b'>' {
                return refuse("a tag that begins with `!<` ends with `>`", start);
            }
            self.cursor.skip();
            ("".into(), uri)
        } else {
            let handle = self.tag_handle();
            if handle.len() > 1 && handle.ends_with('!') {
                (handle.into(), self.tag_uri(start, "")?)
            } else {
                let suffix = self.tag_uri(start, handle)?;
                if suffix.is_empty() { ("".into(), "!".into()) } else { ("!".into(), suffix) }
            }
        };
        if !self.cursor.is_gap(0) {
            return refuse("a tag (`!…`) ends with a space or the line", start);
        }
        self.push(TokenKind::Tag(handle, suffix), start);
        Ok(())
    }

    /// `!`, `!word` or `!word!`
    fn tag_handle(&mut self) -> &'t str {
        let start = self.cursor.at();
        self.cursor.skip();
        self.word();
        if self.cursor.peek(0) == b'!' {
            self.cursor.skip();
        }
        self.cursor.since(start)
    }

    /// The rest of a tag, behind what of it was taken for a handle.
    fn tag_uri(&mut self, tag: usize, head: &str) -> Scanned<Box<str>> {
        let mut uri: Vec<u8> = head.bytes().skip(1).collect();
        loop {
            match self.cursor.peek(0) {
                b'%' => {
                    let digit = |ahead| (self.cursor.peek(ahead) as char).to_digit(16);
                    let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                        return refuse("a `%` in a tag is followed by two hexadecimal digits", tag);
                    };
                    uri.push((high << 4 | low) as u8);
                    self.cursor.skip_ascii(3);
                }
                byte if byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    uri.push(byte);
                    self.cursor.skip_ascii(1);
                }
                _ => break,
            }
        }
        if head.is_empty() && uri.is_empty() {
            return refuse("a tag (`!…`) has no name", tag);
        }
        match String::from_utf8(uri) {
            Ok(uri) => Ok(uri.into_boxed_str()),
            Err(_) => refuse("a tag with `%` is UTF-8", tag),
        }
    }

    fn directive(&mut self) -> Scanned {
        let start = self.cursor.at();
        self.cursor.skip();
        let kind = match self.word() {
            "YAML" if self.cursor.is_gap(0) => {
                self.cursor.skip_blanks();
                let major = self.version_number(start)?;
                if self.cursor.peek(0) != b'.' {
                    return refuse("`%YAML` is followed by a version, as `1.1`", start);
                }
                self.cursor.skip();
                TokenKind::Version(major, self.version_number(start)?)
            }
            "TAG" if self.cursor.is_gap(0) => {
                self.cursor.skip_blanks();
                let handle = if self.cursor.peek(0) == b'!' { self.tag_handle() } else { "" };
                if handle.is_empty() || handle.len() > 1 && !handle.ends_with('!') || !self.cursor.is_blank(0)
                {
                    return refuse("`%TAG` is followed by a handle, as `!x!`", start);
                }
                self.cursor.skip_blanks();
                TokenKind::TagDirective(handle.into(), self.tag_uri(start, "")?)
            }
            _ => return refuse("there are no directives but `%YAML` and `%TAG`", start),
        };
        self.push(kind, start);
        self.cursor.skip_blanks();
        if self.cursor.peek(0) == b'#' {
            self.cursor.skip_line();
        }
        if !self.cursor.is_line_end(0) {
            return refuse("a line that begins with `%` ends behind what it says", start);
        }
        self.cursor.skip_break();
        Ok(())
    }

    fn version_number(&mut self, directive: usize) -> Scanned<u8> {
        let start = self.cursor.at();
        while self.cursor.peek(0).is_ascii_digit() {
            self.cursor.skip();
        }
        let digits = self.cursor.since(start);
        match digits.parse() {
            Ok(number) if digits.len() <= 2 => Ok(number),
            _ => refuse("`%YAML` is followed by a version, as `1.1`", directive),
        }
    }
}

fn no_colon<T>(offset: usize) -> Scanned<T> {
    refuse("a key is expected here, and it has no `:` behind it", offset)
}
