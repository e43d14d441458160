//! A spanned tree, one arena per file. Aliases stay references, so a "billion laughs" file costs
//! what its text costs; whoever expands them keeps a budget.

use std::collections::HashMap;
use std::ops::Range;

use super::event::{Event, Spanned, Style, events};
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
    passed_over: Vec<Span>,
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
    /// The parser's own sentence.
    #[error("not valid YAML: {0}")]
    Syntax(String),
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
    let read = Read::of(file, text);
    read.stopped.map_or(Ok(read.documents), |stop| Err(stop.error))
}

/// Parses what can be read of a file, and tells what is wrong with it first. Lines at which the parser stops are passed
/// over; where those are too many, all that follows is.
pub fn parse_around(file: FileId, text: &str) -> (Vec<Document>, Option<YamlError>) {
    let Read { mut documents, stopped } = Read::of(file, text);
    let Some(Stop { error: first, mut reached }) = stopped else { return (documents, None) };
    let (mut around, mut passed_over) = (Around { file, left: text.to_owned() }, Vec::new());
    let mut at = first.span.start as usize;
    for _ in 0..most_passed_over(text, &first) {
        // One tree at a time: they take many times their text.
        documents.clear();
        let Some(step) = around.step(at, reached) else {
            documents = Read::of(file, &around.left).documents;
            break;
        };
        passed_over.push(value_of_line(file, text, &step.line));
        documents = step.read.documents;
        let Some(next) = step.read.stopped else { return (without(documents, passed_over), Some(first)) };
        (at, reached) = (next.error.span.start as usize, next.reached);
    }
    passed_over.extend(lines_from(text, reached).map(|line| value_of_line(file, text, &line)));
    (without(documents, passed_over), Some(first))
}

/// How many lines are passed over one by one. For each the file is read anew, so that a large one gets fewer tries.
fn most_passed_over(text: &str, error: &YamlError) -> usize {
    const MOST_READ: usize = 16 << 20;
    const LARGEST: usize = 1 << 20;
    match &error.kind {
        YamlErrorKind::TooLarge => 0,
        _ if text.len() > LARGEST => 0,
        _ => (MOST_READ / (text.len() + 1)).clamp(8, 100),
    }
}

/// A text of which lines are blotted out, with blanks so that all places stay.
struct Around {
    file: FileId,
    left: String,
}

/// A line that was blotted out, and what there is to read without it.
struct Step {
    line: Range<usize>,
    read: Read,
}

impl Around {
    /// Passes over the line that lets the parser get furthest: the one at which it stopped, the one where it was when
    /// it last understood something, or the one before. Where the next one begins with a tab, it is to blame.
    fn step(&mut self, at: usize, reached: usize) -> Option<Step> {
        let stopped_at = self.line_with_text(at)?;
        let next = (stopped_at.end < self.left.len()).then(|| line_at(&self.left, stopped_at.end + 1));
        let is_tabbed = |line: &Range<usize>| {
            let line = &self.left[line.clone()];
            line[..line.len() - line.trim_start().len()].contains('\t') && !line.trim().is_empty()
        };
        let others = [self.line_with_text(reached), self.line_with_text(stopped_at.start.saturating_sub(1))];
        let lines =
            next.filter(is_tabbed).into_iter().chain([stopped_at]).chain(others.into_iter().flatten());
        let mut best: Option<Step> = None;
        for line in lines.collect::<Vec<_>>() {
            if best.as_ref().is_some_and(|best| best.line == line) {
                continue;
            }
            let read = Read::of(self.file, &self.without(&line));
            let gets_to = |read: &Read| read.stopped.as_ref().map_or(u32::MAX, |stop| stop.error.span.start);
            let is_better = best.as_ref().is_none_or(|best| gets_to(&read) > gets_to(&best.read));
            let is_whole = read.stopped.is_none();
            if is_better {
                best = Some(Step { line, read });
            }
            if is_whole {
                break;
            }
        }
        let step = best?;
        self.left = self.without(&step.line);
        Some(step)
    }

    /// The line at a place, or if it is blank the last one before that is not.
    fn line_with_text(&self, at: usize) -> Option<Range<usize>> {
        let mut end = line_at(&self.left, at).end;
        loop {
            let line = line_at(&self.left, end);
            if !self.left[line.clone()].trim().is_empty() {
                return Some(line);
            }
            end = line.start.checked_sub(1)?;
        }
    }

    fn without(&self, line: &Range<usize>) -> String {
        let mut text = self.left.clone();
        text.replace_range(line.clone(), &" ".repeat(line.len()));
        text
    }
}

/// The line around a place, without its line break.
fn line_at(text: &str, at: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let at = at.min(bytes.len());
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length);
    start..end
}

fn lines_from(text: &str, at: usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = Some(line_at(text, at));
    std::iter::from_fn(move || {
        let line = next.take()?;
        next = (line.end < text.len()).then(|| line_at(text, line.end + 1));
        Some(line)
    })
}

/// What of a line that cannot be read may be a value: all behind a first `:` or `=`.
fn value_of_line(file: FileId, text: &str, line: &Range<usize>) -> Span {
    let name = text[line.clone()].find([':', '=']).map_or(0, |at| at + 1);
    Span { file, start: (line.start + name) as u32, end: line.end as u32 }
}

fn without(mut documents: Vec<Document>, passed_over: Vec<Span>) -> Vec<Document> {
    if let Some(document) = documents.first_mut() {
        document.passed_over = passed_over;
    }
    documents
}

/// What could be read of a text.
struct Read {
    documents: Vec<Document>,
    stopped: Option<Stop>,
}

/// Why no more could be read.
struct Stop {
    error: YamlError,
    /// Where what was understood last ends.
    reached: usize,
}

impl Read {
    fn of(file: FileId, text: &str) -> Self {
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
            anchors: HashMap::new(),
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
    anchors: HashMap<usize, NodeId>,
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
    anchor: usize,
    key: Option<NodeId>,
}

impl Builder<'_> {
    /// Takes an event in; one that ends a document adds it to those before.
    fn take_in(&mut self, event: Event, span: Span, documents: &mut Vec<Document>) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart => {
                self.anchors.clear();
                self.taken.clear();
            }
            Event::DocumentEnd => {
                let number = documents.len();
                let names = self.names.drain();
                self.earlier.extend(names.map(|(name, id)| (name, (number, id))));
                documents.extend(self.document());
            }
            Event::UnknownAlias(name) => self.alias_of_earlier(&name, documents, span)?,
            event => self.take(event, span)?,
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

    fn take(&mut self, event: Event, span: Span) -> Result<(), YamlError> {
        match event {
            Event::Scalar { mut value, style, anchor, tag } => {
                if matches!(style, Style::Literal | Style::Folded) && self.ends_unended(&value, span) {
                    value = value[..value.len() - 1].into();
                }
                let span = self.scalar_span(span, style);
                let id =
                    self.add(Node { span, tag, kind: Kind::Scalar { value, style }, anchored: anchor != 0 });
                if anchor != 0 {
                    self.anchors.insert(anchor, id);
                }
                self.attach(id, span.end);
            }
            Event::SequenceStart { flow, anchor, tag } => {
                self.open(Kind::Sequence { items: Vec::new(), flow }, span, tag, anchor);
            }
            Event::MappingStart { flow, anchor, tag } => {
                self.open(Kind::Mapping { entries: Vec::new(), flow }, span, tag, anchor);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor).copied() else {
                    return Err(YamlError { kind: YamlErrorKind::UnknownAlias, span });
                };
                if self.open.iter().any(|open| open.anchor == anchor) {
                    return Err(YamlError { kind: YamlErrorKind::RecursiveAlias, span });
                }
                let id = self.add(Node { span, tag: None, kind: Kind::Alias(target), anchored: false });
                self.attach(id, span.end);
            }
            Event::Anchor(anchor, name) => {
                if let Some(id) = self.anchors.get(&anchor) {
                    self.names.insert(name, *id);
                }
            }
            Event::UnknownAlias(_) | Event::DocumentStart | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// An alias of what an earlier document has: that one's nodes are taken over whole, once.
    fn alias_of_earlier(&mut self, name: &str, documents: &[Document], span: Span) -> Result<(), YamlError> {
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
        let target = NodeId(start + id.0);
        let id = self.add(Node { span, tag: None, kind: Kind::Alias(target), anchored: false });
        self.attach(id, span.end);
        Ok(())
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn open(&mut self, kind: Kind, span: Span, tag: Option<Box<str>>, anchor: usize) {
        let id = self.add(Node { span, tag, kind, anchored: anchor != 0 });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.open.push(Open { id, anchor, key: None });
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
    /// Whether a block of lines ends with the file, and that without a line break. The parser makes one up.
    fn ends_unended(&self, value: &str, span: Span) -> bool {
        let rest = self.text.get(span.end as usize..).unwrap_or_default();
        let last = self.text.rsplit(['\n', '\r']).next().unwrap_or_default().trim_start();
        let Some(value) = value.strip_suffix('\n') else { return false };
        rest.trim().is_empty() && !last.is_empty() && value.ends_with(last)
    }

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
