//! One line of a file without the values in it. Deny by default: whatever is a value and is not allowed
//! by name shows as `***`, whatever its length.

use crate::lint::Outcome;
use crate::rules::Finding;
use crate::source::Span;

/// What stands for a value.
pub(super) const MASK: &str = "***";

/// A line that may be shown.
pub(super) struct MaskedLine {
    pub(super) text: String,
    /// Original byte offset in the file and offset in `text` of each piece, in order.
    pieces: Vec<(usize, usize)>,
}

impl MaskedLine {
    /// Where an offset of the file has gone.
    fn moved(&self, offset: usize) -> usize {
        let at = self.pieces.partition_point(|(original, _)| *original <= offset);
        match at.checked_sub(1).and_then(|at| self.pieces.get(at)) {
            Some((original, moved)) => {
                let limit = self.pieces.get(at).map_or(self.text.len(), |(_, next)| *next);
                (moved + offset - original).min(limit)
            }
            None => 0,
        }
    }

    /// A span of the file as a range of the masked text; never empty where the text is not.
    pub(super) fn range(&self, span: Span) -> std::ops::Range<usize> {
        let start = self.moved(span.start as usize);
        let end = self.moved(span.end as usize).max(start);
        let floor = |at: usize| (0..=at).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        floor(start)..floor(end)
    }
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
    if let Some(finding) = finding {
        finding.shown.iter().filter(|other| on_this_file(other)).for_each(|other| paint(*other, false));
    }
    for other in outcome.findings.iter().filter(|other| !other.shown.contains(&other.span)) {
        if on_this_file(&other.span) {
            paint(other.span, true);
        }
    }
    // A file that did not parse has no tree to tell values from keys: show what stands before the first
    // `:` or `=` and nothing else.
    if outcome.documents.is_empty() {
        let line = &text[start..end];
        let keep = line.find([':', '=']).map_or(0, |at| at + 1);
        hidden[keep..].fill(true);
        let indentation = line.len() - line.trim_start().len();
        hidden[..indentation].fill(false);
    }
    // Comments are nobody's to show. Behind the last value a ` #` can be nothing else.
    let last_value = values
        .iter()
        .filter(|other| on_this_file(other))
        .map(|other| (other.end as usize).clamp(start, end))
        .max()
        .unwrap_or(start);
    let shown_end = text[last_value..end].find('#').map_or(end, |at| last_value + at);
    let shown_end = start + text[start..shown_end].trim_end().len();
    build(&text[start..shown_end], start, &hidden)
}

fn build(line: &str, start: usize, hidden: &[bool]) -> MaskedLine {
    let mut masked = MaskedLine { text: String::new(), pieces: Vec::new() };
    let mut was_hidden = None;
    for (at, character) in line.char_indices() {
        if was_hidden != Some(hidden[at]) {
            masked.pieces.push((start + at, masked.text.len()));
            if hidden[at] {
                masked.text.push_str(MASK);
            }
            was_hidden = Some(hidden[at]);
        }
        if !hidden[at] {
            // Control and direction characters would let a file draw on the terminal.
            masked.text.push(if is_safe(character) { character } else { '\u{fffd}' });
        }
    }
    masked.pieces.push((start + line.len(), masked.text.len()));
    masked
}

fn is_safe(character: char) -> bool {
    character == '\t'
        || !(character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}
