//! What rules and the loader tell of names: one that is more than a name (`NAME=value`, `NAME:value`, a URL with
//! credentials) is told without what it carries.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::Finding;
use crate::compose::names;
use crate::detect::{
    name_with_rest, name_with_value, name_without_rest, name_without_value, without_credentials,
};
use crate::source::{Sources, Span};
use crate::yaml::{Document, Kind, Node};

/// Bytes of the longest text that is looked for in others. What is longer is told up to the first name's end.
const LONGEST: usize = 1000;

/// Cleans texts of what the files have in a name's place.
pub(crate) struct Telling<'a> {
    documents: &'a [Document],
    /// Looked for when the first text could hold one: most files need none.
    carriers: OnceCell<Option<Carriers>>,
    /// What stands in a name's place and is none: looked for in all texts, and in most files there is none.
    names: OnceCell<Option<Carriers>>,
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
        Carriers::from(carriers)
    }

    fn of_names(documents: &[Document]) -> Option<Self> {
        let mut carriers: BTreeMap<&str, String> = BTreeMap::new();
        for node in documents.iter().flat_map(names) {
            let Kind::Scalar { value, .. } = &node.kind else { continue };
            let Some(told) = name_without_rest(value) else { continue };
            // A list's line, and the name alone.
            let end = name_with_rest(value).map_or(0, |(end, _)| end);
            let name = value[end..].find('=').map_or(&**value, |equals| &value[..end + equals]);
            for text in [&**value, name] {
                let length = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
                carriers.insert(&text[..length.unwrap_or(0)], told.clone());
            }
        }
        Carriers::from(carriers)
    }

    fn from(carriers: BTreeMap<&str, String>) -> Option<Self> {
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

    /// The text with each carrier as it is told. Behind the start of one that is too long nothing is.
    fn replaced(&self, text: &str) -> String {
        let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
        for carrier in self.found.find_iter(text) {
            kept.push_str(&text[from..carrier.start()]);
            kept.push_str(&self.told[carrier.pattern().as_usize()]);
            from = carrier.end();
            if carrier.len() + 4 > LONGEST {
                return kept;
            }
        }
        kept + &text[from..]
    }
}

impl<'a> Telling<'a> {
    /// Of what stands in these documents.
    pub(crate) fn of(documents: &'a [Document]) -> Self {
        Telling { documents, carriers: OnceCell::new(), names: OnceCell::new() }
    }

    /// A text as it may be told.
    pub(crate) fn text(&self, text: &str) -> String {
        let names = self.names.get_or_init(|| Carriers::of_names(self.documents)).as_ref();
        let named = names.map(|names| names.replaced(text));
        let text = named.as_deref().unwrap_or(text);
        if text.len() > LONGEST
            && let Some(told) = name_without_value(text)
        {
            return without_credentials(&told);
        }
        // Without these no carrier is one.
        let may_carry = ["=", ": ", ":\t"].iter().any(|separator| text.contains(separator));
        let carriers = || self.carriers.get_or_init(|| Carriers::of(self.documents)).as_ref();
        let carriers = if may_carry { carriers() } else { None };
        let named = carriers.map(|carriers| carriers.replaced(text));
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

/// What follows the name in each name's place: `:value` of `NAME:value`.
pub(crate) fn name_rests(documents: &[Document], sources: &Sources) -> Vec<Span> {
    let named = documents.iter().flat_map(names);
    let rest = |node: &Node| {
        let Kind::Scalar { value, .. } = &node.kind else { return None };
        let (end, _) = name_with_rest(value)?;
        Some(sources.within(node.span, value, end..value.len()))
    };
    named.filter_map(rest).collect()
}

fn name_only(sources: &Sources, span: Span) -> Span {
    match name_with_value(sources.slice(span)) {
        Some((_, value)) => span.slice(0, value),
        None => span,
    }
}
