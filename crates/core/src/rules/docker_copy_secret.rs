use std::ops::Range;

use super::dotenv_not_ignored::is_example;
use super::rule::rule;
use super::secret_file_in_context::is_kept_out;
use super::{Confidence, DockerfileContext, Finding, Findings, Severity};
use crate::compose::dotenv;
use crate::detect::is_secret;
use crate::dockerfile::Instruction;
use crate::files::{Answer, FileKind, file_name, join};
use crate::lint::is_env_file;
use crate::source::Sources;

rule! {
    /// # docker-copy-secret
    ///
    /// A Dockerfile copies a file of secrets into the image: `.env`, a private key, `.npmrc`, `.netrc`; by its name, or
    /// along with all the rest.
    ///
    /// ## Why is this bad
    ///
    /// The file is in a layer, and stays there if a later line removes it. Everyone who can pull the image has it.
    ///
    /// ## Example
    ///
    /// ```dockerfile bad
    /// FROM alpine:3
    /// COPY id_rsa /root/.ssh/id_rsa
    /// ```
    ///
    /// Use instead a mount that exists for one command, and a .dockerignore that names the file:
    ///
    /// ```dockerfile good
    /// FROM alpine:3
    /// RUN --mount=type=ssh git clone git@example.com:app
    /// ```
    DOCKER_COPY_SECRET = "docker-copy-secret", "a Dockerfile copies a file of secrets", Error, Regular, needs Files fix Unsafe, Dockerfile check
}

/// Files that hold credentials and nothing else.
const CREDENTIALS: &[&str] =
    &[".netrc", ".git-credentials", ".pgpass", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa", ".vault-token"];

/// What `COPY .` takes along unseen.
const UNSEEN: &[&str] = &[
    ".env",
    ".env.local",
    ".env.production",
    ".netrc",
    ".git-credentials",
    "id_rsa",
    "id_ed25519",
    ".npmrc",
    ".pypirc",
];

fn check(context: &DockerfileContext<'_>, findings: &mut Findings) {
    for instruction in &context.read.dockerfile.instructions {
        let copies = matches!(instruction.keyword.as_str(), "COPY" | "ADD");
        if !copies || instruction.flags.iter().any(|flag| flag.name == "from") {
            continue;
        }
        for source in sources(instruction) {
            let written = &instruction.arguments.text[source.clone()];
            let span = instruction.arguments.place(source.clone());
            if written.contains('$') || written.contains("://") || written.starts_with("<<") {
                continue;
            }
            let path = join("", written.trim_start_matches('/'));
            let found: Option<(String, Severity)> = if path == "." || path == "*" {
                let unseen = UNSEEN.iter().find(|name| {
                    let kind = context.files.kind(&join(&context.read.context, name));
                    kind == Answer::Known(FileKind::File)
                        && !is_kept_out(context.files, context.read, name)
                        && secrecy(context, name) == Some(Severity::Error)
                });
                unseen.map(|name| ((*name).to_owned(), Severity::Error))
            } else {
                secrecy(context, &path).map(|severity| (path, severity))
            };
            let Some((file, severity)) = found else { continue };
            let message =
                format!("{file} gets into a layer of the image, and everyone who can pull the image has it");
            let mut finding = Finding::new(
                &DOCKER_COPY_SECRET,
                span,
                format!("{} {file}", instruction.keyword),
                message,
            )
            .confidence(if severity == Severity::Error { Confidence::High } else { Confidence::Medium })
            .label("copies a file of secrets")
            .help(format!(
                "name {file} in .dockerignore, and mount it where it is needed: RUN --mount=type=secret"
            ))
            .show(instruction.keyword_span)
            .show(span);
            finding.severity = severity;
            findings.push(finding);
        }
    }
}

/// The sources of `COPY` and `ADD`: all words but the last, in both forms.
pub(crate) fn sources(instruction: &Instruction) -> Vec<Range<usize>> {
    let text = &instruction.arguments.text;
    let mut words: Vec<Range<usize>> = if text.starts_with('[') {
        let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
        quotes.chunks_exact(2).map(|pair| pair[0] + 1..pair[1]).collect()
    } else {
        instruction.arguments.words()
    };
    words.pop();
    words
}

/// How surely a file of the context holds secrets: by what is in it where that can be seen, else by its name.
fn secrecy(context: &DockerfileContext<'_>, path: &str) -> Option<Severity> {
    let name = file_name(path).to_ascii_lowercase();
    let words: Vec<&str> = name.split(['.', '-', '_']).collect();
    let public =
        ["pub", "public", "cert", "certs", "ca", "chain", "bundle", "root", "crt", "apt", "repo", "release"];
    if CREDENTIALS.contains(&name.as_str()) {
        return Some(Severity::Error);
    }
    // Diffie-Hellman's parameters are known to all.
    let is_group = |word: &&str| word.starts_with("ffdhe") || word.starts_with("dhparam") || *word == "dh";
    if is_example(path) || words.iter().any(|word| public.contains(word) || is_group(word)) {
        return None;
    }
    let in_context = join(&context.read.context, path);
    let text = || context.files.read(&in_context).ok();
    // Most hold a registry's address only: what cannot be seen is not reported.
    if name == ".npmrc" || name == ".pypirc" {
        return text().and_then(|text| {
            let lines = || text.lines().filter_map(|line| line.split_once('='));
            let set = |(key, value): (&str, &str)| {
                let key = key.trim().to_ascii_lowercase();
                let secret =
                    ["_authtoken", "_auth", "_password", "password"].iter().any(|end| key.ends_with(end));
                secret && !value.trim().is_empty() && !value.contains('$')
            };
            lines().any(set).then_some(Severity::Error)
        });
    }
    if is_env_file(&name) && (name.starts_with(".env") || name.ends_with(".env")) {
        return match text() {
            Some(text) => holds_secrets(&text).then_some(Severity::Error),
            None => Some(Severity::Warning),
        };
    }
    let private =
        words.iter().any(|word| ["private", "priv", "privkey", "privatekey", "server"].contains(word));
    if name.ends_with(".pem") || name.ends_with(".key") {
        let is_named = private || (name.ends_with(".pem") && words.iter().any(|word| word.contains("key")));
        return match text() {
            Some(text) => text.contains("PRIVATE KEY").then_some(Severity::Error),
            None if is_named => Some(Severity::Error),
            None => Some(Severity::Warning),
        };
    }
    // `secrets.yml`, `credentials.json`, `.aws/credentials`: of a program's text it is the subject.
    let is_list = ["json", "yml", "yaml", "toml", "ini", "cfg", "txt", "properties"];
    let of_secrets = |word: &&str| matches!(*word, "secret" | "secrets" | "credential" | "credentials");
    if words.first().is_some_and(of_secrets)
        && (words.len() == 1 || (words.len() == 2 && is_list.contains(&words[1])))
        || matches!(name.as_str(), "kubeconfig" | "terraform.tfstate" | "wallet.dat")
    {
        return Some(Severity::Warning);
    }
    let stores = [".p12", ".pfx", ".jks", ".keystore", ".ppk"];
    stores.iter().any(|end| name.ends_with(end)).then_some(Severity::Warning)
}

fn holds_secrets(text: &str) -> bool {
    let mut sources = Sources::default();
    let file = sources.add("", text);
    dotenv::scan(file, text).iter().any(|assigned| {
        assigned.value.as_ref().is_some_and(|value| is_secret(&assigned.name.value, &value.raw))
    })
}
