//! `extends:` of services, within a file and across files. (compose-go `loader/extends.go`)

use std::collections::HashMap;
use std::sync::Arc;

use super::include::relative_parent;
use super::{DEEPEST, LoadError, Loader, Location, NO_MAPPING, Way};
use crate::compose::changed::Layered;
use crate::compose::value::{Data, Map, MapEntry, Mark, Value};
use crate::compose::{canonical, merge, resolve, unicity};
use crate::files::join;
use crate::source::Span;

/// More values than this are not taken over by `extends:`, so that few lines cannot stand for gigabytes.
const MOST_INHERITED: usize = 1_000_000;

/// The values in a value, itself among them.
fn size(value: &Value) -> usize {
    1 + match &value.data {
        Data::Map(map) => map.values().map(|entry| size(&entry.value)).sum(),
        Data::Seq(items) => items.iter().map(size).sum(),
        _ => 0,
    }
}

/// A service on the way to its base: the file it is in, and its name.
type Extending = Vec<(String, Arc<str>)>;

/// How one came to a service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// It is of the file that is being loaded.
    Own,
    /// A service of another file extends it by that file's name.
    ByFile,
    /// A service of the same other file extends it.
    Within,
}

/// What following `extends:` of one file's services needs.
struct Extender<'e> {
    /// The file that is being loaded.
    main: &'e str,
    location: &'e Location<'e>,
    /// The file's services that have been extended.
    done: HashMap<Arc<str>, Value>,
}

/// What a service says that it extends, and does not take back at once (`!reset`).
fn extends_of(service: &Value) -> Option<&Value> {
    service.get("extends").filter(|extends| extends.mark != Mark::Reset)
}

fn without_extends(mut service: Value) -> Value {
    if let Some(map) = service.as_map_mut() {
        map.shift_remove("extends");
    }
    service
}

impl Loader<'_> {
    pub(super) fn extend_services(
        &mut self,
        document: &mut Value,
        path: &str,
        location: &Location<'_>,
    ) -> Result<(), LoadError> {
        let Some(services) = document.get("services") else { return Ok(()) };
        let Some(services) = services.as_map() else {
            // A file before may have had services: the merged whole would not tell.
            let marked = services.mark != Mark::None;
            return if marked { Ok(()) } else { self.refuse(LoadError::new(NO_MAPPING, services.span)) };
        };
        let extending: Vec<Arc<str>> = services
            .iter()
            .filter(|(_, entry)| extends_of(&entry.value).is_some() && entry.value.mark != Mark::Reset)
            .map(|(name, _)| name.clone())
            .collect();
        if extending.is_empty() {
            return Ok(());
        }
        let services = services.clone();
        let mut extender = Extender { main: path, location, done: HashMap::new() };
        for name in extending {
            let extended =
                self.extended(&services, &name, Reached::Own, &mut extender, &mut Extending::new())?;
            if let Some(entry) = document
                .get_mut("services")
                .and_then(Value::as_map_mut)
                .and_then(|services| services.get_mut(&name))
                && let Some(extended) = extended
            {
                entry.value = extended;
            }
        }
        Ok(())
    }

    /// A service with all that it extends; `None` if it is nothing.
    fn extended(
        &mut self,
        services: &Map,
        name: &Arc<str>,
        reached: Reached,
        extender: &mut Extender<'_>,
        way: &mut Extending,
    ) -> Result<Option<Value>, LoadError> {
        let own = reached == Reached::Own;
        if own && let Some(done) = extender.done.get(name) {
            return Ok(Some(done.clone()));
        }
        let Some(entry) = services.get(name) else { return Ok(None) };
        if entry.value.is_null() {
            return Ok(None);
        }
        let Some(extends) = extends_of(&entry.value).filter(|extends| !extends.is_null()) else {
            return Ok(Some(entry.value.clone()));
        };
        let text = |value: Option<&Value>| value.and_then(Value::to_text).map(|text| text.value);
        let (base_name, file) = match &extends.data {
            Data::Map(_) => (text(extends.get("service")), text(extends.get("file"))),
            _ => (text(Some(extends)), None),
        };
        let Some(base_name) = base_name else {
            self.refuse(LoadError::new("`extends:` needs the name of a `service:`", extends.span))?;
            return Ok(Some(without_extends(entry.value.clone())));
        };
        let missing = |file: &str| {
            LoadError::new(
                format!("cannot extend service `{base_name}`: {file} has no such service"),
                extends.span,
            )
        };
        let (base_services, base_reached, step) = match &file {
            None => {
                if !services.contains_key(&base_name) {
                    self.allow(missing("the file"))?;
                    return Ok(Some(entry.value.clone()));
                }
                (None, if own { Reached::Own } else { Reached::Within }, extender.main.to_owned())
            }
            Some(file) => {
                let found = match self.base_services(file, extender.location, extends.span) {
                    Ok(found) => found,
                    Err(error) => {
                        self.allow(error)?;
                        return Ok(Some(without_extends(entry.value.clone())));
                    }
                };
                if !found.contains_key(&base_name) {
                    self.allow(missing(file))?;
                    return Ok(Some(without_extends(entry.value.clone())));
                }
                (Some(found), Reached::ByFile, file.to_string())
            }
        };
        let step = (step, name.clone());
        if way.contains(&step) {
            let circle: Vec<&str> =
                way.iter().map(|(_, name)| name.as_ref()).chain([name.as_ref()]).collect();
            let message = format!("services extend each other in a circle: {}", circle.join(" → "));
            self.refuse(LoadError::new(message, extends.span))?;
            return Ok(Some(without_extends(entry.value.clone())));
        }
        if way.len() >= DEEPEST {
            let message =
                format!("services extend each other more than {DEEPEST} deep; write some of them out");
            self.refuse(LoadError::new(message, extends.span))?;
            return Ok(Some(without_extends(entry.value.clone())));
        }
        way.push(step);
        let base = self.extended(
            base_services.as_ref().unwrap_or(services),
            &base_name,
            base_reached,
            extender,
            way,
        )?;
        way.pop();
        // What the base says of others is done with by now.
        let Some(base) = base.and_then(merge::without_resets) else { return Ok(Some(entry.value.clone())) };
        self.inherited += size(&base);
        if self.inherited > MOST_INHERITED {
            let message = format!(
                "services take more than {MOST_INHERITED} values from those that they extend; extend smaller ones"
            );
            return Err(LoadError::new(message, extends.span));
        }
        let over = without_extends(entry.value.clone());
        // A mark of the service itself is about other files, not about what it extends.
        let (mark, mut over) = (over.mark, Value { mark: Mark::None, ..over });
        if reached == Reached::Within {
            // Compose 2 passes over what these services mark.
            over = merge::without_marks(over);
        }
        let merged = merge::merge_service(self.sources, name, base, over, &mut self.removed)?;
        let merged = Value { mark, ..merged };
        if own {
            extender.done.insert(name.clone(), merged.clone());
        }
        Ok(Some(merged))
    }

    /// The services of another file, their paths resolved as far as to the file that extends them.
    fn base_services(&mut self, file: &str, location: &Location<'_>, span: Span) -> Result<Map, LoadError> {
        if resolve::is_remote_text(file) {
            return Err(LoadError::new(
                format!("{file} is not on this disk, and cosec fetches nothing"),
                span,
            ));
        }
        let path = join(location.read_from, file);
        let directory = relative_parent(file);
        let key = (path, directory);
        if let Some(services) = self.bases.get(&key) {
            return Ok(services.clone());
        }
        let (path, directory) = &key;
        let parsed = self.parse(path, Way::Extended(span)).map_err(|error| error.or_at(span))?;
        let documents =
            self.interpolated(&parsed, location.environment).map_err(|error| error.or_at(span))?;
        let mut model = self.base_model(documents, span)?;
        resolve::resolve_paths(self.files, &mut model, directory);
        let services = model.as_map_mut().and_then(|top| top.shift_remove("services"));
        let Some(MapEntry { value: Value { data: Data::Map(services), .. }, .. }) = services else {
            return Err(LoadError::new(format!("{file} has no `services:` to extend"), span));
        };
        self.bases.insert(key, services.clone());
        Ok(services)
    }

    /// The documents of a file that is extended. Of one alone the marks stay: its services extend others, too.
    fn base_model(&mut self, mut documents: Vec<Value>, span: Span) -> Result<Value, LoadError> {
        if let [document] = documents.as_mut_slice() {
            merge::empty_resets(document);
            unicity::enforce(document, self.interpolation)?;
            if self.is_exact() {
                canonical::canonical(document, self.interpolation, &self.ports)?;
                unicity::enforce(document, self.interpolation)?;
            }
        }
        if documents.len() == 1
            && let Some(document) = documents.pop()
        {
            return Ok(document);
        }
        let mut model: Option<Layered> = None;
        for document in documents {
            model = Some(self.over(model.take(), document, false)?);
        }
        Ok(model.map_or_else(|| merge::empty(span), |model| model.value))
    }
}
