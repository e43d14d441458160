//! What rules and the loader tell of names: one that is more than a name (`NAME=value`, a URL with credentials) is
//! told without what it carries.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::Finding;
use crate::detect::{name_with_value, name_without_value, without_credentials};
use crate::source::{Sources, Span};
use crate::yaml::{Document, Kind};

/// Bytes of the longest text that is looked for in others. What is longer is told up to the first name's end.
const LONGEST: usize = 1000;

/// Cleans texts of what the files have in a name's place.
pub(crate) struct Telling<'a> {
    documents: &'a [Document],
    /// Looked for when the first text could hold one: most files need none.
    carriers: OnceCell<Option<Carriers>>,
}

/// What is more than a name, and how it is told.
struct Carriers {
    found: AhoCorasick,
    told: Vec<String>,
}

impl Carriers {
    fn of(documents: &[Document]) -> Option<Self> {
        let mut carriers: BTreeMap<&str, String> = BTreeMap::new();
        for node in documents.iter().flat_map(Document::nodes) {
            if let Kind::Scalar { value, .. } = &node.kind
                && value.len() <= LONGEST
                && let Some(told) = name_without_value(value)
            {
                carriers.insert(value, told);
            }
        }
        if carriers.is_empty() {
            return None;
        }
        let (texts, told): (Vec<&str>, Vec<String>) = carriers.into_iter().unzip();
        // It is built for a few short texts: the kind that is built fastest.
        let kind = Some(AhoCorasickKind::NoncontiguousNFA);
        let found =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).kind(kind).build(texts).ok()?;
        Some(Carriers { found, told })
    }
}

impl<'a> Telling<'a> {
    /// Of what stands in these documents.
    pub(crate) fn of(documents: &'a [Document]) -> Self {
        Telling { documents, carriers: OnceCell::new() }
    }

    /// A text as it may be told.
    pub(crate) fn text(&self, text: &str) -> String {
        if text.len() > LONGEST
            && let Some(told) = name_without_value(text)
        {
            return without_credentials(&told);
        }
        // Without these no carrier is one.
        let may_carry = ["=", ": ", ":\t"].iter().any(|separator| text.contains(separator));
        let carriers = || self.carriers.get_or_init(|| Carriers::of(self.documents)).as_ref();
        let carriers = if may_carry { carriers() } else { None };
        let named = carriers.map(|carriers| carriers.found.replace_all(text, &carriers.told));
        without_credentials(named.as_deref().unwrap_or(text))
    }

    /// The same of all that a finding says and shows.
    pub(crate) fn finding(&self, sources: &Sources, finding: &mut Finding) {
        let Finding { message, label, help, path, related, shown, .. } = finding;
        let related = related.iter_mut().map(|related| &mut related.message);
        for text in [message, label, help, path].into_iter().chain(related) {
            *text = self.text(text);
        }
        let is_of_tree =
            |span: &&mut Span| self.documents.iter().any(|document| document.file() == span.file);
        for span in shown.iter_mut().filter(is_of_tree) {
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
