//! What documents change of a project. Only that is checked and written out anew: many documents cost what they hold,
//! not each time what all before them hold.

use std::mem;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::merge;
use super::value::{Data, MapEntry, Value};
use crate::source::Span;

/// A project while documents are laid over it.
pub(super) struct Layered {
    /// The project so far.
    pub(super) value: Value,
    last: Changed,
}

impl Layered {
    pub(super) fn new(span: Span) -> Self {
        Layered { value: merge::empty(span), last: Changed::default() }
    }

    /// What `document` is about to change, with what the one before has: as Compose looks at all of a project each
    /// time, it sees that a second time, in its long form.
    pub(super) fn changed_by(&mut self, document: &Value) -> Changed {
        let now = Changed::by(document);
        let mut both = mem::replace(&mut self.last, now.clone());
        for (key, members) in now.0 {
            match (both.0.get_mut(&key), members) {
                (Some(Some(before)), Some(members)) => before.extend(members),
                (_, members) => drop(both.0.insert(key, members)),
            }
        }
        both
    }

    /// Hands out what has changed as a project of its own, to be looked at and written out.
    pub(super) fn with<E>(
        &mut self,
        changed: &Changed,
        look: impl FnOnce(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut part = changed.taken_from(&mut self.value);
        look(&mut part)?;
        put_back(&mut self.value, part);
        Ok(())
    }
}

/// Keys of a project's top, with the members that are meant; `None` for all of the key.
#[derive(Clone, Default)]
pub(super) struct Changed(IndexMap<Arc<str>, Option<IndexSet<Arc<str>>>>);

impl Changed {
    fn by(document: &Value) -> Self {
        let members = |value: &Value| value.as_map().map(|map| map.keys().cloned().collect());
        let keys = document.as_map().into_iter().flatten();
        Changed(keys.map(|(key, entry)| (key.clone(), members(&entry.value))).collect())
    }

    /// That part of a project, which has nothing in its place until it is put back.
    fn taken_from(&self, model: &mut Value) -> Value {
        let span = model.span;
        let parts = self.0.iter().filter_map(|(key, members)| {
            let entry = model.as_map_mut()?.get_mut(key)?;
            let (key_span, span) = (entry.key_span, entry.value.span);
            let value = match (&mut entry.value.data, members) {
                (Data::Map(section), Some(members)) => {
                    let taken = members.iter().filter_map(|name| {
                        let member = section.get_mut(name)?;
                        Some((
                            name.clone(),
                            MapEntry { key_span: member.key_span, value: take(&mut member.value) },
                        ))
                    });
                    Value::new(Data::Map(taken.collect()), span)
                }
                _ => take(&mut entry.value),
            };
            Some((key.clone(), MapEntry { key_span, value }))
        });
        Value::new(Data::Map(parts.collect()), span)
    }
}

fn take(value: &mut Value) -> Value {
    let nothing = Value::new(Data::Null, value.span);
    mem::replace(value, nothing)
}

fn put_back(model: &mut Value, part: Value) {
    let (Data::Map(part), Some(top)) = (part.data, model.as_map_mut()) else { return };
    for (key, entry) in part {
        let Some(place) = top.get_mut(&key) else { continue };
        match (&mut place.value.data, entry.value.data) {
            (Data::Map(section), Data::Map(members)) => section.extend(members),
            (_, data) => place.value = Value { data, ..entry.value },
        }
    }
}
