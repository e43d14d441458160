use std::ops::Range;

use super::rule::rule;
use super::{DockerfileContext, Finding, Findings};
use crate::detect::{Literal, in_command, is_secret, literal, tokens, url_passwords};
use crate::dockerfile::Instruction;

rule! {
    /// # docker-run-secret
    ///
    /// A command or a label of a Dockerfile holds a secret: a token, a password in a URL, an Authorization header, the
    /// password of `docker login -p` or `chpasswd`.
    ///
    /// ## Why is this bad
    ///
    /// It is in the file, and `docker history` shows every command to everyone who can pull the image.
    ///
    /// ## Example
    ///
    /// ```dockerfile bad
    /// FROM alpine:3
    /// RUN wget https://build:hunter2@files.example.com/app.tgz
    /// ```
    ///
    /// Use instead a secret that is mounted for this command:
    ///
    /// ```dockerfile good
    /// FROM alpine:3
    /// RUN --mount=type=secret,id=netrc,target=/root/.netrc,required=true wget https://files.example.com/app.tgz
    /// ```
    DOCKER_RUN_SECRET = "docker-run-secret", "a command of a Dockerfile holds a secret", Error, Regular, needs Text, Dockerfile check
}

fn check(context: &DockerfileContext<'_>, findings: &mut Findings) {
    for instruction in &context.read.dockerfile.instructions {
        if !matches!(
            instruction.keyword.as_str(),
            "RUN" | "CMD" | "ENTRYPOINT" | "HEALTHCHECK" | "LABEL" | "ADD"
        ) {
            continue;
        }
        let run = matches!(instruction.keyword.as_str(), "RUN" | "CMD" | "ENTRYPOINT" | "HEALTHCHECK");
        for logical in instruction.texts() {
            let exec = if run { exec_form(&logical.text) } else { None };
            let text = exec.as_deref().unwrap_or(&logical.text);
            let mut places: Vec<(Range<usize>, &str)> = Vec::new();
            places.extend(url_passwords(text).into_iter().map(|range| (range, "a password in a URL")));
            places.extend(tokens(text).into_iter().map(|token| (token.range, "a token")));
            if instruction.keyword == "LABEL" {
                places.extend(labels(instruction));
            }
            if run {
                places.extend(in_command(text).into_iter().map(|found| (found.value, "a secret")));
            }
            places.retain(|(range, _)| is_written_out(&text[range.clone()]));
            places.sort_by_key(|(range, _)| range.start);
            let mut end = 0;
            for (range, what) in places {
                if range.start < end {
                    continue;
                }
                end = range.end;
                let message =
                    format!("{} holds {what}, which stays in the image's history", instruction.keyword);
                findings.push(
                    Finding::new(&DOCKER_RUN_SECRET, logical.place(range), instruction.keyword.as_str(), message)
                        .label(what)
                        .help("mount it for this command: RUN --mount=type=secret,id=…,required=true; and change it")
                        .show(instruction.keyword_span),
                );
            }
        }
    }
}

/// The values of labels that are named like secrets.
fn labels(instruction: &Instruction) -> impl Iterator<Item = (Range<usize>, &'static str)> {
    let text = &instruction.arguments.text;
    let assigned = instruction.assigned().into_iter();
    let values = assigned.filter_map(move |label| {
        // What stands before the last dot is a place, not a name.
        let name = text[label.name].trim_matches(['"', '\'']).rsplit('.').next().unwrap_or_default();
        label.value.filter(|value| is_secret(name, &text[value.clone()]))
    });
    values.map(|value| (value, "a secret"))
}

/// The words of `["app", "--flag"]`, each where it stands in the text, with blanks for what parts them; `None` of
/// what is a shell's.
fn exec_form(text: &str) -> Option<String> {
    let words = text.strip_prefix("CMD").unwrap_or(text).trim();
    words.strip_prefix('[')?.strip_suffix(']')?;
    serde_json::from_str::<Vec<String>>(words).ok()?;
    let (mut quoted, mut escaped) = (false, false);
    let within = |character: char| {
        let parts = character == '"' && !escaped;
        quoted ^= parts;
        escaped = character == '\\' && !escaped;
        if (quoted && !parts) || !character.is_ascii() { character } else { ' ' }
    };
    Some(text.chars().map(within).collect())
}

/// A shell's variables give a value from outside.
fn is_written_out(value: &str) -> bool {
    !value.contains(['$', '`']) && literal(value) == Literal::Secret
}
