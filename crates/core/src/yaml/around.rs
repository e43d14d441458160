//! What can be read of a text that is not valid: lines at which the parser stops are passed over.

use std::ops::Range;

use super::tree::{Document, Read, Stop, YamlError, YamlErrorKind};
use crate::source::{FileId, Span};

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

/// A text of which lines are blotted out, with as many bytes so that all places stay.
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
        text.replace_range(line.clone(), &blank(&self.left[line.clone()]));
        text
    }
}

/// As many bytes with nothing in them. Of a character of several bytes they are line breaks: nothing that is read begins
/// at one, so nothing begins inside of the character.
fn blank(line: &str) -> String {
    line.bytes().map(|byte| if byte.is_ascii() { ' ' } else { '\n' }).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn nothing_begins_inside_of_a_character_of_a_line_that_is_passed_over() {
        let texts = [
            " |2-\n\u{fffd}\u{fffd}R: x\n",
            "a: |2\nööö b\nc: d\n",
            "a: |\n  b\n\u{1f600}\u{1f600}\n  c\n",
            "a: 'b\n\u{2028}c\n",
            "\u{feff}ö: [\na: b\n",
        ];
        for text in texts {
            let mut sources = Sources::default();
            let file = sources.add("t", text);
            let (documents, error) = parse_around(file, text);
            assert!(error.is_some(), "{text:?}");
            for span in documents.iter().flat_map(Document::nodes).map(|node| node.span) {
                let place = span.start as usize..span.end as usize;
                assert!(text.get(place.clone()).is_some(), "{text:?} has no {place:?}");
            }
        }
    }
}
