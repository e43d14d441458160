//! What rules and the loader tell of names: one that is more than a name (`NAME=value`, a URL with credentials) is
//! told without what it carries.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Finding;
use crate::detect::{name_with_value, name_without_value, without_credentials};
use crate::source::{FileId, Sources, Span};
use crate::yaml::{Document, Kind};

/// Bytes of the longest text that is looked for in others. What is longer is told up to the first name's end.
const LONGEST: usize = 1000;

/// Cleans texts of what the files have in a name's place.
pub(crate) struct Telling {
    files: Vec<FileId>,
    carriers: Option<AhoCorasick>,
    told: Vec<String>,
}

impl Telling {
    /// Of what stands in these documents.
    pub(crate) fn of(documents: &[Document]) -> Self {
        let mut carriers: BTreeMap<&str, String> = BTreeMap::new();
        for node in documents.iter().flat_map(Document::nodes) {
            if let Kind::Scalar { value, .. } = &node.kind
                && value.len() <= LONGEST
                && let Some(told) = name_without_value(value)
            {
                carriers.insert(value, told);
            }
        }
        let (texts, told): (Vec<&str>, Vec<String>) = carriers.into_iter().unzip();
        let found = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts).ok();
        Telling { files: documents.iter().map(Document::file).collect(), carriers: found, told }
    }

    /// A text as it may be told.
    pub(crate) fn text(&self, text: &str) -> String {
        if text.len() > LONGEST
            && let Some(told) = name_without_value(text)
        {
            return without_credentials(&told);
        }
        let named = self.carriers.as_ref().map(|carriers| carriers.replace_all(text, &self.told));
        without_credentials(named.as_deref().unwrap_or(text))
    }

    /// The same of all that a finding says and shows.
    pub(crate) fn finding(&self, sources: &Sources, finding: &mut Finding) {
        let Finding { message, label, help, path, related, shown, .. } = finding;
        let related = related.iter_mut().map(|related| &mut related.message);
        for text in [message, label, help, path].into_iter().chain(related) {
            *text = self.text(text);
        }
        for span in shown.iter_mut().filter(|span| self.files.contains(&span.file)) {
            *span = name_only(sources, *span);
        }
    }
}

fn name_only(sources: &Sources, span: Span) -> Span {
    match name_with_value(sources.slice(span)) {
        Some((_, value)) => span.slice(0, value),
        None => span,
    }
}
