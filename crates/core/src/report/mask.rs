//! A line of a file, or what a change does to all of it, without the values in it. Deny by default: whatever is a
//! value and is not allowed by name shows as `***`, whatever its length.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::compose::dotenv;
use crate::detect::name_with_value;
use crate::dockerfile;
use crate::fix::Edit;
use crate::lint::Outcome;
use crate::rules::Finding;
use crate::source::{FileId, Span};
use crate::yaml::{Document, Kind};

/// What stands for a value.
pub(super) const MASK: &str = "***";

/// How much of a long line stands on either side of what a finding is about, in bytes.
const AROUND: usize = 200;

/// A line that may be shown.
pub(super) struct MaskedLine {
    pub(super) text: String,
    pieces: Vec<Piece>,
}

/// A run of the original line, shown or hidden as one.
struct Piece {
    /// Byte range in the file.
    original: Range<usize>,
    /// Byte range in the masked text.
    moved: Range<usize>,
    hidden: bool,
}

impl MaskedLine {
    /// A span of the file as a range of the masked text. What is hidden is covered as a whole.
    pub(super) fn range(&self, span: Span) -> Range<usize> {
        let (start, end) = (span.start as usize, span.end as usize);
        let mut covered: Option<Range<usize>> = None;
        for piece in &self.pieces {
            let from = start.max(piece.original.start);
            let to = end.min(piece.original.end);
            if from > to || (from == to && start != end) {
                continue;
            }
            let moved = if piece.hidden {
                piece.moved.clone()
            } else {
                let offset = |at: usize| piece.moved.start + (at - piece.original.start);
                offset(from)..offset(to)
            };
            covered = Some(covered.map_or(moved.clone(), |before| before.start..moved.end));
        }
        let range = covered.unwrap_or(self.text.len()..self.text.len());
        // A character that is not safe to show became a longer one: keep to its boundary.
        let floor =
            |at: usize| (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at));
        floor(range.start).unwrap_or(0)..floor(range.end).unwrap_or(0)
    }
}

/// The lines of an outcome as they may be shown. What that takes is looked up once, however much was found.
pub struct Excerpts<'a> {
    pub(super) outcome: &'a Outcome,
    files: HashMap<FileId, Hidden>,
}

/// What of a file is hidden.
#[derive(Default)]
struct Hidden {
    /// Whether its values are known, and not only its lines.
    has_tree: bool,
    values: Ranges,
    /// What findings are about and do not show, and what no name has.
    about: Ranges,
}

impl<'a> Excerpts<'a> {
    /// Of all its files.
    pub fn of(outcome: &'a Outcome) -> Self {
        let mut files: HashMap<FileId, (Option<Vec<Span>>, Vec<Span>)> = HashMap::new();
        for (file, values) in value_places(outcome) {
            files.entry(file).or_default().0 = Some(values);
        }
        for hidden in not_shown(&outcome.findings).chain(outcome.rests.iter().copied()) {
            files.entry(hidden.file).or_default().1.push(hidden);
        }
        let hidden = |(file, (values, about)): (FileId, (Option<Vec<Span>>, _))| {
            let has_tree = values.is_some();
            (
                file,
                Hidden { has_tree, values: Ranges::of(values.unwrap_or_default()), about: Ranges::of(about) },
            )
        };
        Excerpts { outcome, files: files.into_iter().map(hidden).collect() }
    }

    /// The line of a finding as it may be shown, and which part of it the finding is about, in bytes. Of a long line
    /// it is what stands around the finding, so that as many findings on it cost what they show and not its square.
    pub fn line(&self, finding: &Finding) -> (String, Range<usize>) {
        let span = finding.span;
        let file = self.outcome.sources.file(span.file);
        let text = file.text();
        let (start, end) = file.line_range(span.start);
        let near = |at: usize| (start..=at.clamp(start, end)).rev().find(|at| text.is_char_boundary(*at));
        let from = near((span.start as usize).saturating_sub(AROUND)).unwrap_or(start);
        let to = near((span.end as usize).min(span.start as usize + AROUND) + AROUND).unwrap_or(end);
        let is_short = end - start <= 4 * AROUND;
        let (from, to) = if is_short { (start, end) } else { (from, to) };
        let line = self.masked_part(Some(finding), span, from..to);
        let range = line.range(span);
        let head = if from > start { "…" } else { "" };
        let tail = if to < end { "…" } else { "" };
        let moved = range.start + head.len()..range.end + head.len();
        (format!("{head}{}{tail}", line.text), moved)
    }

    /// The line on which `span` starts, as it may be shown for `finding`.
    pub(super) fn masked(&self, finding: Option<&Finding>, span: Span) -> MaskedLine {
        let (start, end) = self.outcome.sources.file(span.file).line_range(span.start);
        self.masked_part(finding, span, start..end)
    }

    /// A part of that line.
    fn masked_part(&self, finding: Option<&Finding>, span: Span, part: Range<usize>) -> MaskedLine {
        let file = self.outcome.sources.file(span.file);
        let line = file.line_range(span.start);
        let (start, end) = (part.start, part.end);
        let text = file.text();
        let none = Hidden::default();
        let known = self.files.get(&span.file).unwrap_or(&none);
        let mut hidden = vec![false; end - start];
        let mut paint = |span: Span, value: bool| paint(&mut hidden, start, span, value);
        let part = |(from, to): (usize, usize)| Span { start: from as u32, end: to as u32, ..span };
        known.values.touching(start..end).for_each(|range| paint(part(range), true));
        // A file without a tree tells values from keys by its form. Of a Dockerfile's line only what the finding
        // names is shown; of any other what stands before the first `:` or `=`.
        let is_dockerfile = self.outcome.dockerfiles.contains(&span.file);
        if !known.has_tree {
            let (from, written) = (line.0, &text[line.0..line.1]);
            let keep = if is_dockerfile { 0 } else { written.find([':', '=']).map_or(0, |at| at + 1) };
            let blank = written.len() - written.trim_start().len();
            paint(part((from + keep.max(blank), line.1)), true);
        }
        let named = finding.into_iter().flat_map(|finding| &finding.shown);
        named.filter(|shown| shown.file == span.file).for_each(|shown| paint(*shown, false));
        if is_dockerfile {
            show_separators(&mut hidden, &text[start..end]);
        }
        let mut paint = |span: Span, value: bool| self::paint(&mut hidden, start, span, value);
        known.about.touching(start..end).for_each(|range| paint(part(range), true));
        let shown_end = comment_start(text, &known.values, line.0..line.1).clamp(start, end);
        let shown_end = start + text[start..shown_end].trim_end().len();
        build(&text[start..shown_end], start, &hidden)
    }
}

/// Where the values stand in each file that is known by a tree.
pub(crate) fn value_places(outcome: &Outcome) -> HashMap<FileId, Vec<Span>> {
    let mut places = outcome.values.clone();
    for document in &outcome.documents {
        let values = places.entry(document.file()).or_default();
        values.extend(document.value_spans());
        values.extend(carried(outcome, document));
    }
    places
}

/// What separates a word that is shown from what is not: blanks, and one `=`. They tell nothing of a value.
fn show_separators(hidden: &mut [bool], line: &str) {
    let bytes = line.as_bytes();
    for at in 0..bytes.len() {
        let blank = matches!(bytes[at], b' ' | b'\t');
        let after = at > 0 && !hidden[at - 1];
        let equals = bytes[at] == b'=' && after && bytes[at - 1].is_ascii_alphanumeric();
        if (blank && after) || equals {
            hidden[at] = false;
        }
    }
    for at in (0..bytes.len().saturating_sub(1)).rev() {
        if matches!(bytes[at], b' ' | b'\t') && !hidden[at + 1] {
            hidden[at] = false;
        }
    }
}

/// Byte ranges of a file in order, of which those are found at once that touch a part of it.
#[derive(Default)]
struct Ranges(Vec<(usize, usize, usize)>);

impl Ranges {
    /// Start, end, and the furthest end up to here.
    fn of(spans: Vec<Span>) -> Self {
        let mut ranges: Vec<_> =
            spans.into_iter().map(|span| (span.start as usize, span.end as usize, 0)).collect();
        ranges.sort_unstable();
        let mut furthest = 0;
        for (_, end, reach) in &mut ranges {
            furthest = furthest.max(*end);
            *reach = furthest;
        }
        Ranges(ranges)
    }

    /// Those that start before a place.
    fn before(&self, place: usize) -> &[(usize, usize, usize)] {
        &self.0[..self.0.partition_point(|(start, ..)| *start < place)]
    }

    fn touching(&self, part: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let near = self.before(part.end).iter().rev().take_while(move |(.., reach)| *reach > part.start);
        near.map(|(start, end, _)| (*start, *end))
    }
}

/// A file before and after edits, as both may be shown. What is put in is shown: it holds no value. `known` is the
/// file where the rules have read it; of one that they have not, nothing that was there is shown but patterns of paths.
pub(crate) fn masked_change(
    outcome: &Outcome,
    known: Option<FileId>,
    is_patterns: bool,
    text: &str,
    edits: &[Edit],
) -> (String, String) {
    let hidden = match known {
        Some(file) => hidden(outcome, file),
        None if is_patterns => hidden_patterns(text),
        None => vec![true; text.len()],
    };
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let (mut before, mut after) = (Shown::default(), Shown::default());
    before.push(text, 0, &hidden);
    let mut at = 0;
    for edit in edits {
        after.push(&text[at..edit.start], at, &hidden);
        after.push(&edit.text, 0, &vec![false; edit.text.len()]);
        at = edit.end;
    }
    after.push(&text[at..], at, &hidden);
    (before.text, after.text)
}

/// Which bytes of a file of patterns may not be shown: comments, and what looks like no path.
fn hidden_patterns(text: &str) -> Vec<bool> {
    let lines = text.split_inclusive('\n');
    lines
        .flat_map(|line| vec![crate::redact::pattern(line).is_none() && !line.trim().is_empty(); line.len()])
        .collect()
}

/// Text that grows, with one mask for each hidden run.
#[derive(Default)]
struct Shown {
    text: String,
    is_hidden: bool,
}

impl Shown {
    /// Adds text whose first byte is at `start` of `hidden`.
    fn push(&mut self, text: &str, start: usize, hidden: &[bool]) {
        for (at, character) in text.char_indices() {
            let is_break = character == '\n' || text[at..].starts_with("\r\n");
            let hide = hidden[start + at] && !is_break;
            match (hide, self.is_hidden) {
                (true, true) => {}
                (true, false) => self.text.push_str(MASK),
                (false, _) if is_break || is_safe(character) => self.text.push(character),
                (false, _) => self.text.push('\u{fffd}'),
            }
            self.is_hidden = hide;
        }
    }
}

/// Which bytes of a file may not be shown where nothing but its change is spoken of.
fn hidden(outcome: &Outcome, file: FileId) -> Vec<bool> {
    let text = outcome.sources.file(file).text();
    let whole = Span { file, start: 0, end: text.len() as u32 };
    let documents = || outcome.documents.iter().filter(|document| document.file() == file);
    let spans = |document| Document::value_spans(document).into_iter().chain(carried(outcome, document));
    let values = Ranges::of(documents().flat_map(spans).collect());
    let has_tree = documents().next().is_some();
    let mut hidden = vec![!has_tree; text.len()];
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let first = start + line.len() - line.trim_start_matches([' ', '\t']).len();
        hidden[start..first].fill(false);
        let comment = if has_tree { comment_start(text, &values, start..end) } else { first };
        if text[comment..end].starts_with('#') {
            hidden[comment..end].fill(true);
            hidden[comment] = false;
            let blank = text[comment + 1..end].starts_with(' ');
            hidden[comment + usize::from(blank)] = false;
        }
        start = end;
    }
    let mut paint = |span: Span, value: bool| paint(&mut hidden, 0, span, value);
    for (from, to, _) in &values.0 {
        paint(whole.slice(*from, *to), true);
    }
    let secrets = secrets(outcome);
    let is_secret = |span: Span| secrets.contains(unquoted(outcome.sources.slice(span)));
    for document in documents() {
        let public = crate::redact::public_values(document);
        public.into_iter().filter(|span| !is_secret(*span)).for_each(|span| paint(span, false));
        // A name that is somebody's password, too.
        let nodes = document.nodes().map(|node| node.span);
        nodes.filter(|span| is_secret(*span)).for_each(|span| paint(span, true));
    }
    if outcome.dockerfiles.contains(&file) {
        let instructions = dockerfile::parse(file, text).instructions;
        let known = instructions.iter().filter(|found| KEYWORDS.contains(&found.keyword.as_str()));
        known.for_each(|instruction| paint(instruction.keyword_span, false));
    } else if !has_tree {
        let assigned = dotenv::scan(file, text);
        // A line of a key that was pasted without quotes may end in `=`, too.
        let is_name = |name: &str| name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        let may_be_shown = |assigned: &&dotenv::Assigned| {
            is_name(&assigned.name.value) && !secrets.contains(&*assigned.name.value)
        };
        for assigned in assigned.iter().filter(may_be_shown) {
            if let Some(value) = &assigned.value {
                let name = assigned.name.span;
                paint(Span { end: (name.end + 1).min(whole.end), ..name }, false);
                paint(value.span, true);
            }
        }
    }
    let named = outcome.findings.iter().flat_map(|finding| &finding.shown);
    named.filter(|span| span.file == file).for_each(|span| paint(*span, false));
    let about = not_shown(&outcome.findings).chain(outcome.rests.iter().copied());
    about.filter(|span| span.file == file).for_each(|span| paint(span, true));
    hidden
}

/// What findings are about: texts that are secrets, wherever else they stand.
fn secrets(outcome: &Outcome) -> HashSet<&str> {
    let texts = not_shown(&outcome.findings).map(|span| unquoted(outcome.sources.slice(span)));
    texts.filter(|text| !text.is_empty()).collect()
}

/// The values that stand in keys: of `NAME=value: x` what follows the name.
fn carried<'a>(outcome: &'a Outcome, document: &'a Document) -> impl Iterator<Item = Span> + 'a {
    document.nodes().filter(|node| matches!(node.kind, Kind::Scalar { .. })).filter_map(|node| {
        let text = outcome.sources.slice(node.span);
        name_with_value(text).map(|(_, value)| node.span.slice(value, text.len()))
    })
}

fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// The instructions of a Dockerfile that there are.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Marks the part of a span that lies in a range that starts at `start`.
fn paint(hidden: &mut [bool], start: usize, span: Span, value: bool) {
    let end = start + hidden.len();
    let from = (span.start as usize).clamp(start, end) - start;
    let to = (span.end as usize).clamp(start, end) - start;
    hidden[from..to].fill(value);
}

/// What findings are about and do not show.
fn not_shown(findings: &[Finding]) -> impl Iterator<Item = Span> {
    findings.iter().filter(|finding| !finding.shown.contains(&finding.span)).map(|finding| finding.span)
}

/// Where the comment of a line starts, or the line's end. Comments are nobody's to show. Behind the last value a ` #`
/// can be nothing else.
fn comment_start(text: &str, values: &Ranges, line: Range<usize>) -> usize {
    let last_value = values.before(line.end).last().map_or(line.start, |(.., reach)| *reach);
    let last_value = last_value.clamp(line.start, line.end);
    text[last_value..line.end].find('#').map_or(line.end, |at| last_value + at)
}

fn build(line: &str, start: usize, hidden: &[bool]) -> MaskedLine {
    let mut masked = MaskedLine { text: String::new(), pieces: Vec::new() };
    for (at, character) in line.char_indices() {
        let here = start + at;
        if masked.pieces.last().is_none_or(|piece| piece.hidden != hidden[at]) {
            let moved = masked.text.len();
            masked.pieces.push(Piece { original: here..here, moved: moved..moved, hidden: hidden[at] });
            if hidden[at] {
                masked.text.push_str(MASK);
            }
        }
        if !hidden[at] {
            // Control and direction characters would let a file draw on the terminal.
            masked.text.push(if is_safe(character) { character } else { '\u{fffd}' });
        }
        if let Some(piece) = masked.pieces.last_mut() {
            piece.original.end = here + character.len_utf8();
            piece.moved.end = masked.text.len();
        }
    }
    masked
}

fn is_safe(character: char) -> bool {
    character == '\t'
        || !(character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn a_value_that_began_lines_above_is_hidden_on_this_line_too() {
        let file = Sources::default().add("compose.yaml", "");
        let spans = [(30, 31), (0, 4), (5, 40), (6, 8), (40, 50)];
        let spans = spans.map(|(start, end)| Span { file, start, end });
        let ranges = Ranges::of(spans.to_vec());
        for start in 0..60 {
            for end in start..60 {
                let touching: HashSet<_> = ranges.touching(start..end).collect();
                for span in spans {
                    let range = (span.start as usize, span.end as usize);
                    let touches = range.0 < end && range.1 > start;
                    assert!(!touches || touching.contains(&range), "{range:?} in {start}..{end}");
                }
            }
        }
    }
}
