use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::{External, Value};
use crate::files::{Answer, FileKind};
use crate::lint::Target;

rule! {
    /// # swarm-limit
    ///
    /// With `--target swarm`: a secret that `docker stack deploy` refuses, by its name, its size or its source.
    ///
    /// ## Why is this bad
    ///
    /// Swarm takes 1 to 511,999 bytes, names of at most 64 characters with the stack's name and `_` before them,
    /// and neither secrets from variables nor configs with `content:`. Compose takes all of that, so it shows on the
    /// day of the deployment.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     environment: DB_PASSWORD
    /// ```
    ///
    /// Use instead a file or an external secret:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     external: true
    /// ```
    SWARM_LIMIT = "swarm-limit", "Swarm would refuse a secret", Error, Regular, needs Files, Project check
}

/// swarmkit `manager/controlapi/secret.go`
const LARGEST: u64 = 511_999;
const LONGEST_NAME: usize = 64;

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.target != Target::Swarm {
        return;
    }
    let both =
        [("secrets", "secret", &context.project.secrets), ("configs", "config", &context.project.configs)];
    for (key, word, definitions) in both {
        for definition in definitions {
            let name = &definition.name;
            let mut found = |message: String, label: &str, help: &str| {
                findings.push(
                    Finding::new(&SWARM_LIMIT, definition.name_span, format!("{key}.{name}"), message)
                        .label(label)
                        .help(help)
                        .show(definition.name_span),
                );
            };
            let content =
                context.root.get(key).and_then(|map| map.get(name)).and_then(|entry| entry.get("content"));
            if definition.environment.is_some() || content.is_some() {
                let message = format!(
                    "`docker stack deploy` refuses the {word} `{name}`: it takes files and external ones only"
                );
                found(
                    message,
                    "not known to Swarm",
                    "give it a `file:`, or create it first and write `external: true`",
                );
            }
            let renamed =
                context.root.get(key).and_then(|map| map.get(name)).and_then(|entry| entry.get("name"));
            let renamed = renamed.and_then(Value::to_text);
            // A `name:` goes as it is; else the stack's name and `_` go before it. One letter is the least.
            let length = match &renamed {
                Some(renamed) => renamed.value.len(),
                None if definition.external == External::Yes => name.len(),
                None => name.len() + 1 + context.project.name.len().max(1),
            };
            if length > LONGEST_NAME {
                let message = format!(
                    "the {word} `{name}` is called by {length} characters in Swarm, which takes {LONGEST_NAME}"
                );
                found(message, "too long", "give it a shorter name, or a shorter one in Swarm with `name:`");
            }
            let ends = |c: char| c.is_ascii_alphanumeric();
            if !(name.starts_with(ends) && name.ends_with(ends)) && renamed.is_none() {
                let message = format!(
                    "Swarm refuses the name of the {word} `{name}`: it must start and end with a letter or digit"
                );
                found(message, "not a name in Swarm", "rename it, or give it a `name:`");
            }
            let file = definition.file.as_ref().filter(|file| file.undecided.is_none());
            let size = match file.map(|file| (context.files.kind(&file.value), &file.value)) {
                Some((Answer::Known(FileKind::File), path)) => match context.files.facts(path) {
                    Answer::Known(facts) => facts.size,
                    Answer::NotChecked(_) => continue,
                },
                _ => continue,
            };
            if size == 0 || size > LARGEST {
                let message =
                    format!("the file of the {word} `{name}` has {size} bytes; Swarm takes 1 to {LARGEST}");
                found(
                    message,
                    "not the size for Swarm",
                    "split it, or put what is no secret into an image or a volume",
                );
            }
        }
    }
}
