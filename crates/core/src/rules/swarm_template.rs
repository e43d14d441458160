use std::collections::HashSet;
use std::ops::Range;

use super::rule::rule;
use super::{Context, Finding, Findings, Severity};
use crate::compose::template::{self, Piece};
use crate::compose::{Mistaken, dotenv, read_by_swarm};
use crate::files::{join, parent};
use crate::lint::Target;

rule! {
    /// # swarm-template
    ///
    /// With `--target swarm`: a variable that `docker stack deploy` reads otherwise than `docker compose up`.
    ///
    /// ## Why is this bad
    ///
    /// Swarm's reader of Compose files is an older one, and most of its differences go unsaid: `$A-b` has a default,
    /// a default is not looked through for variables, and a `-` in the message of `${A:?…}` makes the rest of the
    /// message the value. The stack starts, with another password than the one that was tried. What it does refuse
    /// (`:+`, a lone `$`) shows on the day of the deployment. `.env` is not read at all.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     image: shop/app
    ///     environment:
    ///       DB_HOST: ${DB_HOST:?must-be-set}
    ///       CACHE: ${CACHE_HOST:-${DB_HOST}}
    /// ```
    ///
    /// Use instead what both read alike:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     image: shop/app
    ///     environment:
    ///       DB_HOST: ${DB_HOST:?must be set}
    ///       CACHE: ${CACHE_HOST:-cache}
    /// ```
    SWARM_TEMPLATE = "swarm-template", "Swarm would read a variable otherwise than Compose", Error, Regular, needs Text, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.target != Target::Swarm {
        return;
    }
    let from_file = names_in_dotenv(context);
    let mut told = HashSet::new();
    context.scalars(|path, value| {
        let Some(text) = value.to_text().map(|text| text.raw) else { return };
        let place = |range: Range<usize>| context.sources.within(value.span, &text, range);
        if let Some((mistaken, range)) = read_by_swarm(&text) {
            let (message, help) = says(mistaken);
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name = text[range.clone()].trim_start_matches(['$', '{']);
            let name = &name[..name.find(|c| !is_name(c)).unwrap_or(name.len())];
            let label = format!("{} is not the same to Swarm", if name.is_empty() { "`$`" } else { name });
            findings.push(
                Finding::new(&SWARM_TEMPLATE, place(range), path, message)
                    .label(label)
                    .help(help),
            );
        }
        for piece in template::parse(&text).unwrap_or_default() {
            let Piece::Variable { range, name, .. } = piece else { continue };
            let variable = &text[name];
            if from_file.contains(variable) && told.insert(variable.to_owned()) {
                let message = format!(
                    "{variable} is set in .env, which `docker stack` does not read: there it comes from the environment, or is empty"
                );
                let mut finding = Finding::new(&SWARM_TEMPLATE, place(range.clone()), path, message)
                    .label("not from .env")
                    .help("set it where the stack is deployed, as in `set -a; . ./.env; docker stack deploy …`")
                    .show(place(range));
                finding.severity = Severity::Info;
                findings.push(finding);
            }
        }
    });
}

fn names_in_dotenv(context: &Context<'_>) -> HashSet<String> {
    let Ok(text) = context.files.read(&join(parent(context.path), ".env")) else { return HashSet::new() };
    // Only the names are wanted, so no place in the file.
    let lines = dotenv::scan(context.root.span.file, &text);
    lines.into_iter().map(|line| line.name.value.to_string()).collect()
}

fn says(mistaken: Mistaken) -> (&'static str, &'static str) {
    match mistaken {
        Mistaken::Refused => (
            "`docker stack` refuses this: it knows no `:+` or `+`, and no `$` that is not a variable's",
            "write `$$` for a plain dollar, and let the environment decide what `:+` did",
        ),
        Mistaken::Bare => (
            "to `docker stack`, what follows the variable's name is its default, up to a `}` or the end",
            "put braces around the name: `${NAME}`",
        ),
        Mistaken::Nested => (
            "`docker stack` replaces nothing in a default, and ends it at the first `}`",
            "write one default that is plain text, or none",
        ),
        Mistaken::Message => (
            "`docker stack` takes a `-` in this message for the sign of a default: where the variable is not set, the \
             stack starts with the rest of the message as its value",
            "write the message without `-`",
        ),
    }
}
