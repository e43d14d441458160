//! A value of the project, and where it came from.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use indexmap::IndexMap;

use super::environment::BindingOrigin;
use super::template;
use crate::source::Span;

/// A value with its origin.
#[derive(Clone)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Where it is written.
    pub span: Span,
    /// `!reset` or `!override` on it.
    pub mark: Mark,
    /// The text before interpolation, if it was interpolated, and what it was made of.
    pub template: Option<Arc<Template>>,
    /// A mapping that Compose holds as a list of `K=v`, because two files gave it; an empty list that it prints as one.
    pub listed: bool,
}

/// The text of an interpolated value before interpolation, and the parts of its result.
pub struct Template {
    /// As in the file, after YAML's own escapes.
    pub text: Arc<str>,
    /// The result's parts in order.
    pub parts: Vec<Part>,
}

/// One part of an interpolated text.
#[derive(Clone)]
pub struct Part {
    /// Byte range in the template text that gave this part.
    pub range: (usize, usize),
    /// What gave it.
    pub kind: PartKind,
}

/// What gave a part of an interpolated text.
#[derive(Clone)]
pub enum PartKind {
    /// The file itself.
    Literal,
    /// A variable that has a value.
    Variable {
        /// Its name.
        name: Box<str>,
        /// Where its value was set.
        from: BindingOrigin,
    },
    /// The default or alternate written beside the variable.
    Fallback {
        /// The variable's name.
        name: Box<str>,
    },
    /// A variable without a value: empty text.
    Unset {
        /// Its name.
        name: Box<str>,
    },
}

/// Tags by which Compose merges otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// None.
    #[default]
    None,
    /// `!reset`: removes what earlier files say.
    Reset,
    /// `!override`: replaces instead of merging.
    Override,
}

/// The types a Compose value has.
#[derive(Clone)]
pub enum Data {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number.
    Float(f64),
    /// A date, as go prints it. Compose refuses one almost everywhere.
    Time(Arc<str>),
    /// Text.
    Str(Arc<str>),
    /// A list.
    Seq(Vec<Value>),
    /// A mapping, in source order.
    Map(Map),
}

/// A mapping, in source order. Clones share their entries until one of them changes, so a clone costs nothing and
/// a change costs the mapping that it is in, not what is below.
#[derive(Clone, Default)]
pub struct Map(Arc<Entries>);

/// Keys are hashed with a seed that each process chooses, as a file's author may be hostile.
type Entries = IndexMap<Arc<str>, MapEntry, foldhash::fast::RandomState>;

impl Map {
    /// An empty mapping.
    pub fn new() -> Self {
        Map::default()
    }

    /// An empty mapping with room for as many entries.
    pub fn with_capacity(entries: usize) -> Self {
        Map(Arc::new(Entries::with_capacity_and_hasher(entries, foldhash::fast::RandomState::default())))
    }
}

impl Deref for Map {
    type Target = Entries;

    fn deref(&self) -> &Entries {
        &self.0
    }
}

impl DerefMut for Map {
    fn deref_mut(&mut self) -> &mut Entries {
        Arc::make_mut(&mut self.0)
    }
}

impl FromIterator<(Arc<str>, MapEntry)> for Map {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, MapEntry)>>(entries: I) -> Self {
        Map(Arc::new(entries.into_iter().collect()))
    }
}

impl IntoIterator for Map {
    type Item = (Arc<str>, MapEntry);
    type IntoIter = indexmap::map::IntoIter<Arc<str>, MapEntry>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<'m> IntoIterator for &'m Map {
    type Item = (&'m Arc<str>, &'m MapEntry);
    type IntoIter = indexmap::map::Iter<'m, Arc<str>, MapEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'m> IntoIterator for &'m mut Map {
    type Item = (&'m Arc<str>, &'m mut MapEntry);
    type IntoIter = indexmap::map::IterMut<'m, Arc<str>, MapEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

/// A key's place and its value.
#[derive(Clone)]
pub struct MapEntry {
    /// Where the key is written.
    pub key_span: Span,
    /// The value.
    pub value: Value,
}

/// Text with its origin: what rules look at.
#[derive(Clone)]
pub struct Text {
    /// After interpolation.
    pub value: Arc<str>,
    /// Before it; the same as `value` where there was none.
    pub raw: Arc<str>,
    /// Where it is written.
    pub span: Span,
    /// The variable that leaves it open what the text is: it has no value and no default.
    pub undecided: Option<Arc<str>>,
}

impl Text {
    /// Text as it is written.
    pub fn plain(text: impl Into<Arc<str>>, span: Span) -> Self {
        let text = text.into();
        Text { value: text.clone(), raw: text, span, undecided: None }
    }
}

impl Template {
    /// The variable that leaves it open what came out: it has no value and no default.
    fn undecided(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match &part.kind {
            PartKind::Literal | PartKind::Variable { .. } => None,
            PartKind::Fallback { .. } => template::undecided(&self.text[part.range.0..part.range.1]),
            PartKind::Unset { name } => Some(name),
        })
    }
}

impl Value {
    /// A value that was written as such.
    pub fn new(data: Data, span: Span) -> Self {
        Value { data, span, mark: Mark::None, template: None, listed: false }
    }

    /// Text that no file has: a default, or a part of a short form that stands at `span`.
    pub(super) fn text(text: impl Into<Arc<str>>, span: Span) -> Self {
        Value::new(Data::Str(text.into()), span)
    }

    /// A truth value that no file has.
    pub(super) fn truth(truth: bool, span: Span) -> Self {
        Value::new(Data::Bool(truth), span)
    }

    /// A mapping that no file has.
    pub(super) fn map<const N: usize>(entries: [(&str, Value); N], span: Span) -> Self {
        let entries =
            entries.into_iter().map(|(key, value)| (key.into(), MapEntry { key_span: span, value }));
        Value::new(Data::Map(entries.collect()), span)
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// The place of the first number in it that JSON has not, which Compose prints and Docker checks a stack in.
    pub(super) fn infinite(&self) -> Option<Span> {
        match &self.data {
            Data::Float(number) if !number.is_finite() => Some(self.span),
            Data::Seq(items) => items.iter().find_map(Value::infinite),
            Data::Map(map) => map.values().find_map(|entry| entry.value.infinite()),
            _ => None,
        }
    }

    /// Whether it is nothing, or empty.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.data {
            Data::Null => true,
            Data::Str(text) => text.is_empty(),
            Data::Seq(items) => items.is_empty(),
            Data::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    /// The mapping to change, if it is one.
    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list to change, if it is one.
    pub(crate) fn as_seq_mut(&mut self) -> Option<&mut Vec<Value>> {
        match &mut self.data {
            Data::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key of a mapping, to change.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let map = self.as_map_mut()?;
        // Without this, a mapping that is shared would be copied for a key that it has not.
        let at = map.get_index_of(key)?;
        map.get_index_mut(at).map(|(_, entry)| &mut entry.value)
    }

    /// The mapping, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_seq(&self) -> Option<&[Value]> {
        match &self.data {
            Data::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The text as in the file, before interpolation; `None` of what is no text.
    pub fn written(&self) -> Option<&str> {
        match (&self.template, &self.data) {
            (Some(template), _) => Some(&template.text),
            (None, Data::Str(text) | Data::Time(text)) => Some(text),
            (None, _) => None,
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key).map(|entry| &entry.value)
    }

    /// A scalar as the text that Compose makes of it; `None` for null and collections.
    pub fn to_text(&self) -> Option<Text> {
        let value: Arc<str> = match &self.data {
            Data::Null | Data::Seq(_) | Data::Map(_) => return None,
            Data::Bool(truth) => truth.to_string().into(),
            Data::Int(number) => number.to_string().into(),
            Data::Float(number) => format_float(*number).into(),
            Data::Time(text) | Data::Str(text) => text.clone(),
        };
        let raw = self.template.as_ref().map_or_else(|| value.clone(), |template| template.text.clone());
        let undecided = self.template.as_ref().and_then(|template| template.undecided()).map(Arc::from);
        Some(Text { value, raw, span: self.span, undecided })
    }

    /// What kind of value it is, for messages.
    pub fn type_name(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Int(_) | Data::Float(_) => "a number",
            Data::Time(_) => "a date",
            Data::Str(_) => "text",
            Data::Seq(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }
}

/// go's `%v` of a float64: shortest, with an exponent below 1e-4 and from 1e6.
pub(crate) fn format_float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if number.is_nan() {
        return "NaN".to_owned();
    }
    let size = number.abs();
    if number == 0.0 || (1e-4..1e6).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

// Values are secrets: Debug shows shape and place only.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}..{}", self.type_name(), self.span.start, self.span.end)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text of {} bytes at {}..{}", self.value.len(), self.span.start, self.span.end)
    }
}
