//! The `cosec.toml` files among the texts. Each counts for its directory and what is below, the nearest alone.

use std::collections::BTreeMap;

use cosec_core::files::{FileSystem, MemoryFiles, file_name, inside, parent};
use cosec_core::gitignore::IgnoreFiles;
use cosec_core::lint::LintOptions;
use cosec_core::report::JsonNotChecked;
use cosec_core::settings::{self, FILE_NAME, Settings, SettingsError};
use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct AllSettings {
    /// By directory; `None` until they are read again.
    read: Option<BTreeMap<String, Read>>,
}

struct Read {
    path: String,
    settings: Result<Settings, SettingsError>,
    excluded: IgnoreFiles,
    /// How long the line is that an error is in, in characters.
    lines: Vec<usize>,
    not_checked: Option<JsonNotChecked>,
}

impl AllSettings {
    /// A file of settings has changed.
    pub(crate) fn stale(&mut self) {
        self.read = None;
    }

    pub(crate) fn refresh(&mut self, files: &MemoryFiles) {
        self.read.get_or_insert_with(|| {
            let paths = files.paths().filter(|path| file_name(path) == FILE_NAME);
            paths
                .map(|path| (parent(path).to_owned(), Read::of(path, &files.read(path).unwrap_or_default())))
                .collect()
        });
    }

    /// How a file is linted: by the nearest settings, or by none while these are not valid.
    pub(crate) fn options(&self, path: &str) -> LintOptions {
        match self.nearest(path).map(|read| &read.settings) {
            Some(Ok(settings)) => LintOptions {
                persona: settings.persona.unwrap_or_default(),
                target: settings.target.unwrap_or_default(),
                levels: settings.levels.clone(),
                ..LintOptions::default()
            },
            _ => LintOptions::default(),
        }
    }

    /// Whether settings leave a file out.
    pub(crate) fn excludes(&self, path: &str) -> bool {
        self.nearest(path).is_some_and(|read| read.excluded.covers(path))
    }

    /// What is wrong with them, as a report says it.
    pub(crate) fn errors(&self) -> Vec<Value> {
        let wrong = |read: &Read| {
            let error = read.settings.as_ref().err()?;
            let end = read.lines.get(error.line - 1).map_or(1, |length| length + 1);
            let place = json!({"file": read.path, "line": error.line, "column": 1, "end_line": error.line, "end_column": end});
            Some(json!({"file": read.path, "message": error.message, "place": place}))
        };
        self.read.iter().flat_map(BTreeMap::values).filter_map(wrong).collect()
    }

    /// What of them is not looked at here.
    pub(crate) fn not_checked(&self) -> impl Iterator<Item = &JsonNotChecked> {
        self.read.iter().flat_map(BTreeMap::values).filter_map(|read| read.not_checked.as_ref())
    }

    fn nearest(&self, path: &str) -> Option<&Read> {
        let read = self.read.as_ref()?;
        let above = read.iter().filter(|(directory, _)| inside(directory, path).is_some());
        above.max_by_key(|(directory, _)| directory.len()).map(|(_, read)| read)
    }
}

impl Read {
    fn of(path: &str, text: &str) -> Self {
        let settings = settings::parse(text);
        let baseline = settings.as_ref().ok().and_then(|settings| settings.baseline.as_ref());
        let not_checked = baseline.map(|_| JsonNotChecked {
            file: path.to_owned(),
            rule: "*",
            reason: "the `baseline` of cosec.toml is not read here: what it knows is listed all the same"
                .to_owned(),
        });
        let mut excluded = IgnoreFiles::default();
        if let Ok(settings) = &settings
            && !settings.exclude.is_empty()
        {
            excluded.insert(parent(path), &settings.exclude.join("\n"));
        }
        Read {
            path: path.to_owned(),
            settings,
            excluded,
            lines: text.lines().map(|line| line.chars().count()).collect(),
            not_checked,
        }
    }
}
