use super::rule::rule;
use super::{Confidence, DockerfileContext, Finding, Findings};
use crate::dockerfile::{Flag, mount_option};

rule! {
    /// # docker-mount-leak
    ///
    /// A command writes a mounted secret into the image.
    ///
    /// ## Why is this bad
    ///
    /// The mount keeps the secret out of the layers; `cp` and `>` put it back in.
    ///
    /// ## Example
    ///
    /// ```dockerfile bad
    /// FROM node:22
    /// RUN --mount=type=secret,id=npm,required=true cp /run/secrets/npm /root/.npmrc && npm ci
    /// ```
    ///
    /// Use instead the place where the program looks as the mount's target:
    ///
    /// ```dockerfile good
    /// FROM node:22
    /// RUN --mount=type=secret,id=npm,target=/root/.npmrc,required=true npm ci
    /// ```
    ///
    /// A file that the same command removes again is left alone.
    DOCKER_MOUNT_LEAK = "docker-mount-leak", "a command writes a mounted secret into the image", Error, Regular, needs Text, Dockerfile check
}

fn check(context: &DockerfileContext<'_>, findings: &mut Findings) {
    for instruction in context.read.dockerfile.instructions.iter().filter(|found| found.keyword == "RUN") {
        for mount in instruction.secret_mounts() {
            let needles = needles(mount);
            for logical in instruction.texts() {
                let Some(range) = leak(&logical.text, &needles) else { continue };
                let id = mount_option(mount, "id").unwrap_or("secret");
                let message =
                    format!("the command writes the mounted secret `{id}` into a layer of the image");
                findings.push(
                    Finding::new(&DOCKER_MOUNT_LEAK, logical.place(range), format!("RUN {id}"), message)
                        .confidence(Confidence::Medium)
                        .label("writes the secret")
                        .help("let the program read the mount: target=… puts it where it looks, env=… into a variable")
                        .show(instruction.keyword_span),
                );
            }
        }
    }
}

/// How a command names the secret: by the path of the mount, or by its variable.
fn needles(mount: &Flag) -> Vec<String> {
    let mut needles = Vec::new();
    let path = ["target", "dst", "destination"].iter().find_map(|name| mount_option(mount, name));
    let variable = mount_option(mount, "env");
    match (path, mount_option(mount, "id")) {
        (Some(path), _) => needles.push(path.to_owned()),
        // With a variable there is a file only if it is asked for.
        (None, Some(id)) if variable.is_none() => needles.push(format!("/run/secrets/{id}")),
        _ => {}
    }
    if let Some(name) = variable {
        needles.extend([format!("${name}"), format!("${{{name}}}")]);
    }
    needles
}

/// The part of a command line that writes a secret to a file which stays.
fn leak(text: &str, needles: &[String]) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    while start < text.len() {
        let end = next_command(text, start);
        let command = &text[start..end];
        if let Some(at) = needles.iter().find_map(|needle| command.find(needle.as_str()))
            && let Some(written) = written_file(command, at)
            && !is_removed(&text[end..], written)
        {
            let lead = command.len() - command.trim_start().len();
            return Some(start + lead..start + command.trim_end().len());
        }
        start = end + 1;
    }
    None
}

/// Where a simple command ends: at `;`, `&&`, `||` or a line break outside of `$(…)`. A pipe goes on.
fn next_command(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0_u32;
    for at in start..bytes.len() {
        match bytes[at] {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' | b'\n' if depth == 0 => return at,
            b'&' if depth == 0 && bytes.get(at.wrapping_sub(1)) != Some(&b'>') => return at,
            b'|' if depth == 0 && bytes.get(at + 1) == Some(&b'|') => return at,
            _ => {}
        }
    }
    bytes.len()
}

/// The file that a command writes the secret at `at` to.
fn written_file(command: &str, at: usize) -> Option<&str> {
    let program = command.split_whitespace().find(|word| !word.contains('='))?;
    let program = program.rsplit('/').next().unwrap_or(program);
    if matches!(program, "cp" | "install" | "mv") {
        return command.split_whitespace().next_back();
    }
    let tee = command[at..].find("tee ").map(|tee| at + tee + 4);
    let redirect = command.match_indices('>').find_map(|(arrow, _)| {
        let number = command[..arrow].ends_with('2') || command[..arrow].ends_with('&');
        let rest = command[arrow..].trim_start_matches('>').trim_start();
        (!number && !rest.starts_with('&')).then_some(command.len() - rest.len())
    });
    let target = tee.or(redirect)?;
    let word = command[target..].split_whitespace().find(|word| !word.starts_with('-'))?;
    let word = word.trim_matches(['"', '\'']);
    (!word.is_empty()
        && !["/dev/null", "/dev/stdout", "/dev/stderr"].contains(&word)
        && !word.starts_with("/dev/shm/"))
    .then_some(word)
}

fn is_removed(rest: &str, written: &str) -> bool {
    rest.split([';', '&', '\n', '|']).any(|command| {
        let mut words = command.split_whitespace();
        let removes = words.next().is_some_and(|program| matches!(program, "rm" | "shred" | "unlink"));
        removes && words.any(|word| word.trim_matches(['"', '\'']) == written)
    })
}
