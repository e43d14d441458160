//! A fixed project is read again: it must mean what it meant, but for what was to change.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::shadowed::{self, EnvText};
use super::{Built, FixPlan, Model, Moved, Project, Reshaped};
use crate::compose::{Data, Map, MapEntry, Service, Text, Value, same};
use crate::dockerfile::{Dockerfile, Instruction, mount_option};
use crate::files::{
    Answer, FileFacts, FileKind, FileSystem, GitState, ReadError, file_name, inside, join, parent,
};
use crate::gitignore::IgnoreFiles;
use crate::lint::{LintOptions, Outcome};
use crate::rules::{Finding, ReadDockerfile, Severity};
use crate::source::Span;

/// The files as they will be.
struct Fixed<'a> {
    files: &'a dyn FileSystem,
    plan: &'a FixPlan,
    new: HashSet<&'a str>,
    made: HashSet<&'a str>,
    /// What .gitignore files say then, by the directory of the file that is asked about.
    ignored: RefCell<HashMap<String, IgnoreFiles>>,
}

impl<'a> Fixed<'a> {
    fn new(files: &'a dyn FileSystem, plan: &'a FixPlan) -> Self {
        Fixed {
            files,
            plan,
            new: plan.new_files.iter().map(|file| file.path.as_str()).collect(),
            made: plan.made.iter().map(String::as_str).collect(),
            ignored: RefCell::default(),
        }
    }

    fn changed(&self, path: &str) -> Option<&str> {
        self.plan.changed.iter().find(|file| file.path == path).map(|file| file.after.as_str())
    }

    fn is_new(&self, path: &str) -> bool {
        self.new.contains(path)
    }

    /// Whether the .gitignore files from a changed one down to the file will cover it; those above it have no say then.
    fn will_be_ignored(&self, path: &str) -> bool {
        let path = join("", path);
        let mut known = self.ignored.borrow_mut();
        let files = known.entry(parent(&path).to_owned()).or_insert_with(|| {
            let changed = self.plan.changed.iter().map(|file| file.path.as_str());
            let changed = changed.filter(|path| file_name(path) == ".gitignore").map(parent);
            let first =
                changed.filter(|directory| inside(directory, &path).is_some()).min_by_key(|it| it.len());
            let mut files = IgnoreFiles::default();
            let Some(first) = first else { return files };
            let mut directory = parent(&path);
            loop {
                if let Ok(text) = self.read(&join(directory, ".gitignore")) {
                    files.insert(directory, &text);
                }
                if directory == first || directory.is_empty() {
                    return files;
                }
                directory = parent(directory);
            }
        });
        files.covers(&path)
    }
}

impl FileSystem for Fixed<'_> {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        self.changed(path).map_or_else(|| self.files.read(path), |text| Ok(text.to_owned()))
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        if self.changed(path).is_some() || self.is_new(path) {
            Answer::Known(FileKind::File)
        } else {
            self.files.kind(path)
        }
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        match self.files.git(path) {
            Answer::Known(GitState::Untracked) | Answer::NotChecked(_) if self.will_be_ignored(path) => {
                Answer::Known(GitState::Ignored)
            }
            state => state,
        }
    }

    fn real_path(&self, path: &str) -> Option<String> {
        self.files.real_path(path)
    }

    fn list(&self, directory: &str) -> Answer<Vec<String>> {
        self.files.list(directory)
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        // One that is there as it would be made is judged as those that are made.
        if self.is_new(path) || self.made.contains(path) {
            return Answer::NotChecked("it is not made yet");
        }
        let mut facts = self.files.facts(path);
        if let (Answer::Known(facts), Some(text)) = (&mut facts, self.changed(path)) {
            *facts = FileFacts { owner: facts.owner, ..FileFacts::of_text(text) };
        }
        if let (Answer::Known(facts), Some(mode)) =
            (&mut facts, self.plan.modes.iter().find(|mode| mode.path == path))
        {
            facts.owner = facts.owner.map(|owner| owner.with_mode(mode.after));
        }
        facts
    }

    fn home(&self) -> Option<String> {
        self.files.home()
    }
}

/// Whether the plan changes what it is to change and nothing else, leaves no finding that it mends and brings none.
/// The error says what is wrong with it.
pub(super) fn check(before: &Project<'_>, plan: &FixPlan, lint: &LintOptions) -> Result<(), String> {
    if plan.fixes.is_empty() {
        return Ok(());
    }
    if let Some(reason) = &plan.hindered {
        return Err(reason.clone());
    }
    let fixed = Fixed::new(before.files, plan);
    let after = crate::lint::lint(&fixed, before.path, lint);
    let outcome = &after.outcome;
    // There may be several of a rule at one path.
    let (old, new) = (count(before.outcome()), count(outcome));
    let mut fixes: HashMap<(&str, &str, &str), usize> = HashMap::new();
    for fix in &plan.fixes {
        *fixes.entry((fix.rule, fix.path.as_str(), fix.place.file.as_str())).or_default() += 1;
    }
    let of = |counts: &HashMap<(&str, &str, &str), usize>, key| counts.get(&key).copied().unwrap_or_default();
    if outcome.error.is_some() {
        return Err("the file could not be read afterwards; change it by hand".to_owned());
    }
    if let Some(((rule, path, _), _)) =
        fixes.iter().find(|(key, fixes)| of(&new, **key) + **fixes > of(&old, **key))
    {
        return Err(format!("{rule} would still be found at {path}; change it by hand"));
    }
    let differs = match (before.loaded(), &after.loaded) {
        (Some(before), Some(after)) => {
            let (mut old, mut new) = (before.root.clone(), after.root.clone());
            take_literally(&mut old, &plan.literal);
            for root in [&mut old, &mut new] {
                take_out(root, plan);
            }
            let known = Known::of(&after.project);
            let unbuilt = plan.built.iter().find(|built| !is_built(&known, built));
            let lost = plan.reshaped.iter().find(|one| !is_reshaped(&known, one));
            let unmoved = plan.moved.iter().find(|moved| !has_moved(&fixed, &known, moved));
            difference(&old, &new, &mut String::new())
                .or_else(|| unbuilt.map(|built| format!("services.{}.build", built.service)))
                .or_else(|| lost.map(|one| format!("services.{}.configs", one.service)))
                .or_else(|| unmoved.map(|moved| format!("services.{}.environment", moved.service)))
        }
        (None, None) => None,
        _ => Some("the file".to_owned()),
    };
    let differs = differs.or_else(|| {
        let other = before.linted.dockerfiles.iter().find(|old| {
            let same = |new: &&ReadDockerfile| (&new.path, &new.context) == (&old.path, &old.context);
            let new = after.dockerfiles.iter().find(same);
            new.is_none_or(|new| commands(&old.dockerfile, plan) != commands(&new.dockerfile, plan))
        });
        other.map(|read| read.path.clone())
    });
    if let Some(place) = differs {
        return Err(format!("`{place}` would mean something else afterwards; change it by hand"));
    }
    match brought(before.outcome(), outcome, plan) {
        Some(finding) => Err(format!(
            "it would bring what {} warns of, {}; change it by hand",
            finding.rule, finding.message
        )),
        None => Ok(()),
    }
}

/// The path of the first place where two models differ. No value is in it.
fn difference(old: &Value, new: &Value, path: &mut String) -> Option<String> {
    let inner = |key: &str, path: &mut String, pair: Option<(&Value, &Value)>| {
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        let found = match pair {
            Some((old, new)) => difference(old, new, path),
            None => Some(path.clone()),
        };
        path.truncate(length);
        found
    };
    match (&old.data, &new.data) {
        (Data::Map(old), Data::Map(new)) => {
            let gone = old.iter().find_map(|(key, entry)| {
                inner(key, path, new.get(key).map(|other| (&entry.value, &other.value)))
            });
            gone.or_else(|| {
                new.keys().find(|key| !old.contains_key(*key)).and_then(|key| inner(key, path, None))
            })
        }
        (Data::Seq(old), Data::Seq(new)) if old.len() == new.len() => {
            let mut pairs = old.iter().zip(new).enumerate();
            pairs.find_map(|(at, pair)| inner(&at.to_string(), path, Some(pair)))
        }
        _ => (!same(old, new)).then(|| if path.is_empty() { "the file".to_owned() } else { path.clone() }),
    }
}

/// How many findings there are by rule, path and file.
fn count(outcome: &Outcome) -> HashMap<(&str, &str, &str), usize> {
    let mut counts = HashMap::new();
    for finding in &outcome.findings {
        let file = outcome.sources.file(finding.span.file).path();
        *counts.entry((finding.rule, finding.path.as_str(), file)).or_default() += 1;
    }
    counts
}

/// A finding that was not there before. A value whose dollars are kept may be found as what it is.
fn brought<'o>(before: &Outcome, after: &'o Outcome, plan: &FixPlan) -> Option<&'o Finding> {
    // An item of a list has a number where rules for variables have the name.
    let parent = |path: &str| path.rsplit_once('.').map_or(String::new(), |(parent, _)| parent.to_owned());
    let is_kept = |path: &str| {
        let kept = plan.fixes.iter().filter(|fix| fix.rule == super::dollars::RULE);
        kept.map(|fix| parent(&fix.path)).any(|kept| kept == parent(path))
    };
    let known = before.findings.iter().chain(before.ignored.iter().map(|(finding, _)| finding));
    let known: HashSet<_> = known.map(|known| (known.rule, known.path.as_str())).collect();
    after.findings.iter().find(|finding| {
        finding.severity > Severity::Info
            && !is_kept(&finding.path)
            && !known.contains(&(finding.rule, finding.path.as_str()))
    })
}

/// What a Dockerfile says, without what a plan may change: variables that become secrets and their mounts, and whether
/// a mounted secret is required.
fn commands(dockerfile: &Dockerfile, plan: &FixPlan) -> Vec<String> {
    let gone = |name: &str| plan.built.iter().any(|built| built.argument == name);
    let command = |instruction: &Instruction| {
        let mut words = vec![instruction.keyword.clone()];
        for flag in &instruction.flags {
            let id = mount_option(flag, "id").unwrap_or_default();
            if flag.name == "mount" && plan.built.iter().any(|built| built.secret == id) {
                continue;
            }
            let value = flag.value.strip_suffix(",required=true").unwrap_or(&flag.value);
            words.push(format!("--{}={value}", flag.name));
        }
        let text = &instruction.arguments.text;
        if matches!(instruction.keyword.as_str(), "ARG" | "ENV") {
            let all = instruction.assigned();
            let left = all.iter().filter(|assigned| !gone(&text[assigned.name.clone()]));
            words.extend(left.map(|assigned| {
                let value = assigned.value.clone().map(|value| &text[value]);
                format!("{} {value:?}", &text[assigned.name.clone()])
            }));
            return (words.len() > 1).then_some(words);
        }
        if instruction.keyword == "COPY" && plan.copied.iter().any(|copied| copied.copy == *text) {
            return None;
        }
        let without = |text: &str| {
            let mut removals = plan.copied.iter().map(|copied| copied.removal.as_str());
            let left = removals.find_map(|removal| text.trim().strip_suffix(removal));
            left.unwrap_or_else(|| text.trim()).to_owned()
        };
        words.extend(instruction.texts().map(|text| without(&text.text)));
        Some(words)
    };
    dockerfile.instructions.iter().filter_map(command).map(|words| words.join("\0")).collect()
}

/// What a project has, by name.
struct Known<'m> {
    services: HashMap<&'m str, &'m Service>,
    secrets: HashSet<&'m str>,
}

impl<'m> Known<'m> {
    fn of(project: &'m Model) -> Self {
        Known {
            services: project.services.iter().map(|service| (&*service.name, service)).collect(),
            secrets: project.secrets.iter().map(|secret| &*secret.name).collect(),
        }
    }
}

/// Whether a service's build is granted the secret and no longer has the variable.
fn is_built(known: &Known<'_>, built: &Built) -> bool {
    let service = known.services.get(built.service.as_str());
    let Some(build) = service.and_then(|service| service.build.as_ref()) else { return false };
    build.secrets.iter().any(|grant| *grant.source.value == *built.secret)
        && !build.args.iter().any(|argument| *argument.name.value == *built.argument)
        && known.secrets.contains(built.secret.as_str())
}

/// Whether a service has as a secret, at the same path, what was a config.
fn is_reshaped(known: &Known<'_>, one: &Reshaped) -> bool {
    let Some(service) = known.services.get(one.service.as_str()) else { return false };
    let arrives = |target: &Text| *target.value == *one.target;
    let is_granted = service
        .secrets
        .iter()
        .any(|grant| *grant.source.value == *one.secret && grant.target.as_ref().is_some_and(arrives));
    let is_left = service.configs.iter().any(|grant| *grant.source.value == *one.config);
    is_granted && !is_left && known.secrets.contains(one.secret.as_str())
}

/// Makes of texts what is written there, variables or not.
fn take_literally(value: &mut Value, written: &[Span]) {
    match &mut value.data {
        Data::Map(map) => map.values_mut().for_each(|entry| take_literally(&mut entry.value, written)),
        Data::Seq(items) => items.iter_mut().for_each(|item| take_literally(item, written)),
        _ if written.iter().any(|span| value.span.contains(*span)) => {
            if let Some(template) = &value.template {
                value.data = Data::Str(template.text.clone());
            }
        }
        _ => {}
    }
}

/// Whether a service has the variable that names the file, and the grant, and not the old variable, from an env file
/// neither.
fn has_moved(files: &Fixed<'_>, known: &Known<'_>, moved: &Moved) -> bool {
    let Some(&service) = known.services.get(moved.service.as_str()) else { return false };
    let variable = |name: &str| service.environment.iter().find(|variable| *variable.name.value == *name);
    let names_it = variable(&moved.form.variable)
        .and_then(|variable| variable.value.as_ref())
        .is_some_and(|value| *value.value == moved.form.value(&moved.secret));
    let is_granted = service.secrets.iter().any(|grant| *grant.source.value == *moved.secret);
    // What an env file says is looked at by the rule.
    let keeps_name = moved.form.variable == moved.variable;
    let is_renamed = moved.in_env_file || (names_it && (keeps_name || variable(&moved.variable).is_none()));
    let env_texts = EnvText::all(files, [service]);
    let is_renamed = is_renamed
        && (keeps_name || !shadowed::is_set(&env_texts, &moved.variable))
        && shadowed::is_set(&env_texts, &moved.form.variable) == moved.in_env_file
        && shadowed::user(&env_texts, &moved.variable).is_none();
    is_renamed && is_granted && known.secrets.contains(moved.secret.as_str())
}

/// Takes what a plan may change out of a model: moved variables, new grants and definitions, modes.
fn take_out(root: &mut Value, plan: &FixPlan) {
    let defined: HashSet<&str> = plan
        .moved
        .iter()
        .map(|moved| moved.secret.as_str())
        .chain(plan.built.iter().map(|built| built.secret.as_str()))
        .chain(plan.reshaped.iter().map(|one| one.secret.as_str()))
        .collect();
    let is_config = |name: &str| plan.reshaped.iter().any(|one| one.config == name);
    if let Some(top) = root.as_map_mut() {
        if let Some(secrets) = top.get_mut("secrets").and_then(|entry| entry.value.as_map_mut()) {
            secrets.retain(|name, _| {
                !defined.contains(name.as_ref()) && !plan.unused.iter().any(|unused| **unused == **name)
            });
        }
        if let Some(configs) = top.get_mut("configs").and_then(|entry| entry.value.as_map_mut()) {
            configs.retain(|name, _| !is_config(name));
        }
        without_empty(top, &["secrets", "configs"]);
    }
    let Some(services) = root.get_mut("services").and_then(Value::as_map_mut) else { return };
    let mut of_service: HashMap<&str, (Vec<&Moved>, Vec<&Built>)> = HashMap::new();
    for moved in &plan.moved {
        of_service.entry(&moved.service).or_default().0.push(moved);
    }
    for built in &plan.built {
        of_service.entry(&built.service).or_default().1.push(built);
    }
    let nothing = (Vec::new(), Vec::new());
    for (name, MapEntry { value, .. }) in services {
        let (moved, built) = of_service.get(name.as_ref()).unwrap_or(&nothing);
        let Some(service) = value.as_map_mut() else { continue };
        if let Some(build) = service.get_mut("build").filter(|_| !built.is_empty()) {
            take_out_of_build(&mut build.value, built);
        }
        if let Some(environment) = service.get_mut("environment") {
            take_variables(&mut environment.value, |name| {
                moved.iter().any(|moved| moved.variable == name || moved.form.variable == name)
            });
        }
        if let Some(secrets) = service.get_mut("secrets").and_then(|entry| entry.value.as_seq_mut()) {
            secrets.retain(|item| {
                let name = granted(item);
                let is_ours = moved.iter().any(|moved| moved.secret == name)
                    || plan.reshaped.iter().any(|one| one.secret == name);
                !is_ours
            });
        }
        if let Some(configs) = service.get_mut("configs").and_then(|entry| entry.value.as_seq_mut()) {
            configs.retain(|item| !is_config(granted(item)));
        }
        for key in ["secrets", "configs"] {
            let grants = service.get_mut(key).and_then(|entry| entry.value.as_seq_mut());
            for grant in grants.into_iter().flatten().filter_map(Value::as_map_mut) {
                grant.shift_remove("mode");
            }
        }
        without_empty(service, &["secrets", "configs"]);
    }
}

/// The name of what an item of `secrets:` or `configs:` grants.
fn granted(item: &Value) -> &str {
    item.as_str().or_else(|| item.get("source")?.as_str()).unwrap_or_default()
}

fn without_empty(map: &mut Map, keys: &[&str]) {
    for key in keys {
        if map.get(*key).is_some_and(|entry| entry.value.is_empty()) {
            map.shift_remove(*key);
        }
    }
}

/// Takes variables out of a mapping, or a list of `K=v`.
fn take_variables(variables: &mut Value, ours: impl Fn(&str) -> bool) {
    match &mut variables.data {
        Data::Map(map) => map.retain(|name, _| !ours(name)),
        Data::Seq(items) => items.retain(|item| {
            !item.as_str().is_some_and(|text| ours(text.split('=').next().unwrap_or_default()))
        }),
        _ => {}
    }
}

/// Takes arguments and grants out of a `build:`, in its long form.
fn take_out_of_build(build: &mut Value, built: &[&Built]) {
    if build.as_str().is_some() {
        let span = build.span;
        let context = std::mem::replace(build, Value::new(Data::Map(Map::new()), span));
        if let Some(map) = build.as_map_mut() {
            map.insert("context".into(), MapEntry { key_span: span, value: context });
        }
    }
    let Some(build) = build.as_map_mut() else { return };
    if let Some(args) = build.get_mut("args") {
        take_variables(&mut args.value, |name| built.iter().any(|built| built.argument == name));
    }
    if let Some(secrets) = build.get_mut("secrets").and_then(|entry| entry.value.as_seq_mut()) {
        secrets
            .retain(|item| !item.as_str().is_some_and(|name| built.iter().any(|built| built.secret == name)));
    }
    without_empty(build, &["args", "secrets"]);
}
