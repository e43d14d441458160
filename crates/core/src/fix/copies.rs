//! A file that a Dockerfile copies in, uses in the next RUN and removes there is mounted for that RUN instead.

use super::builds::{Builder, builder, building, dockerfile_of, edit_build, has_syntax};
use super::edit::{self, Edit};
use super::file_mode::{self, PRIVATE};
use super::secrets::{Granted, NewSecret, Source, free_name, is_outside};
use super::{Built, ChangedMode, Changes, Copied, Fix, FixPlan, Project, refuse};
use crate::dockerfile::Instruction;
use crate::files::{Answer, GitState, file_name, inside, join, parent};
use crate::gitignore::covering;
use crate::rules::{Finding, FixKind, copied_files};
use crate::source::Span;

struct Move<'p> {
    copy: &'p Instruction,
    run: &'p Instruction,
    /// Where the file lies, and where it comes to lie.
    file: String,
    target: String,
    /// The part of the RUN's text that removes it, from the end of what comes before.
    removal: usize,
    builders: Vec<Builder<'p>>,
}

pub(super) fn plan<'p>(
    project: &Project<'p>,
    findings: &[&'p Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'p>,
) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| finding.rule == "docker-copy-secret") {
        let one = match movable(project, finding) {
            Ok(one) => one,
            Err(reason) => {
                plan.refused.push(refuse(outcome, finding, reason));
                continue;
            }
        };
        let inside = inside(project.directory, &one.file).unwrap_or_default();
        let source = Source::There(format!("./{inside}"));
        let service = &one.builders[0].service.name;
        let name = free_name(project, service, file_name(&one.file), &source, &changes.names());
        let dockerfile = project.sources().file(one.copy.span.file);
        let text = dockerfile.text();
        let edits = changes.edits.entry(dockerfile.path().to_owned()).or_default();
        let copy = (one.copy.span.start as usize, one.copy.span.end as usize);
        edits.push(Edit::replace(edit::line_start(text, copy.0), edit::line_end(text, copy.1), ""));
        let mount = format!(" --mount=type=secret,id={name},target={},required=true", one.target);
        edits.push(Edit::insert(one.run.keyword_span.end as usize, mount));
        let command = &one.run.arguments;
        let removal = command.place(one.removal..command.text.trim_end().len());
        edits.push(Edit::replace(removal.start as usize, removal.end as usize, ""));
        for builder in &one.builders {
            let file = project.sources().file(builder.document.file());
            let edits = changes.edits.entry(file.path().to_owned()).or_default();
            let granted = [Granted::plain(&name)];
            let own = edit_build(builder.document, file.text(), builder.build, &granted, None, &[]);
            // Services may share a Dockerfile, never a `build:`.
            edits.extend(own.unwrap_or_default());
            let service = builder.service.name.to_string();
            plan.built.push(Built { service, argument: String::new(), secret: name.clone() });
        }
        let title = format!("mount {} for the RUN that uses it, as the secret {name}", one.file);
        let mut fix = Fix::new(outcome, finding, FixKind::Unsafe, title);
        fix.notes.push(format!(
            "change what is in {}: images that were built with it have it in a layer, though a later one removes it",
            one.file
        ));
        if project.files.git(&one.file) == Answer::Known(GitState::Untracked) {
            let line = covering(project.directory, &one.file);
            changes.append(line.gitignore, line.line);
        }
        if let Ok(owner) = file_mode::closable(project, &one.file) {
            plan.modes.push(ChangedMode { path: one.file.clone(), before: owner.mode, after: PRIVATE });
            fix.sets_mode = true;
            fix.notes.push(file_mode::title(&one.file));
        }
        plan.fixes.push(fix);
        plan.copied.push(Copied {
            copy: one.copy.arguments.text.clone(),
            removal: command.text[one.removal..].trim_end().to_owned(),
        });
        changes.secrets.push(NewSecret { name, source, document: one.builders[0].document });
    }
}

fn movable<'p>(project: &Project<'p>, finding: &Finding) -> Result<Move<'p>, String> {
    let read = dockerfile_of(project, finding).ok_or_else(|| STAYS.to_owned())?;
    let loaded = building(project, read)?;
    let instructions = &read.dockerfile.instructions;
    let at = instructions.iter().position(|found| found.span.contains(finding.span));
    let (Some(copy), Some(run)) =
        (at.map(|at| &instructions[at]), at.and_then(|at| instructions.get(at + 1)))
    else {
        return Err(STAYS.to_owned());
    };
    let (source, target) = copied(copy)?;
    let is_next = run.keyword == "RUN"
        && run.stage == copy.stage
        && !run.is_on_build()
        && run.heredocs.is_empty()
        && !run.arguments.text.starts_with('[');
    let removal =
        removal(&run.arguments.text, &target).filter(|_| is_next).ok_or_else(|| STAYS.to_owned())?;
    if changes_it(&run.arguments.text[..removal], &target) {
        return Err(format!(
            "the RUN changes {target}, which it cannot where that is mounted; mount it by hand"
        ));
    }
    if names_otherwise(&run.arguments.text[..removal], &target) {
        return Err(format!("the RUN may name {target} in other ways, too; mount it by hand"));
    }
    if let Some(user) = other_user(&instructions[..at.unwrap_or_default()], copy.stage) {
        return Err(format!("USER {user} cannot read what is mounted for root; mount it by hand"));
    }
    let text = project.sources().file(copy.span.file).text();
    let gone = run.arguments.place(removal..run.arguments.text.trim_end().len());
    if [copy.span, gone].iter().any(|span| has_comment(text, *span)) {
        return Err("a comment stands within the lines that would go; take it out first".to_owned());
    }
    has_syntax(text, 2)?;
    for other in instructions.iter().filter(|other| !std::ptr::eq(*other, copy) && !std::ptr::eq(*other, run))
    {
        let mentions = other.texts().any(|text| text.text.contains(&target));
        let copies_it = matches!(other.keyword.as_str(), "COPY" | "ADD")
            && copied_files(other).iter().any(|own| join("", &other.arguments.text[own.clone()]) == source);
        if mentions || copies_it {
            return Err(format!("{} may need it, too; mount it by hand where it is needed", other.keyword));
        }
    }
    let file = join(&read.context, &source);
    if is_outside(project, &file) {
        return Err(format!("{file} lies outside of the project directory; make it a build secret by hand"));
    }
    if project.files.git(&file) == Answer::Known(GitState::Tracked) {
        return Err(format!("git has {file} already; take it out of there first, and change what is in it"));
    }
    let services = read.services.iter().filter_map(|at| loaded.project.services.get(*at));
    let builders: Vec<Builder<'p>> =
        services.map(|service| builder(project, loaded, service, "")).collect::<Result<_, _>>()?;
    Ok(Move { copy, run, file, target, removal, builders })
}

const STAYS: &str = "the next RUN does not end with its removal, so the image may need it later; mount it by hand where it is needed";

/// The file of the context that is copied, and its path in the image.
fn copied(copy: &Instruction) -> Result<(String, String), String> {
    let text = &copy.arguments.text;
    if copy.keyword != "COPY" || copy.is_on_build() || !copy.flags.is_empty() || text.starts_with(['[', '<'])
    {
        return Err("it is more than a plain COPY; mount it by hand".to_owned());
    }
    let (sources, words) = (copied_files(copy), copy.arguments.words());
    let ([source], Some(target)) = (sources.as_slice(), words.last()) else {
        return Err("it copies several files at once; give the secret a COPY of its own first".to_owned());
    };
    let (source, target) = (&text[source.clone()], &text[target.clone()]);
    let source = join("", source.trim_start_matches('/'));
    if source == "." || source.contains(['*', '?', '[']) {
        return Err(
            "it comes along with others; name it in .dockerignore if the image can do without".to_owned()
        );
    }
    if !target.starts_with('/') || target.contains('$') {
        return Err("it goes to a path that depends on others; write it out from the root first".to_owned());
    }
    let target =
        if target.ends_with('/') { format!("{target}{}", file_name(&source)) } else { target.to_owned() };
    Ok((source, target))
}

/// Where a command's last part, `&& rm -f TARGET`, begins: at the end of what comes before.
fn removal(command: &str, target: &str) -> Option<usize> {
    let at = command.rfind("&&")?;
    let mut words = command[at + 2..].split_whitespace();
    let removes = words.next() == Some("rm");
    let paths: Vec<&str> = words.filter(|word| !word.starts_with('-')).collect();
    (removes && paths == [target]).then(|| command[..at].trim_end().len())
}

/// Whether a command does more with a file than read it, or more than one user runs it.
fn changes_it(command: &str, target: &str) -> bool {
    const CHANGING: [&str; 7] = ["cp", "install", "mv", "rm", "sed", "tee", "touch"];
    const ANYWHERE: [&str; 9] =
        ["chmod", "chown", "chgrp", "su", "sudo", "gosu", "su-exec", "runuser", "setpriv"];
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    if command.split(is_end).any(|word| ANYWHERE.contains(&word)) {
        return true;
    }
    command.split(['&', '|', ';', '\n']).any(|part| {
        let first = part.split_whitespace().next().unwrap_or_default();
        part.contains(target) && (CHANGING.contains(&first) || part.contains('>'))
    })
}

/// Whether a command may name a file by more than its path from the root: a relative one, one from the home directory,
/// its directory, a longer name.
fn names_otherwise(command: &str, target: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_./*?[".contains(c));
    let mut parts = command.split(target);
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let directory = parent(target).trim_end_matches('/');
    let mentions =
        |part: &str| part.contains(file_name(target)) || (!directory.is_empty() && part.contains(directory));
    rest.iter().any(|part| goes_on(part)) || mentions(first) || rest.into_iter().any(mentions)
}

/// A user other than root, in a stage or in one that it is built from; of what stands above.
fn other_user(above: &[Instruction], stage: usize) -> Option<&str> {
    let of_stage = |stage, keyword| {
        above
            .iter()
            .filter(move |own| own.stage == stage && own.keyword == keyword)
            .map(|own| &own.arguments.text)
    };
    let is_named = |stage: usize, name: &str| {
        of_stage(stage, "FROM").any(|from| {
            let words: Vec<&str> = from.split_whitespace().collect();
            matches!(words.as_slice(), [_, _, own] if own.eq_ignore_ascii_case(name))
        })
    };
    let mut open = Some(stage);
    while let Some(stage) = open {
        let mut users = of_stage(stage, "USER").map(|user| user.trim());
        let other = users.find(|user| !matches!(user.split(':').next(), Some("root" | "0")));
        if other.is_some() {
            return other;
        }
        let base = of_stage(stage, "FROM").next()?.split_whitespace().next()?;
        open = (0..stage).rev().find(|earlier| is_named(*earlier, base));
    }
    None
}

/// Whether a line of a place is a comment.
fn has_comment(text: &str, span: Span) -> bool {
    let written = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    written.lines().any(|line| line.trim_start().starts_with('#'))
}
