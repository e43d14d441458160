use super::rule::rule;
use super::{Context, Finding, Findings, ReadDockerfile};
use crate::dockerignore;
use crate::files::{FileSystem, inside, join};

rule! {
    /// # secret-file-in-context
    ///
    /// The file behind a secret lies in a build context, no .dockerignore keeps it out, and the Dockerfile copies
    /// the place where it lies.
    ///
    /// ## Why is this bad
    ///
    /// `COPY . .` puts the password into a layer of the image. Everyone who can pull the image has it, even if a
    /// later line removes the file.
    ///
    /// ## Example
    ///
    /// With this Dockerfile:
    ///
    /// ```dockerfile beside
    /// FROM alpine:3
    /// COPY . /app
    /// ```
    ///
    /// ```yaml bad
    /// services:
    ///   app:
    ///     build: .
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./db_password.txt # .gitignore
    /// ```
    ///
    /// Use instead a file outside of the context, or a line in .dockerignore:
    ///
    /// ```yaml good
    /// services:
    ///   app:
    ///     build: ./app
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    SECRET_FILE_IN_CONTEXT = "secret-file-in-context", "a build would copy a secret's file into the image", Warning, Regular, needs Files fix Safe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.dockerfiles.is_empty() {
        return;
    }
    for (secret, file) in context.secret_files(&SECRET_FILE_IN_CONTEXT, findings) {
        for read in context.dockerfiles {
            let Some(inside) = inside(&read.context, &file.value) else { continue };
            let Some(copied) = copying(read, &inside) else { continue };
            if is_kept_out(context.files, read, &inside) {
                continue;
            }
            let message = format!(
                "the file of the secret `{}` lies in the build context that {} copies: it gets into the image",
                secret.name, read.path
            );
            findings.push(
                Finding::new(
                    &SECRET_FILE_IN_CONTEXT,
                    file.span,
                    format!("secrets.{}.file", secret.name),
                    message,
                )
                .label("in the build context")
                .help(format!("add the line {inside} to {}", dockerignore_of(context.files, read)))
                .related(copied, "copied here")
                .show(file.span)
                .show(copied),
            );
            break;
        }
    }
}

/// Whether a .dockerignore keeps a path of the context out.
pub(super) fn is_kept_out(files: &dyn FileSystem, read: &ReadDockerfile, inside: &str) -> bool {
    let text = files.read(&dockerignore_of(files, read));
    text.is_ok_and(|text| dockerignore::is_ignored(&text, inside))
}

/// The file that says what a build leaves out: the Dockerfile's own, if it is there, goes before the context's.
pub(crate) fn dockerignore_of(files: &dyn FileSystem, read: &ReadDockerfile) -> String {
    let own = format!("{}.dockerignore", read.path);
    if files.read(&own).is_ok() { own } else { join(&read.context, ".dockerignore") }
}

/// The instruction that copies a path of the context.
fn copying(read: &ReadDockerfile, inside: &str) -> Option<crate::source::Span> {
    let copies = |instruction: &&crate::dockerfile::Instruction| {
        matches!(instruction.keyword.as_str(), "COPY" | "ADD")
            && !instruction.flags.iter().any(|flag| flag.name == "from")
            && super::docker_copy_secret::sources(instruction).iter().any(|source| {
                let source = join("", &instruction.arguments.text[source.clone()]);
                source == "." || dockerignore::is_ignored(source.trim_start_matches('/'), inside)
            })
    };
    read.dockerfile.instructions.iter().find(copies).map(|instruction| instruction.span)
}
