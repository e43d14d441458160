//! One line of a file without the values in it. Deny by default: whatever is a value and is not allowed
//! by name shows as `***`, whatever its length.

use std::ops::Range;

use crate::lint::Outcome;
use crate::rules::Finding;
use crate::source::Span;

/// What stands for a value.
pub(super) const MASK: &str = "***";

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

/// The line of a finding as it may be shown, and which part of it the finding is about, in bytes.
pub fn excerpt(outcome: &Outcome, finding: &Finding) -> (String, Range<usize>) {
    let line = masked_line(outcome, Some(finding), finding.span);
    let range = line.range(finding.span);
    (line.text, range)
}

/// The line on which `span` starts, as it may be shown for `finding`.
pub(super) fn masked_line(outcome: &Outcome, finding: Option<&Finding>, span: Span) -> MaskedLine {
    let file = outcome.sources.file(span.file);
    let (start, end) = file.line_range(span.start);
    let text = file.text();
    let mut hidden = vec![false; end - start];
    let mut paint = |span: Span, value: bool| {
        let from = (span.start as usize).clamp(start, end) - start;
        let to = (span.end as usize).clamp(start, end) - start;
        hidden[from..to].fill(value);
    };
    let values: Vec<Span> = outcome.documents.iter().flat_map(crate::yaml::Document::value_spans).collect();
    let on_this_file = |other: &Span| other.file == span.file;
    values.iter().filter(|other| on_this_file(other)).for_each(|other| paint(*other, true));
    // A file without a tree tells values from keys by its form. Of a Dockerfile's line only what the finding
    // names is shown; of any other what stands before the first `:` or `=`.
    if !outcome.documents.iter().any(|document| document.file() == span.file) {
        let line = &text[start..end];
        let is_dockerfile = outcome.dockerfiles.contains(&span.file);
        let keep = if is_dockerfile { 0 } else { line.find([':', '=']).map_or(0, |at| at + 1) };
        let blank = line.len() - line.trim_start().len();
        paint(Span { start: (start + keep.max(blank)) as u32, end: end as u32, ..span }, true);
    }
    if let Some(finding) = finding {
        finding.shown.iter().filter(|other| on_this_file(other)).for_each(|other| paint(*other, false));
    }
    for other in outcome.findings.iter().filter(|other| !other.shown.contains(&other.span)) {
        if on_this_file(&other.span) {
            paint(other.span, true);
        }
    }
    // Comments are nobody's to show. Behind the last value a ` #` can be nothing else.
    let last_value = values
        .iter()
        .filter(|other| on_this_file(other) && (other.start as usize) < end)
        .map(|other| (other.end as usize).clamp(start, end))
        .max()
        .unwrap_or(start);
    let shown_end = text[last_value..end].find('#').map_or(end, |at| last_value + at);
    let shown_end = start + text[start..shown_end].trim_end().len();
    build(&text[start..shown_end], start, &hidden)
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
