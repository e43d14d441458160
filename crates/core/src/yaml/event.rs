//! Our own events, so that the parser behind them can be exchanged in one file.

use granit_parser::{Event as Raw, Options, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

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

/// What the parser saw. `anchor` is 0 where there is none; spans are byte offsets.
pub(super) enum Event {
    DocumentStart,
    DocumentEnd,
    Scalar {
        value: Box<str>,
        style: Style,
        anchor: usize,
        tag: Option<Box<str>>,
    },
    SequenceStart {
        flow: bool,
        anchor: usize,
        tag: Option<Box<str>>,
    },
    SequenceEnd,
    MappingStart {
        flow: bool,
        anchor: usize,
        tag: Option<Box<str>>,
    },
    MappingEnd,
    Alias(usize),
    /// Of a name that no anchor of the document has so far.
    UnknownAlias(Box<str>),
    /// The name of the anchor of the node before.
    Anchor(usize, Box<str>),
}

/// An event, where it starts and ends.
pub(super) struct Spanned {
    pub(super) event: Event,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A syntax error: the parser's own sentence and the byte offset at which it stopped.
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) offset: usize,
}

/// Reads `text` event by event. The parser stops by itself at 255 levels of nesting.
pub(super) fn events(text: &str) -> impl Iterator<Item = Result<Spanned, SyntaxError>> + '_ {
    let mut options = Options::default();
    options.emit_comments = false;
    options.emit_unresolved_aliases = true;
    options.emit_anchor_events = true;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut ended = false;
    std::iter::from_fn(move || {
        loop {
            if ended {
                return None;
            }
            let (raw, span) = match parser.next_event()? {
                Ok(next) => next,
                Err(error) => {
                    ended = true;
                    return Some(Err(syntax_error(text, &error)));
                }
            };
            let event = match raw {
                Raw::DocumentStart(..) => Event::DocumentStart,
                Raw::DocumentEnd => Event::DocumentEnd,
                Raw::Scalar(value, style, anchor, tag) => Event::Scalar {
                    value: value.into_owned().into_boxed_str(),
                    style: match style {
                        ScalarStyle::Plain => Style::Plain,
                        ScalarStyle::SingleQuoted => Style::Single,
                        ScalarStyle::DoubleQuoted => Style::Double,
                        ScalarStyle::Literal => Style::Literal,
                        ScalarStyle::Folded => Style::Folded,
                    },
                    anchor,
                    tag: tag.map(|tag| tag_text(&tag)),
                },
                Raw::SequenceStart(style, anchor, tag) => Event::SequenceStart {
                    flow: style == StructureStyle::Flow,
                    anchor,
                    tag: tag.map(|tag| tag_text(&tag)),
                },
                Raw::SequenceEnd => Event::SequenceEnd,
                Raw::MappingStart(style, anchor, tag) => Event::MappingStart {
                    flow: style == StructureStyle::Flow,
                    anchor,
                    tag: tag.map(|tag| tag_text(&tag)),
                },
                Raw::MappingEnd => Event::MappingEnd,
                Raw::Alias(id) => Event::Alias(id),
                Raw::UnresolvedAlias(name) => Event::UnknownAlias(name.into()),
                Raw::Anchor(anchor, name) => Event::Anchor(anchor, name.into()),
                _ => continue,
            };
            let range = span.byte_range().unwrap_or(0..0);
            return Some(Ok(Spanned { event, start: range.start, end: range.end }));
        }
    })
}

/// `!reset`, or the short form `!!str` of a core tag.
fn tag_text(tag: &Tag) -> Box<str> {
    match tag.handle() {
        "tag:yaml.org,2002:" => format!("!!{}", tag.suffix()),
        handle => format!("{handle}{}", tag.suffix()),
    }
    .into_boxed_str()
}

fn syntax_error(text: &str, error: &ScanError) -> SyntaxError {
    let marker = error.marker();
    let offset = marker
        .byte_offset()
        .unwrap_or_else(|| text.char_indices().nth(marker.index()).map_or(text.len(), |(at, _)| at));
    SyntaxError { message: error.info(), offset: offset.min(text.len()) }
}
