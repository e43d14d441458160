//! Projects, loaded as Compose does, without interpolation, leniently, and as Swarm does.

use cosec_core::compose::{
    Binding, BindingOrigin, Environment, Interpolation, LoadError, LoadRequest, load, read_stack,
};
use cosec_core::source::Sources;
use cosec_core::yaml;

use super::{CONSTANT, Cost, FACTOR, Project, bounded, is_place};

/// Bytes for each port that a range stands for: `1-65535` becomes 65,535 entries, in Compose's output too.
const PORT: usize = 8 << 10;

/// How many ports a project's ranges stand for at most: whatever looks like a range counts.
fn ports(project: &Project) -> usize {
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
    project.files.iter().map(|(_, text)| ranges(text)).sum()
}

/// Loads a project in all ways; `results` counts those that succeed. `Err` is the promise that was broken.
pub fn check(project: &Project) -> Result<Cost, String> {
    let mut all = Cost::default();
    let allowed = FACTOR * project.size() + PORT * ports(project) + CONSTANT;
    let environment = environment();
    let mut accepted = false;
    for interpolation in [Interpolation::Strict, Interpolation::None, Interpolation::Lenient] {
        let what = format!("loading ({interpolation:?})");
        let (loaded, cost) = bounded(&what, allowed, || loads(project, interpolation, &environment))?;
        let loaded = loaded?;
        if interpolation == Interpolation::Lenient && accepted && !loaded {
            return Err("Compose reads what the linter refuses".to_owned());
        }
        accepted |= loaded;
        all.add(cost);
        all.results += u64::from(loaded);
    }
    for environment in [Some(&environment), None] {
        let (loaded, cost) = bounded("loading for Swarm", allowed, || is_stack(project, environment))?;
        all.add(cost);
        all.results += u64::from(loaded?);
    }
    Ok(all)
}

fn environment() -> Environment {
    let mut environment = Environment::default();
    for (name, value) in [("A", "a"), ("E", ""), ("TAG", "1.2")] {
        let binding = Binding { value: value.into(), origin: BindingOrigin::Process };
        environment.set(name, binding);
    }
    environment
}

/// Whether it loads; `Err` is a promise that was broken.
fn loads(project: &Project, interpolation: Interpolation, environment: &Environment) -> Result<bool, String> {
    let request = LoadRequest {
        files: &project.named,
        directory: "",
        working_directory: "/work",
        environment,
        interpolation,
        name: Some("fuzz"),
        profiles: &["*".to_owned()],
        services: &[],
    };
    let (mut sources, mut documents) = (Sources::default(), Vec::new());
    match load(&project.in_memory(), &mut sources, &mut documents, &request) {
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
        Err(error) => refused(&sources, &error),
    }
}

/// Whether Swarm would read it; `Err` is a promise that was broken.
fn is_stack(project: &Project, environment: Option<&Environment>) -> Result<bool, String> {
    let (mut sources, mut documents) = (Sources::default(), Vec::new());
    match read_stack(&project.in_memory(), &mut sources, &mut documents, &project.named, environment) {
        Ok(stack) => {
            for model in stack.config() {
                yaml::write(&model);
            }
            Ok(true)
        }
        Err(error) => refused(&sources, &error),
    }
}

/// An error, too, has its place.
fn refused(sources: &Sources, error: &LoadError) -> Result<bool, String> {
    let related = error.related.map(|(span, _)| span);
    if error.span.iter().chain(&related).all(|span| is_place(sources, *span)) {
        Ok(false)
    } else {
        Err(format!("an error points outside of the text: {error}"))
    }
}
