//! `include:` of other projects. (compose-go `loader/include.go`)

use super::{DEEPEST, LoadError, Loader, Location, SECTIONS, Way, add_env_files};
use crate::compose::value::{Data, MapEntry, Mark, Value};
use crate::compose::{merge, resolve};
use crate::detect::without_credentials;
use crate::files::{join, parent};

/// More entries of `include:`, each with what it includes counted anew, are a mistake.
const MOST_INCLUDED: usize = 2_000;

/// The directory of a file as seen from where its path starts: `a/b.yaml` → `a`, `b.yaml` → `.`.
pub(super) fn relative_parent(path: &str) -> String {
    join("", parent(path))
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| value.to_text().map(|text| text.value.to_string());
    match &value.data {
        Data::Seq(items) => items.iter().filter_map(one).collect(),
        _ => one(value).into_iter().collect(),
    }
}

/// Adds what an included project has. The same thing said twice is fine, two things of one name are told to `refuse`.
fn import(
    document: &mut Value,
    included: Value,
    refuse: &mut dyn FnMut(LoadError) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let (Data::Map(top), Data::Map(mut included)) = (&mut document.data, included.data) else {
        return Ok(());
    };
    for section in SECTIONS {
        let Some(entry) = included.shift_remove(section) else { continue };
        let key_span = entry.key_span;
        let Data::Map(more) = entry.value.data else { continue };
        let span = entry.value.span;
        let own =
            top.entry(section.into()).or_insert_with(|| MapEntry { key_span, value: merge::empty(span) });
        if matches!(own.value.data, Data::Null) {
            own.value = merge::empty(span);
        }
        let Data::Map(own) = &mut own.value.data else { continue };
        for (name, entry) in more {
            match own.get(&name) {
                Some(earlier) if !merge::same(&earlier.value, &entry.value) => {
                    let message = format!(
                        "{section}.{name} conflicts with the imported one of the same name; rename one"
                    );
                    let conflict = LoadError::new(message, earlier.key_span);
                    refuse(conflict.also(entry.key_span, "imported from here"))?;
                }
                Some(_) => {}
                None => {
                    own.insert(name, entry);
                }
            }
        }
    }
    Ok(())
}

impl Loader<'_> {
    pub(super) fn include(
        &mut self,
        document: &mut Value,
        location: &Location<'_>,
        including: &[String],
    ) -> Result<(), LoadError> {
        let Data::Map(top) = &mut document.data else { return Ok(()) };
        let Some(include) = top.shift_remove("include").map(|entry| entry.value) else { return Ok(()) };
        if include.mark == Mark::Reset {
            return Ok(());
        }
        let items = match &include.data {
            Data::Seq(items) => items.as_slice(),
            Data::Null => return Ok(()),
            _ => return self.refuse(LoadError::new("`include:` must be a list of files", include.span)),
        };
        for item in items {
            let included = match self.included(item, location, including) {
                Ok(included) => included,
                Err(error) if error.span.is_none() => {
                    self.allow(error.or_at(item.span))?;
                    continue;
                }
                Err(error) => {
                    self.refuse(error)?;
                    continue;
                }
            };
            import(document, included, &mut |conflict| self.refuse(conflict))?;
        }
        Ok(())
    }

    /// The model of one entry of `include:`.
    fn included(
        &mut self,
        item: &Value,
        location: &Location<'_>,
        including: &[String],
    ) -> Result<Value, LoadError> {
        if item.as_seq().is_some() {
            let message =
                "an entry of `include:` is a path, or a mapping with `path:`; write several paths there";
            return Err(LoadError::new(message, item.span));
        }
        let paths = texts(item.get("path").unwrap_or(item));
        let Some(first) = paths.first() else {
            return Err(LoadError::new("an entry of `include:` needs a `path:`", item.span));
        };
        if let Some(remote) = paths.iter().find(|path| resolve::is_remote_text(path)) {
            let message = format!("{remote} is not on this disk, and cosec fetches nothing");
            return Err(LoadError { message: without_credentials(&message), span: None, related: None });
        }
        self.included += 1;
        if self.included > MOST_INCLUDED {
            let message = format!(
                "more than {MOST_INCLUDED} files are included, one of them again and again; include each once"
            );
            return Err(LoadError::new(message, item.span));
        }
        let from = |path: &str| join(location.read_from, path);
        let files: Vec<String> = paths.iter().map(|path| from(path)).collect();
        if including.contains(&files[0]) {
            let mut circle: Vec<&str> = including.iter().map(String::as_str).collect();
            circle.push(&files[0]);
            let message = format!("files include each other in a circle: {}", circle.join(" → "));
            return Err(LoadError::new(message, item.span));
        }
        if including.len() >= DEEPEST {
            let message =
                format!("files include each other more than {DEEPEST} deep; include them in fewer steps");
            return Err(LoadError::new(message, item.span));
        }
        let own = match item
            .get("project_directory")
            .and_then(Value::to_text)
            .filter(|text| !text.value.is_empty())
        {
            Some(own) => own.value.to_string(),
            None => relative_parent(first),
        };
        let read_from = from(&own);
        let mut environment = location.environment.clone();
        let mut env_files = Vec::new();
        match item.get("env_file").map(texts).filter(|files| !files.is_empty()) {
            Some(named) => {
                for file in named {
                    match self.env_file(&from(&file)) {
                        Ok(file) => env_files.push(file),
                        Err(error) => self.allow(error)?,
                    }
                }
            }
            None => env_files.extend(self.env_file(&join(&read_from, ".env"))),
        }
        add_env_files(self.sources, &env_files, &mut environment, self.interpolation.missing())?;
        let way = Way::Included(item.span);
        let parsed = files.iter().map(|path| self.parse(path, way)).collect::<Result<Vec<_>, _>>()?;
        let resolve_against = join("", &own);
        let location =
            Location { read_from: &read_from, resolve_against: &resolve_against, environment: &environment };
        self.model(&parsed, &location, including)
    }
}
