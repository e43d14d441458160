//! From tokens to events: documents, and the nodes in them.

use super::cursor::forbidden;
use super::scanner::{Scanner, Token, TokenKind, refuse};

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// What stands before a node.
#[derive(Default)]
pub(super) struct Properties {
    pub(super) anchor: Option<Box<str>>,
    /// `!reset`, or the short form `!!str` of a core tag.
    pub(super) tag: Option<Box<str>>,
}

/// What the text has next.
pub(super) enum Event {
    DocumentStart,
    DocumentEnd,
    Scalar { value: Box<str>, style: Style, properties: Properties },
    SequenceStart { flow: bool, properties: Properties },
    SequenceEnd,
    MappingStart { flow: bool, properties: Properties },
    MappingEnd,
    Alias(Box<str>),
}

/// An event, where it starts and ends.
pub(super) struct Spanned {
    pub(super) event: Event,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A syntax error and the byte offset of what is wrong.
pub(super) struct SyntaxError {
    pub(super) message: &'static str,
    pub(super) offset: usize,
}

/// Deeper collections are a mistake.
const DEEPEST: usize = 255;

/// What may come next.
#[derive(Clone, Copy)]
enum State {
    FirstDocument,
    NextDocument,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequence,
    /// A list as far out as the key that it belongs to.
    IndentlessSequence,
    BlockKey,
    BlockValue,
    FlowSequence {
        first: bool,
    },
    /// The key of `[key: value]`.
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowKey {
        first: bool,
    },
    FlowValue,
    /// Of a key without `:`.
    FlowNoValue,
}

struct Events<'t> {
    scanner: Scanner<'t>,
    state: State,
    /// What goes on when a node has ended.
    states: Vec<State>,
    /// How many collections are open.
    depth: usize,
    /// The handles of tags and what they stand for.
    handles: Vec<(Box<str>, Box<str>)>,
}

type Parsed<T = Option<Spanned>> = Result<T, SyntaxError>;

/// Reads `text` event by event, as deep as [`DEEPEST`].
pub(super) fn events(text: &str) -> impl Iterator<Item = Result<Spanned, SyntaxError>> + '_ {
    let mut events = Events {
        scanner: Scanner::new(text),
        state: State::FirstDocument,
        states: Vec::new(),
        depth: 0,
        handles: Vec::new(),
    };
    let mut forbidden = forbidden(text);
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let next = match forbidden.take() {
            Some(at) => refuse(
                "a control character stands in the text; take it out, or write it in double quotes as `\\x…`",
                at,
            ),
            None => events.next(),
        };
        ended = !matches!(next, Ok(Some(_)));
        next.transpose()
    })
}

fn spanned(event: Event, start: usize, end: usize) -> Spanned {
    Spanned { event, start, end }
}

/// A value that is not written.
fn nothing(at: usize) -> Spanned {
    let event = Event::Scalar { value: "".into(), style: Style::Plain, properties: Properties::default() };
    spanned(event, at, at)
}

impl Events<'_> {
    fn next(&mut self) -> Parsed {
        match self.state {
            State::FirstDocument => self.document_start(true),
            State::NextDocument => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequence => self.block_sequence(),
            State::IndentlessSequence => self.indentless_sequence(),
            State::BlockKey => self.block_key(),
            State::BlockValue => self.block_value(),
            State::FlowSequence { first } => self.flow_sequence(first),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_value(State::FlowPairEnd),
            State::FlowPairEnd => {
                self.state = State::FlowSequence { first: false };
                self.depth -= 1;
                let at = self.scanner.peek()?.start;
                Ok(Some(spanned(Event::MappingEnd, at, at)))
            }
            State::FlowKey { first } => self.flow_key(first),
            State::FlowValue => self.flow_value(State::FlowKey { first: false }),
            State::FlowNoValue => {
                self.state = State::FlowKey { first: false };
                Ok(Some(nothing(self.scanner.peek()?.start)))
            }
        }
    }

    /// What was begun before goes on.
    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::DocumentEnd);
    }

    fn node_then(&mut self, then: State, block: bool, indentless: bool) -> Parsed {
        self.states.push(then);
        self.node(block, indentless)
    }

    fn nothing_then(&mut self, then: State, at: usize) -> Spanned {
        self.state = then;
        nothing(at)
    }

    fn document_start(&mut self, first: bool) -> Parsed {
        while !first && matches!(self.scanner.peek()?.kind, TokenKind::DocumentEnd) {
            self.scanner.take()?;
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::StreamEnd => return Ok(None),
            TokenKind::Version(..) | TokenKind::TagDirective(..) | TokenKind::DocumentStart => {}
            _ if first => {
                self.directives()?;
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                return Ok(Some(spanned(Event::DocumentStart, start, start)));
            }
            _ => {
                return refuse("the document has ended; begin another one with a line `---`", start);
            }
        }
        self.directives()?;
        let token = self.scanner.peek()?;
        if !matches!(token.kind, TokenKind::DocumentStart) {
            return refuse("lines with `%` are followed by a line `---`", token.start);
        }
        self.scanner.take()?;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(Some(spanned(Event::DocumentStart, start, end)))
    }

    fn directives(&mut self) -> Parsed<()> {
        self.handles.clear();
        let mut has_version = false;
        loop {
            let token = self.scanner.peek()?;
            let start = token.start;
            match &token.kind {
                TokenKind::Version(..) if has_version => return refuse("`%YAML` stands twice", start),
                TokenKind::Version(1, 1) => has_version = true,
                TokenKind::Version(..) => {
                    return refuse("Compose and Swarm read no YAML but 1.1; leave the line out", start);
                }
                TokenKind::TagDirective(handle, prefix) => {
                    if self.handles.iter().any(|(known, _)| known == handle) {
                        return refuse("`%TAG` stands twice with this handle", start);
                    }
                    self.handles.push((handle.clone(), prefix.clone()));
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            self.handles.push((handle.into(), prefix.into()));
        }
        Ok(())
    }

    fn document_content(&mut self) -> Parsed {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Version(..)
            | TokenKind::TagDirective(..)
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                let at = token.start;
                self.pop();
                Ok(Some(nothing(at)))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Parsed {
        let token = self.scanner.peek()?;
        let at = token.start;
        if matches!(token.kind, TokenKind::DocumentEnd) {
            self.scanner.take()?;
        }
        self.state = State::NextDocument;
        Ok(Some(spanned(Event::DocumentEnd, at, at)))
    }

    /// An anchor and a tag, in any order, and where what they belong to begins if it is not written.
    fn properties(&mut self) -> Parsed<(Properties, Option<usize>)> {
        let mut properties = Properties::default();
        let mut end = None;
        let mut tagged = false;
        loop {
            let token = self.scanner.peek()?;
            match &token.kind {
                TokenKind::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(name.clone());
                }
                TokenKind::Tag(handle, suffix) if !tagged => {
                    tagged = true;
                    let known = self.handles.iter().find(|(known, _)| known == handle);
                    let tag = match (known, handle.as_ref()) {
                        (Some((_, prefix)), _) => format!("{prefix}{suffix}"),
                        (None, "") => suffix.to_string(),
                        (None, _) => {
                            return refuse(
                                "no `%TAG` says what the first part of this tag stands for",
                                token.start,
                            );
                        }
                    };
                    // A lone `!` says that there is no tag.
                    properties.tag = (tag != "!").then(|| match tag.strip_prefix("tag:yaml.org,2002:") {
                        Some(core) => format!("!!{core}").into_boxed_str(),
                        None => tag.into_boxed_str(),
                    });
                }
                _ => return Ok((properties, end)),
            }
            end = Some(token.end);
            self.scanner.take()?;
        }
    }

    fn node(&mut self, block: bool, indentless: bool) -> Parsed {
        if matches!(self.scanner.peek()?.kind, TokenKind::Alias(_)) {
            self.pop();
            let token = self.scanner.take()?;
            let TokenKind::Alias(name) = token.kind else { return Ok(None) };
            return Ok(Some(spanned(Event::Alias(name), token.start, token.end)));
        }
        let (properties, end_of_properties) = self.properties()?;
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        let (state, event) = match token.kind {
            TokenKind::Scalar(..) => {
                self.pop();
                let Token { kind: TokenKind::Scalar(value, style), .. } = self.scanner.take()? else {
                    return Ok(None);
                };
                return Ok(Some(spanned(Event::Scalar { value, style, properties }, start, end)));
            }
            // The `-` is the list's first.
            TokenKind::BlockEntry if indentless => {
                self.enter(start)?;
                self.state = State::IndentlessSequence;
                return Ok(Some(spanned(Event::SequenceStart { flow: false, properties }, start, start)));
            }
            TokenKind::FlowSequenceStart => {
                (State::FlowSequence { first: true }, Event::SequenceStart { flow: true, properties })
            }
            TokenKind::FlowMappingStart => {
                (State::FlowKey { first: true }, Event::MappingStart { flow: true, properties })
            }
            TokenKind::BlockSequenceStart if block => {
                (State::BlockSequence, Event::SequenceStart { flow: false, properties })
            }
            TokenKind::BlockMappingStart if block => {
                (State::BlockKey, Event::MappingStart { flow: false, properties })
            }
            _ => {
                let Some(at) = end_of_properties else {
                    return refuse("a value is expected here", start);
                };
                self.pop();
                let event = Event::Scalar { value: "".into(), style: Style::Plain, properties };
                return Ok(Some(spanned(event, at, at)));
            }
        };
        self.enter(start)?;
        self.scanner.take()?;
        self.state = state;
        Ok(Some(spanned(event, start, end)))
    }

    fn enter(&mut self, at: usize) -> Parsed<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return refuse("lists and mappings lie more than 255 deep; write them flatter", at);
        }
        Ok(())
    }

    /// The next token ends a collection.
    fn leave(&mut self, event: Event) -> Parsed {
        let token = self.scanner.take()?;
        self.depth -= 1;
        self.pop();
        Ok(Some(spanned(event, token.start, token.end)))
    }

    fn block_sequence(&mut self) -> Parsed {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let end = token.end;
                self.scanner.take()?;
                match self.scanner.peek()?.kind {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => {
                        Ok(Some(self.nothing_then(State::BlockSequence, end)))
                    }
                    _ => self.node_then(State::BlockSequence, true, false),
                }
            }
            TokenKind::BlockEnd => self.leave(Event::SequenceEnd),
            _ => refuse("an item (`- …`) is expected here, as far in as those before it", token.start),
        }
    }

    fn indentless_sequence(&mut self) -> Parsed {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        if !matches!(token.kind, TokenKind::BlockEntry) {
            self.depth -= 1;
            self.pop();
            return Ok(Some(spanned(Event::SequenceEnd, start, start)));
        }
        self.scanner.take()?;
        match self.scanner.peek()?.kind {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                Ok(Some(self.nothing_then(State::IndentlessSequence, end)))
            }
            _ => self.node_then(State::IndentlessSequence, true, false),
        }
    }

    fn block_key(&mut self) -> Parsed {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Key => {
                let at = token.start;
                self.scanner.take()?;
                self.block_part(State::BlockValue, at)
            }
            TokenKind::BlockEnd => self.leave(Event::MappingEnd),
            _ => refuse("a key is expected here, as far in as those before it", token.start),
        }
    }

    fn block_value(&mut self) -> Parsed {
        let token = self.scanner.peek()?;
        let start = token.start;
        if !matches!(token.kind, TokenKind::Value) {
            return Ok(Some(self.nothing_then(State::BlockKey, start)));
        }
        self.scanner.take()?;
        self.block_part(State::BlockKey, start)
    }

    /// A key or a value of a block, which may be missing: then it is where its indicator is.
    fn block_part(&mut self, then: State, at: usize) -> Parsed {
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => Ok(Some(self.nothing_then(then, at))),
            _ => self.node_then(then, true, true),
        }
    }

    /// The comma before every item but the first.
    fn comma(&mut self, first: bool, message: &'static str) -> Parsed<()> {
        if first {
            return Ok(());
        }
        let token = self.scanner.peek()?;
        if !matches!(token.kind, TokenKind::FlowEntry) {
            return refuse(message, token.start);
        }
        self.scanner.take()?;
        Ok(())
    }

    fn flow_sequence(&mut self, first: bool) -> Parsed {
        if !matches!(self.scanner.peek()?.kind, TokenKind::FlowSequenceEnd) {
            self.comma(first, "a `,` or the closing `]` is expected here")?;
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::FlowSequenceEnd => self.leave(Event::SequenceEnd),
            TokenKind::Key => {
                self.enter(start)?;
                self.scanner.take()?;
                self.state = State::FlowPairKey;
                Ok(Some(spanned(
                    Event::MappingStart { flow: true, properties: Properties::default() },
                    start,
                    end,
                )))
            }
            _ => self.node_then(State::FlowSequence { first: false }, false, false),
        }
    }

    fn flow_pair_key(&mut self) -> Parsed {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                let end = token.end;
                // go-yaml passes over what ends the key here.
                self.scanner.take()?;
                Ok(Some(self.nothing_then(State::FlowPairValue, end)))
            }
            _ => self.node_then(State::FlowPairValue, false, false),
        }
    }

    fn flow_key(&mut self, first: bool) -> Parsed {
        if !matches!(self.scanner.peek()?.kind, TokenKind::FlowMappingEnd) {
            self.comma(first, "a `,` or the closing `}` is expected here")?;
        }
        match self.scanner.peek()?.kind {
            TokenKind::FlowMappingEnd => self.leave(Event::MappingEnd),
            TokenKind::Key => {
                self.scanner.take()?;
                let token = self.scanner.peek()?;
                match token.kind {
                    TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                        let at = token.start;
                        Ok(Some(self.nothing_then(State::FlowValue, at)))
                    }
                    _ => self.node_then(State::FlowValue, false, false),
                }
            }
            _ => self.node_then(State::FlowNoValue, false, false),
        }
    }

    fn flow_value(&mut self, then: State) -> Parsed {
        let mut at = self.scanner.peek()?.start;
        if matches!(self.scanner.peek()?.kind, TokenKind::Value) {
            at = self.scanner.take()?.start;
            let token = self.scanner.peek()?;
            if !matches!(
                token.kind,
                TokenKind::FlowEntry | TokenKind::FlowSequenceEnd | TokenKind::FlowMappingEnd
            ) {
                return self.node_then(then, false, false);
            }
        }
        Ok(Some(self.nothing_then(then, at)))
    }
}
