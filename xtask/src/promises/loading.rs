//! Projects, loaded as Compose does, without interpolation, and leniently.

use cosec_core::compose::{Binding, BindingOrigin, Environment, Interpolation, LoadRequest, load};
use cosec_core::files::{MemoryFiles, join};
use cosec_core::source::Sources;
use cosec_core::yaml;

use super::{CONSTANT, Cost, FACTOR, bounded, is_place};

/// Bytes for each port that a range stands for: `1-65535` becomes 65,535 entries, in Compose's output too.
const PORT: usize = 8 << 10;

/// A project that is to be loaded.
#[derive(Clone, Default)]
pub struct Project {
    /// The names of its Compose files.
    pub named: Vec<String>,
    /// All files: their paths and texts.
    pub files: Vec<(String, String)>,
}

impl Project {
    /// Reads one as the cases of `tests/compose` are written: `=== path` before each file, and `-f path` in a line
    /// that starts with `$` for the Compose files. A text without such a line is a Compose file.
    pub fn parse(case: &str) -> Self {
        let mut project = Project::default();
        for line in case.split_inclusive('\n') {
            if let Some(path) = line.strip_prefix("=== ").or_else(|| line.strip_prefix("==! ")) {
                project.files.push((join("", path.trim()), String::new()));
            } else if let Some((_, text)) = project.files.last_mut() {
                text.push_str(line);
            } else if let Some(arguments) = line.strip_prefix("$ ") {
                let mut arguments = arguments.split_whitespace();
                while let Some(argument) = arguments.next() {
                    if argument == "-f" {
                        project.named.extend(arguments.next().map(str::to_owned));
                    }
                }
            }
        }
        if project.files.is_empty() {
            project.files.push(("compose.yaml".to_owned(), case.to_owned()));
            project.named.clear();
        }
        if project.named.is_empty() {
            project.named.extend(project.files.first().map(|(path, _)| path.clone()));
        }
        project
    }

    fn size(&self) -> usize {
        self.files.iter().map(|(path, text)| path.len() + text.len()).sum()
    }

    /// How many ports its ranges stand for at most: whatever looks like a range counts.
    fn ports(&self) -> usize {
        let ranges = |text: &str| {
            let words = text.split(|character: char| !character.is_ascii_digit() && character != '-');
            let lengths = words.map(|word| {
                let numbers: Vec<usize> =
                    word.split('-').map(|number| number.parse().unwrap_or_default()).collect();
                let pairs = numbers.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
                pairs.filter(|length| *length < 65_536).sum::<usize>()
            });
            lengths.sum::<usize>()
        };
        self.files.iter().map(|(_, text)| ranges(text)).sum()
    }
}

/// Loads a project in all ways; `results` counts those that succeed. `Err` is the promise that was broken.
pub fn check(project: &Project) -> Result<Cost, String> {
    let mut all = Cost::default();
    let allowed = FACTOR * project.size() + PORT * project.ports() + CONSTANT;
    for interpolation in [Interpolation::Strict, Interpolation::None, Interpolation::Lenient] {
        let what = format!("loading ({interpolation:?})");
        let (loaded, cost) = bounded(&what, allowed, || loads(project, interpolation))?;
        all.add(cost);
        all.results += u64::from(loaded?);
    }
    Ok(all)
}

/// Whether it loads; `Err` is a promise that was broken.
fn loads(project: &Project, interpolation: Interpolation) -> Result<bool, String> {
    let mut files = MemoryFiles::default();
    for (path, text) in &project.files {
        files.insert(path.as_str(), text.as_str());
    }
    let mut environment = Environment::default();
    for (name, value) in [("A", "a"), ("E", ""), ("TAG", "1.2")] {
        let binding = Binding { value: value.into(), origin: BindingOrigin::Process };
        environment.set(name, binding);
    }
    let request = LoadRequest {
        files: &project.named,
        directory: "",
        working_directory: "/work",
        environment: &environment,
        interpolation,
        name: Some("fuzz"),
        profiles: &["*".to_owned()],
        services: &[],
    };
    let (mut sources, mut documents) = (Sources::default(), Vec::new());
    match load(&files, &mut sources, &mut documents, &request) {
        Ok(loaded) => {
            if let Some(resolved) = &loaded.resolved {
                let printed = match interpolation {
                    Interpolation::None => resolved.model(),
                    _ => resolved.config(&[]).map_err(|name| format!("there is no service {name}"))?,
                };
                yaml::write(&printed);
            }
            Ok(true)
        }
        Err(error) => {
            let related = error.related.map(|(span, _)| span);
            if error.span.iter().chain(&related).all(|span| is_place(&sources, *span)) {
                Ok(false)
            } else {
                Err(format!("an error points outside of the text: {error}"))
            }
        }
    }
}
