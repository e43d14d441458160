//! A spanned tree, one arena per file. Aliases stay references, so a "billion laughs" file costs
//! what its text costs; whoever expands them keeps a budget.

use std::collections::HashMap;

use super::event::{Event, Properties, Spanned, Style, events};
use crate::source::{FileId, Span};

/// Index of a node in its [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// What a node is.
pub enum Kind {
    /// Text, not yet resolved to a type.
    Scalar {
        /// The text after YAML's own escapes.
        value: Box<str>,
        /// How it is written.
        style: Style,
    },
    /// A list.
    Sequence {
        /// The items.
        items: Vec<NodeId>,
        /// Written as `[…]`.
        flow: bool,
    },
    /// A mapping, keys in source order, `<<` not yet applied.
    Mapping {
        /// Key and value.
        entries: Vec<(NodeId, NodeId)>,
        /// Written as `{…}`.
        flow: bool,
    },
    /// `*name`
    Alias(NodeId),
}

/// One node of a document.
pub struct Node {
    /// Where it is written. Collections end with their last child, not at the next token.
    pub span: Span,
    /// An explicit tag as written: `!reset`, `!!str`.
    pub tag: Option<Box<str>>,
    /// What it is.
    pub kind: Kind,
    /// Whether `&name` stands on it.
    pub anchored: bool,
}

impl Node {
    /// The same node in an arena in which what it refers to lies further on.
    fn moved(&self, by: u32) -> Node {
        let moved = |id: &NodeId| NodeId(id.0 + by);
        let kind = match &self.kind {
            Kind::Scalar { value, style } => Kind::Scalar { value: value.clone(), style: *style },
            Kind::Sequence { items, flow } => {
                Kind::Sequence { items: items.iter().map(moved).collect(), flow: *flow }
            }
            Kind::Mapping { entries, flow } => Kind::Mapping {
                entries: entries.iter().map(|(key, value)| (moved(key), moved(value))).collect(),
                flow: *flow,
            },
            Kind::Alias(target) => Kind::Alias(moved(target)),
        };
        Node { span: self.span, tag: self.tag.clone(), kind, anchored: self.anchored }
    }
}

/// One YAML document of a file.
pub struct Document {
    nodes: Vec<Node>,
    root: NodeId,
    /// Parts of the file that are in no tree.
    pub(super) passed_over: Vec<Span>,
}

impl Document {
    /// The file it is in.
    pub fn file(&self) -> FileId {
        self.node(self.root).span.file
    }

    /// Which of its file's documents a place is in, from 0; `None` if it is before all of them, or in no file that is
    /// here.
    pub fn number_of(documents: &[Document], span: Span) -> Option<usize> {
        let of_file = documents.iter().filter(|document| document.file() == span.file);
        of_file
            .take_while(|document| document.node(document.root).span.start <= span.start)
            .count()
            .checked_sub(1)
    }

    /// The root node; an empty document has an empty plain scalar.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The spans of all scalars that are no keys, and of what could not be read: what an excerpt must not show unasked.
    pub fn value_spans(&self) -> Vec<Span> {
        let mut keys = vec![false; self.nodes.len()];
        for node in &self.nodes {
            if let Kind::Mapping { entries, .. } = &node.kind {
                for (key, _) in entries {
                    keys[key.0 as usize] = true;
                }
            }
        }
        let values = self.nodes.iter().zip(keys).filter(|(_, is_key)| !is_key).map(|(node, _)| node);
        values
            .filter(|node| matches!(node.kind, Kind::Scalar { .. } | Kind::Alias(_)))
            .map(|node| node.span)
            .chain(self.passed_over.iter().copied())
            .collect()
    }

    /// All nodes, in no promised order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }
}

// Files hold secrets: no Debug of the content.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a document of {} nodes", self.nodes.len())
    }
}

/// Why a text is no YAML.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct YamlError {
    /// What is wrong.
    pub kind: YamlErrorKind,
    /// Where.
    pub span: Span,
}

/// The causes of a [`YamlError`]. No variant holds text of the file: it may be a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// What stands where YAML has something else, and what to do.
    #[error("not valid YAML: {0}")]
    Syntax(&'static str),
    /// `*name` without `&name` before it.
    #[error(
        "an alias (`*…`) refers to an anchor that is not defined above it; quote the value if the `*` is part of it"
    )]
    UnknownAlias,
    /// An anchor inside itself.
    #[error("an anchor contains an alias to itself")]
    RecursiveAlias,
    /// Aliases of earlier documents for very much.
    #[error(
        "the documents take more than a million values from those before them by aliases; write some of them out"
    )]
    TooManyTaken,
    /// More than 4 GiB.
    #[error("the file is larger than 64 MiB, which is no Compose file")]
    TooLarge,
}

const LARGEST_FILE: usize = 64 << 20;

/// Parses all documents of a file.
pub fn parse(file: FileId, text: &str) -> Result<Vec<Document>, YamlError> {
    Read::of(file, text).whole()
}

/// Parses the first document of a file, if it has one, whatever follows.
pub fn parse_first(file: FileId, text: &str) -> Result<Option<Document>, YamlError> {
    Read::some(file, text, 1).whole().map(|mut documents| documents.pop())
}

/// What could be read of a text.
pub(super) struct Read {
    pub(super) documents: Vec<Document>,
    pub(super) stopped: Option<Stop>,
}

/// Why no more could be read.
pub(super) struct Stop {
    pub(super) error: YamlError,
    /// Where what was understood last ends.
    pub(super) reached: usize,
}

impl Read {
    fn whole(self) -> Result<Vec<Document>, YamlError> {
        self.stopped.map_or(Ok(self.documents), |stop| Err(stop.error))
    }

    /// All documents, or as far as there are no errors.
    pub(super) fn of(file: FileId, text: &str) -> Self {
        Read::some(file, text, usize::MAX)
    }

    fn some(file: FileId, text: &str, most: usize) -> Self {
        let span = |start: usize, end: usize| Span { file, start: start as u32, end: end as u32 };
        if text.len() > LARGEST_FILE {
            let error = YamlError { kind: YamlErrorKind::TooLarge, span: span(0, 0) };
            return Read { documents: Vec::new(), stopped: Some(Stop { error, reached: 0 }) };
        }
        let mut builder = Builder {
            file,
            text,
            nodes: Vec::new(),
            open: Vec::new(),
            names: HashMap::new(),
            earlier: HashMap::new(),
            taken: HashMap::new(),
            most_taken: MOST_TAKEN,
            root: None,
        };
        let mut documents: Vec<Document> = Vec::new();
        let mut reached = 0;
        for next in events(text) {
            let taken = next
                .map_err(|error| {
                    let width = text[error.offset..].chars().next().map_or(0, char::len_utf8);
                    YamlError {
                        kind: YamlErrorKind::Syntax(error.message),
                        span: span(error.offset, error.offset + width),
                    }
                })
                .and_then(|Spanned { event, start, end }| {
                    builder.take_in(event, span(start, end), &mut documents).map(|()| end)
                });
            match taken {
                Ok(_) if documents.len() == most => break,
                Ok(end) => reached = reached.max(end),
                Err(error) => {
                    builder.close_all();
                    documents.extend(builder.document());
                    return Read { documents, stopped: Some(Stop { error, reached }) };
                }
            }
        }
        Read { documents, stopped: None }
    }
}

struct Builder<'a> {
    file: FileId,
    text: &'a str,
    nodes: Vec<Node>,
    open: Vec<Open>,
    /// The anchors of this document by name.
    names: HashMap<Box<str>, NodeId>,
    /// Those of earlier documents: their document and node. go-yaml forgets none at a document's end.
    earlier: HashMap<Box<str>, (usize, NodeId)>,
    /// Where the nodes of earlier documents begin that this one has taken over.
    taken: HashMap<usize, u32>,
    /// How many more nodes may be.
    most_taken: usize,
    root: Option<NodeId>,
}

/// More nodes than this are not taken over from earlier documents, so that few aliases cannot stand for gigabytes.
const MOST_TAKEN: usize = 1_000_000;

/// A collection whose end has not been seen.
struct Open {
    id: NodeId,
    key: Option<NodeId>,
}

impl Builder<'_> {
    /// Takes an event in; one that ends a document adds it to those before.
    fn take_in(&mut self, event: Event, span: Span, documents: &mut Vec<Document>) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart => self.taken.clear(),
            Event::DocumentEnd => {
                let number = documents.len();
                let names = self.names.drain();
                self.earlier.extend(names.map(|(name, id)| (name, (number, id))));
                documents.extend(self.document());
            }
            Event::Alias(name) => self.alias(&name, documents, span)?,
            event => self.take(event, span),
        }
        Ok(())
    }

    /// The document whose end has been reached, if there is anything in it.
    fn document(&mut self) -> Option<Document> {
        let root = self.root.take();
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.shrink_to_fit();
        root.map(|root| Document { nodes, root, passed_over: Vec::new() })
    }

    /// Ends what is open where the parser stopped. A key without a value is left out.
    fn close_all(&mut self) {
        while let Some(open) = self.open.last() {
            let span = self.nodes[open.id.0 as usize].span;
            self.close(span);
        }
    }

    fn take(&mut self, event: Event, span: Span) {
        match event {
            Event::Scalar { value, style, properties } => {
                let span = self.scalar_span(span, style);
                let id = self.add(Kind::Scalar { value, style }, span, properties);
                self.attach(id, span.end);
            }
            Event::SequenceStart { flow, properties } => {
                self.open(Kind::Sequence { items: Vec::new(), flow }, span, properties);
            }
            Event::MappingStart { flow, properties } => {
                self.open(Kind::Mapping { entries: Vec::new(), flow }, span, properties);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(_) | Event::DocumentStart | Event::DocumentEnd => {}
        }
    }

    fn alias(&mut self, name: &str, documents: &[Document], span: Span) -> Result<(), YamlError> {
        let target = match self.names.get(name) {
            Some(target) if self.open.iter().any(|open| open.id == *target) => {
                return Err(YamlError { kind: YamlErrorKind::RecursiveAlias, span });
            }
            Some(target) => *target,
            None => self.anchor_of_earlier(name, documents, span)?,
        };
        let id = self.add(Kind::Alias(target), span, Properties::default());
        self.attach(id, span.end);
        Ok(())
    }

    /// An anchor that an earlier document has: that one's nodes are taken over whole, once.
    fn anchor_of_earlier(
        &mut self,
        name: &str,
        documents: &[Document],
        span: Span,
    ) -> Result<NodeId, YamlError> {
        let found =
            self.earlier.get(name).and_then(|&(number, id)| Some((number, id, documents.get(number)?)));
        let Some((number, id, document)) = found else {
            return Err(YamlError { kind: YamlErrorKind::UnknownAlias, span });
        };
        let start = match self.taken.get(&number) {
            Some(start) => *start,
            None => {
                let start = self.nodes.len() as u32;
                self.most_taken = self
                    .most_taken
                    .checked_sub(document.nodes.len())
                    .ok_or(YamlError { kind: YamlErrorKind::TooManyTaken, span })?;
                self.nodes.extend(document.nodes.iter().map(|node| node.moved(start)));
                self.taken.insert(number, start);
                start
            }
        };
        Ok(NodeId(start + id.0))
    }

    fn add(&mut self, kind: Kind, span: Span, properties: Properties) -> NodeId {
        let Properties { anchor, tag } = properties;
        self.nodes.push(Node { span, tag, kind, anchored: anchor.is_some() });
        let id = NodeId(self.nodes.len() as u32 - 1);
        if let Some(name) = anchor {
            self.names.insert(name, id);
        }
        id
    }

    fn open(&mut self, kind: Kind, span: Span, properties: Properties) {
        let id = self.add(kind, span, properties);
        self.open.push(Open { id, key: None });
    }

    fn close(&mut self, end: Span) {
        let Some(open) = self.open.pop() else { return };
        let node = &mut self.nodes[open.id.0 as usize];
        let flow = matches!(node.kind, Kind::Sequence { flow: true, .. } | Kind::Mapping { flow: true, .. });
        // A block collection's end event sits at the next token; its last child's end is the truth,
        // and `attach` has already set it.
        if flow {
            node.span.end = end.end;
        }
        let reached = node.span.end;
        self.attach(open.id, reached);
    }

    fn attach(&mut self, id: NodeId, reached: u32) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(id);
            return;
        };
        let parent = &mut self.nodes[open.id.0 as usize];
        parent.span.end = parent.span.end.max(reached);
        match &mut parent.kind {
            Kind::Sequence { items, .. } => items.push(id),
            Kind::Mapping { entries, .. } => match open.key.take() {
                None => open.key = Some(id),
                Some(key) => entries.push((key, id)),
            },
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }

    /// Block scalars come with trailing blank lines and indentation: cut those off.
    fn scalar_span(&self, span: Span, style: Style) -> Span {
        if !matches!(style, Style::Literal | Style::Folded) {
            return span;
        }
        let written = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        Span { file: self.file, start: span.start, end: span.start + written.trim_end().len() as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn parsed(text: &str) -> Result<Vec<Document>, YamlError> {
        let mut sources = Sources::default();
        let id = sources.add("t", text);
        parse(id, text)
    }

    #[test]
    fn a_place_is_in_the_document_that_begins_before_it() {
        let text = "# c\na: 1\n---\nb: 2\n...\n---\nc: 3\n";
        let documents = parsed(text).unwrap();
        let number = |word: &str| {
            let start = text.find(word).unwrap() as u32;
            Document::number_of(&documents, Span { file: documents[0].file(), start, end: start + 1 })
        };
        assert_eq!(
            [number("# c"), number("a"), number("1"), number("2"), number("c: 3")],
            [None, Some(0), Some(0), Some(1), Some(2)]
        );
    }

    #[test]
    fn a_block_at_the_end_of_a_file_has_no_line_break_that_the_file_has_not() {
        let scalar = |text: &str| {
            let documents = parsed(text).unwrap();
            let Kind::Mapping { entries, .. } = &documents[0].node(documents[0].root()).kind else {
                panic!()
            };
            let Kind::Scalar { value, .. } = &documents[0].node(entries[0].1).kind else { panic!() };
            value.to_string()
        };
        let cases = [
            ("a: |\n  b\n  c", "b\nc"),
            ("a: |\n  b\n  c\n", "b\nc\n"),
            ("a: |+\n  b\n  c", "b\nc"),
            ("a: |-\n  b\n  c", "b\nc"),
            ("a: >\n  b\n  c", "b c"),
            ("a: |\n  b\n    c d ", "b\n  c d "),
            ("a: |\n  b\n  ", "b\n"),
            ("a: |\n  b\n# c", "b\n"),
            ("a: |\n  b\nd: b", "b\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(scalar(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_nested_block_ends_with_its_last_child_so_that_edits_hit_only_it() {
        let text = "a:\n  b: c\n\n\n# later\nd: e\n";
        let documents = parsed(text).unwrap();
        let document = &documents[0];
        let Kind::Mapping { entries, .. } = &document.node(document.root()).kind else { panic!() };
        let inner = document.node(entries[0].1).span;
        assert_eq!(&text[inner.start as usize..inner.end as usize], "b: c");
    }

    #[test]
    fn text_in_quotes_goes_on_at_column_0_and_its_place_is_still_right() {
        let text = "a: \"one\ntwo\" # c\nb: 'x\n\ty'\nc: d\n";
        let documents = parsed(text).unwrap();
        let scalars: Vec<(&str, &str)> = documents[0]
            .nodes()
            .filter_map(|node| match &node.kind {
                Kind::Scalar { value, .. } => {
                    Some((value.as_ref(), &text[node.span.start as usize..node.span.end as usize]))
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            scalars,
            [
                ("a", "a"),
                ("one two", "\"one\ntwo\""),
                ("b", "b"),
                ("x y", "'x\n\ty'"),
                ("c", "c"),
                ("d", "d")
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands_and_without_the_text() {
        let cases = [
            ("a: canary: x\n", "a: canary", "a `:` makes no key here"),
            ("a:\n  b: 'c'\n\t# d\n", "a:\n  b: 'c'\n", "a tab stands where only spaces indent"),
            ("a: 'canary\nb: c\n", "a: ", "quotes are opened here and never closed"),
            ("a: [canary\nb: c\n", "a: [canary\nb", "a `,` or the closing `]` is expected here"),
            ("a: b\ncanary\nc: d\n", "a: b\n", "a key is expected here, and it has no `:` behind it"),
            ("a: can\u{7}ary\n", "a: can", "a control character stands in the text"),
        ];
        for (text, before, message) in cases {
            let error = parsed(text).err().unwrap();
            assert_eq!(&text[..error.span.start as usize], before, "{text}");
            let told = error.to_string();
            assert!(told.contains(message) && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn an_open_bracket_at_the_end_ends_the_reading_too() {
        for text in ["{", "[", "{a: [", "{{ (\"b", "[{a", "- {"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_alias_bomb_costs_no_more_than_its_text() {
        use std::fmt::Write as _;
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for level in 1..30 {
            let prior = format!("*a{}", level - 1);
            writeln!(text, "a{level}: &a{level} [{}]", [prior.as_str(); 9].join(",")).unwrap();
        }
        let documents = parsed(&text).unwrap();
        assert!(documents[0].nodes().count() < 500);
    }

    #[test]
    fn a_hundred_kilobytes_of_brackets_are_refused_at_once() {
        let error = parsed(&"[".repeat(100_000)).err().unwrap();
        assert!(matches!(error.kind, YamlErrorKind::Syntax(_)));
    }

    #[test]
    fn an_unquoted_password_that_looks_like_an_alias_is_not_echoed() {
        let error = parsed("PASSWORD: *canary\n").err().unwrap();
        assert_eq!(error.kind, YamlErrorKind::UnknownAlias);
        assert!(!error.to_string().contains("canary"));
    }
}
