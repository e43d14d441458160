//! From the YAML tree to values: aliases expanded, `<<` applied, scalars resolved, within go-yaml's
//! budget against alias bombs.

use std::collections::HashMap;

use indexmap::map::Entry;
use std::sync::Arc;

use super::value::{Data, Map, MapEntry, Mark, Value};
use crate::source::Span;
use crate::yaml::scalar::{self, Scalar};
use crate::yaml::{Document, Kind, Node, NodeId, Style};

/// Why a document cannot be read as Compose reads it. No variant holds a value of the file.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Where.
    pub span: Span,
    /// The other place that the error is about, if there is one.
    pub related: Option<Span>,
}

/// The causes of a [`DecodeError`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// A key twice in one mapping.
    #[error("the key `{0}` stands twice in this mapping; remove one")]
    DuplicateKey(Arc<str>),
    /// `<<` with something that is no mapping.
    #[error("`<<` merges mappings only; give it an alias of a mapping or a list of those")]
    MergeOfNoMapping,
    /// A mapping, a list, a number or the like as key.
    #[error("a key must be text; put quotes around it")]
    KeyNotText,
    /// `!!int abc`
    #[error(
        "the value is none of the type that its tag (`!!…`) names; take the tag away, or correct the value"
    )]
    TagMisfit,
    /// Aliases blow the document up.
    #[error("the document's aliases expand to far more than its text (an alias bomb); write the values out")]
    ExcessiveAliasing,
    /// Too deep after expansion.
    #[error("the document is nested too deeply")]
    TooDeep,
}

/// Expands a document into a value tree.
pub fn decode(document: &Document) -> Result<Value, DecodeError> {
    Decoder::new(document, false).value(document.root(), 0)
}

/// The same for a linter, and what is wrong with the document first. Any scalar is a key, taken by its text; of what
/// stands twice the first counts, with what only the second has; what is no key is left out.
pub(super) fn decode_around(document: &Document) -> Result<(Value, Option<DecodeError>), DecodeError> {
    let mut decoder = Decoder::new(document, true);
    let value = decoder.value(document.root(), 0)?;
    Ok((value, decoder.problem))
}

/// Deeper than any text the parser accepts (255), since aliases may nest what they stand for.
const DEEPEST: usize = 1000;

struct Decoder<'a> {
    document: &'a Document,
    /// The keys so far: a thousand services have the same ones.
    names: HashMap<&'a str, Arc<str>, foldhash::fast::RandomState>,
    decoded: u64,
    from_aliases: u64,
    inside_alias: u32,
    /// In what `!override` marks, other marks are unknown tags, which make text of a scalar.
    inside_override: u32,
    /// Whether reading goes on where it can.
    goes_on: bool,
    /// Why Compose would not read it.
    problem: Option<DecodeError>,
}

impl<'a> Decoder<'a> {
    fn new(document: &'a Document, goes_on: bool) -> Self {
        Decoder {
            document,
            names: HashMap::default(),
            decoded: 0,
            from_aliases: 0,
            inside_alias: 0,
            inside_override: 0,
            goes_on,
            problem: None,
        }
    }

    /// An error, unless reading goes on: then the first is kept.
    fn allow(&mut self, problem: DecodeError) -> Result<(), DecodeError> {
        if !self.goes_on {
            return Err(problem);
        }
        self.problem.get_or_insert(problem);
        Ok(())
    }

    fn value(&mut self, id: NodeId, depth: usize) -> Result<Value, DecodeError> {
        let document = self.document;
        let node = document.node(id);
        self.count(node)?;
        if depth > DEEPEST {
            return Err(error(DecodeErrorKind::TooDeep, node.span));
        }
        let own = mark_of(node);
        if own == Mark::Override {
            self.inside_override += 1;
        }
        let data = match &node.kind {
            Kind::Alias(target) => {
                self.inside_alias += 1;
                let value = self.value(*target, depth + 1);
                self.inside_alias -= 1;
                // `!reset` was taken out of what the anchor holds where the anchor stands.
                return value.map(without_resets_within);
            }
            Kind::Scalar { value, .. } if self.inside_override > 0 && mark_of(node) != Mark::None => {
                Data::Str(value.as_ref().into())
            }
            Kind::Scalar { value, style } => scalar_data(value, *style, node.tag.as_deref())
                .ok_or_else(|| error(DecodeErrorKind::TagMisfit, node.span))?,
            Kind::Sequence { items, .. } => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(self.value(*item, depth + 1)?);
                }
                Data::Seq(values)
            }
            Kind::Mapping { entries, .. } => Data::Map(self.mapping(entries, depth)?),
        };
        if own == Mark::Override {
            self.inside_override -= 1;
        }
        let mark = if self.inside_override > 0 { Mark::None } else { own };
        Ok(Value { mark, ..Value::new(data, node.span) })
    }

    /// go-yaml's rule: past 400,000 nodes only a tenth may come from aliases, below that nearly all.
    fn count(&mut self, node: &Node) -> Result<(), DecodeError> {
        self.decoded += 1;
        if self.inside_alias > 0 {
            self.from_aliases += 1;
        }
        let allowed = match self.decoded {
            0..=400_000 => 0.99,
            4_000_000.. => 0.10,
            decoded => 0.99 - 0.89 * ((decoded - 400_000) as f64 / 3_600_000.0),
        };
        if self.from_aliases > 100
            && self.decoded > 1000
            && self.from_aliases as f64 / self.decoded as f64 > allowed
        {
            return Err(error(DecodeErrorKind::ExcessiveAliasing, node.span));
        }
        Ok(())
    }

    fn mapping(&mut self, entries: &'a [(NodeId, NodeId)], depth: usize) -> Result<Map, DecodeError> {
        let mut map = Map::with_capacity(entries.len());
        let mut merge: Option<(NodeId, Span)> = None;
        for (key_id, value_id) in entries {
            let key = self.resolve(*key_id);
            let key_span = self.document.node(*key_id).span;
            let Kind::Scalar { value: text, style } = &key.kind else {
                self.allow(error(DecodeErrorKind::KeyNotText, key_span))?;
                continue;
            };
            let name: Arc<str> = match scalar::resolve(text, *style, key.tag.as_deref()) {
                Scalar::Merge => {
                    if let Some((id, earlier)) = merge {
                        self.allow(duplicate("<<".into(), key_span, earlier))?;
                        self.merge(&mut map, id, earlier, depth)?;
                    }
                    merge = Some((*value_id, key_span));
                    continue;
                }
                Scalar::Text => self.name(text),
                _ if !self.goes_on => return Err(error(DecodeErrorKind::KeyNotText, key_span)),
                _ => self.name(text),
            };
            let value = self.value(*value_id, depth + 1)?;
            let Some(earlier) = map.get_mut(&name) else {
                map.insert(name, MapEntry { key_span, value });
                continue;
            };
            self.allow(duplicate(name, key_span, earlier.key_span))?;
            if let (Data::Map(earlier), Data::Map(more)) = (&mut earlier.value.data, value.data) {
                for (name, entry) in more {
                    earlier.entry(name).or_insert(entry);
                }
            }
        }
        if let Some((id, span)) = merge {
            self.merge(&mut map, id, span, depth)?;
        }
        Ok(map)
    }

    /// Keys of the mapping itself win over merged ones; of several merged mappings, the first wins.
    fn merge(&mut self, map: &mut Map, id: NodeId, span: Span, depth: usize) -> Result<(), DecodeError> {
        let value = self.value(id, depth + 1)?;
        let items = match value.data {
            Data::Seq(items) => items,
            _ => vec![value],
        };
        let mut merged = Vec::with_capacity(items.len());
        for item in items {
            match item.data {
                Data::Map(map) => merged.push(map),
                _ => self.allow(error(DecodeErrorKind::MergeOfNoMapping, span))?,
            }
        }
        for (name, entry) in merged.into_iter().flatten() {
            match map.entry(name) {
                Entry::Vacant(place) => drop(place.insert(entry)),
                // Compose takes `!reset` away before it merges, so the merged value stays, in place of what other
                // files say. The first merged one wins here, too.
                Entry::Occupied(mut own) if own.get().value.mark == Mark::Reset => {
                    let value = Value { mark: Mark::Override, ..entry.value };
                    own.insert(MapEntry { key_span: entry.key_span, value });
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(())
    }

    fn name(&mut self, text: &'a str) -> Arc<str> {
        self.names.entry(text).or_insert_with(|| text.into()).clone()
    }

    fn resolve(&self, id: NodeId) -> &'a Node {
        let node = self.document.node(id);
        match node.kind {
            Kind::Alias(target) => self.document.node(target),
            _ => node,
        }
    }
}

fn mark_of(node: &Node) -> Mark {
    match node.tag.as_deref() {
        Some("!reset") => Mark::Reset,
        Some("!override") => Mark::Override,
        _ => Mark::None,
    }
}

/// Takes away what `!reset` marks below a value.
fn without_resets_within(mut value: Value) -> Value {
    let holds =
        |map: &Map| map.values().any(|entry| entry.value.mark == Mark::Reset || is_collection(&entry.value));
    match &mut value.data {
        Data::Map(map) if holds(map) => {
            map.retain(|_, entry| entry.value.mark != Mark::Reset);
            for entry in map.values_mut().filter(|entry| is_collection(&entry.value)) {
                let inner = std::mem::replace(&mut entry.value, Value::new(Data::Null, entry.key_span));
                entry.value = without_resets_within(inner);
            }
        }
        Data::Seq(items) => {
            items.retain(|item| item.mark != Mark::Reset);
            let whole = std::mem::take(items);
            items.extend(whole.into_iter().map(without_resets_within));
        }
        _ => {}
    }
    value
}

fn is_collection(value: &Value) -> bool {
    matches!(value.data, Data::Map(_) | Data::Seq(_))
}

/// The value of a scalar; `None` if its tag names another type.
fn scalar_data(text: &str, style: Style, tag: Option<&str>) -> Option<Data> {
    if tag == Some("!!binary") {
        return base64(text).map(|decoded| Data::Str(decoded.into()));
    }
    Some(match scalar::resolve(text, style, tag) {
        Scalar::Null => Data::Null,
        Scalar::Bool(truth) => Data::Bool(truth),
        Scalar::Int(number) => Data::Int(number),
        Scalar::Float(number) => Data::Float(number),
        Scalar::Time(time) => Data::Time(time.into()),
        Scalar::Merge | Scalar::Text => Data::Str(text.into()),
        Scalar::Misfit => return None,
    })
}

/// The text that base64 stands for; `None` if it is no base64 or no text.
fn base64(text: &str) -> Option<String> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    let written: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let padding = written.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 || !written.len().is_multiple_of(4) {
        return None;
    }
    for byte in &written[..written.len() - padding] {
        let digit = match byte {
            b'A'..=b'Z' => *byte - b'A',
            b'a'..=b'z' => *byte - b'a' + 26,
            b'0'..=b'9' => *byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, held) = ((bits << 6 | u32::from(digit)) & 0xff_ffff, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

fn error(kind: DecodeErrorKind, span: Span) -> DecodeError {
    DecodeError { kind, span, related: None }
}

fn duplicate(name: Arc<str>, span: Span, earlier: Span) -> DecodeError {
    DecodeError { kind: DecodeErrorKind::DuplicateKey(name), span, related: Some(earlier) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn decoded(text: &str) -> Result<Value, DecodeError> {
        let mut sources = Sources::default();
        let id = sources.add("t", text);
        decode(&crate::yaml::parse(id, text).unwrap()[0])
    }

    #[test]
    fn own_keys_win_over_merged_ones_and_the_first_merged_one_wins() {
        let value = decoded("a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  y: 3\n").unwrap();
        let c = value.get("c").unwrap();
        let number = |key: &str| match c.get(key).unwrap().data {
            Data::Int(number) => number,
            _ => panic!(),
        };
        assert_eq!((number("x"), number("y"), number("z")), (1, 3, 2));
    }

    #[test]
    fn a_reset_beside_a_merge_key_leaves_the_merged_value() {
        let value =
            decoded("a: &a {x: 1}\nb: &b {x: 2}\nc: {<<: [*a, *b], x: !reset null, y: !reset null}\n")
                .unwrap();
        let x = value.get("c").unwrap().get("x").unwrap();
        assert!(matches!((x.mark, &x.data), (Mark::Override, Data::Int(1))));
        assert_eq!(value.get("c").unwrap().get("y").unwrap().mark, Mark::Reset);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_with_both_places() {
        let error = decoded("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::DuplicateKey("a".into()));
        assert!(error.related.is_some());
    }

    #[test]
    fn an_alias_bomb_is_refused_before_it_fills_memory() {
        use std::fmt::Write as _;
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let prior = format!("*a{}", level - 1);
            writeln!(text, "a{level}: &a{level} [{}]", [prior.as_str(); 9].join(",")).unwrap();
        }
        assert_eq!(decoded(&text).unwrap_err().kind, DecodeErrorKind::ExcessiveAliasing);
    }
}
