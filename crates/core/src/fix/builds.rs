//! A secret leaves `ARG` and `ENV` of a Dockerfile: the build is granted it, and the commands that name it mount it.

use super::beside::is_yaml;
use super::edit::{self, Edit};
use super::secrets::{
    Granted, NewSecret, Source, free_name, grant, has_place, items_of, made_note, quoted, takes_grants,
};
use super::tree::{child, is_json, list_step, remove, scalar};
use super::{Built, Changes, Fix, FixPlan, Project, moved, refuse};
use crate::compose::{Environment, LoadRequest, Loaded, Service, Way, load};
use crate::dockerfile::{Assigned, Instruction, mount_option};
use crate::files::{join, parent};
use crate::rules::{Finding, FixKind, ReadDockerfile};
use crate::source::Sources;
use crate::yaml::{Document, Kind, NodeId};

/// The rules whose findings are mended by this.
const RULES: [&str; 3] = ["docker-arg-secret", "docker-env-secret", "secret-in-build-arg"];

/// A variable of a build that becomes a secret of it.
struct Move<'p> {
    /// What has been found about it.
    findings: Vec<&'p Finding>,
    read: &'p ReadDockerfile,
    name: String,
    declaration: &'p Instruction,
    assigned: Assigned,
    /// The commands that name it, and those whose programs may look for it.
    runs: Vec<&'p Instruction>,
    source: Source,
    builders: Vec<Builder<'p>>,
}

/// A service's `build:` in the tree of its file.
pub(super) struct Builder<'p> {
    pub(super) service: &'p Service,
    pub(super) document: &'p Document,
    pub(super) build: NodeId,
    /// `args:` and the variable's key or item in it.
    argument: Option<(NodeId, NodeId, NodeId)>,
}

const ELSEWHERE: &str =
    "an anchor, an alias, a merge key or another file brings a part of its `build:`; write it out first";

pub(super) fn plan<'p>(
    project: &Project<'p>,
    findings: &[&'p Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'p>,
) {
    let outcome = project.outcome();
    let mut moves: Vec<Move<'p>> = Vec::new();
    for finding in findings.iter().filter(|finding| RULES.contains(&finding.rule)) {
        let done = subject(project, finding).and_then(|(read, name)| {
            match moves.iter_mut().find(|one| one.read.path == read.path && one.name == name) {
                Some(known) => known.findings.push(finding),
                None => moves.push(movable(project, finding, read, name)?),
            }
            Ok(())
        });
        if let Err(reason) = done {
            plan.refused.push(refuse(outcome, finding, reason));
        }
    }
    let mut names: Vec<String> = Vec::new();
    for one in &moves {
        let mut taken = changes.names();
        let mounts = one.read.dockerfile.instructions.iter().flat_map(Instruction::secret_mounts);
        taken.extend(mounts.filter_map(|mount| mount_option(mount, "id")).map(str::to_owned));
        let name = free_name(project, &one.builders[0].service.name, &one.name, &one.source, &taken);
        let document = one.builders[0].document;
        changes.secrets.push(NewSecret { name: name.clone(), source: one.source.clone(), document });
        names.push(name);
    }
    for (one, secret) in moves.iter().zip(&names) {
        let dockerfile = project.sources().file(one.declaration.span.file);
        let edits = changes.edits.entry(dockerfile.path().to_owned()).or_default();
        edits.extend(undeclare(dockerfile.text(), one));
        let mount = format!(" --mount=type=secret,id={secret},env={},required=true", one.name);
        let insert = |run: &&Instruction| Edit::insert(run.keyword_span.end as usize, mount.as_str());
        edits.extend(one.runs.iter().map(insert));
        for builder in &one.builders {
            let service = builder.service.name.to_string();
            plan.built.push(Built { service, argument: one.name.clone(), secret: secret.clone() });
        }
        plan.fixes.extend(one.findings.iter().map(|finding| describe(project, one, finding, secret)));
    }
    edit_builds(project, &moves, &names, changes);
}

/// The Dockerfile and the variable that a finding is about.
fn subject<'p>(project: &Project<'p>, finding: &Finding) -> Result<(&'p ReadDockerfile, String), String> {
    let dockerfiles = &project.linted.dockerfiles;
    let found = if finding.rule == "secret-in-build-arg" {
        let services = project.model().map(|model| model.services.as_slice()).unwrap_or_default();
        services.iter().enumerate().find_map(|(at, service)| {
            let rest = finding.path.strip_prefix("services.")?.strip_prefix(&*service.name)?;
            let name = rest.strip_prefix(".build.args.")?;
            Some((dockerfiles.iter().find(|read| read.services.contains(&at)), name))
        })
    } else {
        finding.path.split_once(' ').map(|(_, name)| (dockerfile_of(project, finding), name))
    };
    match found {
        Some((Some(read), name)) => Ok((read, name.to_owned())),
        _ => Err("the Dockerfile that it is for cannot be read; use a build secret by hand".to_owned()),
    }
}

/// The Dockerfile that a finding is in.
pub(super) fn dockerfile_of<'p>(project: &Project<'p>, finding: &Finding) -> Option<&'p ReadDockerfile> {
    let is_here = |first: &Instruction| first.span.file == finding.span.file;
    let mut dockerfiles = project.linted.dockerfiles.iter();
    dockerfiles.find(|read| read.dockerfile.instructions.first().is_some_and(is_here))
}

/// The project, if it builds with a Dockerfile, and no other does.
pub(super) fn building<'p>(project: &Project<'p>, read: &ReadDockerfile) -> Result<&'p Loaded, String> {
    let loaded = project.loaded().filter(|_| !read.services.is_empty()).ok_or_else(|| {
        "no Compose file that builds with this Dockerfile was read; run `cosec fix` on that one".to_owned()
    })?;
    let other = project.built_beside().iter().find(|(_, dockerfile)| *dockerfile == join("", &read.path));
    match other {
        Some((path, _)) => Err(format!(
            "{path} builds with this Dockerfile, too, and would have no secret for it; grant it there, and change the Dockerfile by hand"
        )),
        None => Ok(loaded),
    }
}

/// The Dockerfiles that Compose files build with which are no part of the project, each with that file before it.
pub(super) fn beside(project: &Project<'_>) -> Vec<(String, String)> {
    let beside = project.beside().as_ref().ok().into_iter().flatten();
    let others =
        beside.chain(project.above()).filter(|one| is_yaml(&one.path) && has_word(&one.text, "build"));
    let mut found = Vec::new();
    for one in others {
        let (files, environment) = (vec![one.path.clone()], Environment::default());
        let request = LoadRequest::lenient(&files, parent(&one.path), &environment);
        let loaded = load(project.files, &mut Sources::default(), &mut Vec::new(), &request);
        let builds =
            loaded.iter().flat_map(|loaded| &loaded.project.services).filter_map(|own| own.build.as_ref());
        found.extend(builds.filter(|build| build.inline.is_none()).filter_map(|build| {
            let dockerfile = build.dockerfile_path(build.local_context()?)?;
            Some((one.path.clone(), join("", &dockerfile)))
        }));
    }
    found
}

/// What a variable becomes, or why it stays.
fn movable<'p>(
    project: &Project<'p>,
    finding: &'p Finding,
    read: &'p ReadDockerfile,
    name: String,
) -> Result<Move<'p>, String> {
    let loaded = building(project, read)?;
    if read.inline {
        return Err("the Dockerfile is a part of the Compose file; mount a secret there by hand".to_owned());
    }
    let instructions = &read.dockerfile.instructions;
    let declared: Vec<(usize, Assigned)> = instructions
        .iter()
        .enumerate()
        .filter(|(_, found)| matches!(found.keyword.as_str(), "ARG" | "ENV"))
        .flat_map(|(at, found)| found.assigned().into_iter().map(move |assigned| (at, assigned)))
        .filter(|(at, assigned)| instructions[*at].arguments.text[assigned.name.clone()] == *name)
        .collect();
    let [(at, assigned)] = declared.as_slice() else {
        return Err(if declared.is_empty() {
            format!(
                "the Dockerfile has no ARG {name}; take it out of `build.args` by hand if nothing needs it"
            )
        } else {
            format!("the Dockerfile declares {name} more than once; mount a secret by hand in its place")
        });
    };
    let declaration = &instructions[*at];
    if declaration.is_on_build() {
        return Err("ONBUILD is for builds of other images; mount a secret there by hand".to_owned());
    }
    has_place(project)?;
    has_syntax(project.sources().file(declaration.span.file).text(), MOUNTS_VARIABLES)?;
    let runs = runs(instructions, *at, &name)?;
    undeclarable(project.sources().file(declaration.span.file).text(), declaration, assigned)?;
    let services = || read.services.iter().filter_map(|at| loaded.project.services.get(*at));
    let mut source = None;
    let mut builders = Vec::new();
    for service in services() {
        let own = value(project, service, declaration, assigned, &name)?;
        if source.as_ref().is_some_and(|source| *source != own) {
            return Err(format!("services build with different values of {name}; mount secrets by hand"));
        }
        source = Some(own);
        builders.push(builder(project, loaded, service, &name)?);
    }
    let source = source.ok_or_else(|| ELSEWHERE.to_owned())?;
    let assigned = assigned.clone();
    Ok(Move { findings: vec![finding], read, name, declaration, assigned, runs, source, builders })
}

/// `env=` of a mount is known from Dockerfile syntax 1.10 on (BuildKit 0.16).
const MOUNTS_VARIABLES: u32 = 10;

/// Whether a Dockerfile names no syntax, or at least 1.`least`.
pub(super) fn has_syntax(text: &str, least: u32) -> Result<(), String> {
    let Some(syntax) = syntax(text) else { return Ok(()) };
    let version = syntax
        .strip_prefix("docker.io/")
        .unwrap_or(syntax)
        .strip_prefix("docker/dockerfile:")
        .map(|tag| tag.trim_end_matches("-labs"));
    let known = version.is_some_and(|version| match version.split_once('.') {
        None => matches!(version, "1" | "latest" | "labs"),
        Some((major, rest)) => {
            let minor = rest.split('.').next().and_then(|minor| minor.parse::<u32>().ok());
            major == "1" && minor.is_some_and(|minor| minor >= least)
        }
    });
    if known {
        return Ok(());
    }
    Err("its `# syntax=` is not known to mount a secret so; write `# syntax=docker/dockerfile:1` first"
        .to_owned())
}

/// What `# syntax=` says, among the directives at the very top.
fn syntax(text: &str) -> Option<&str> {
    let directives = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map_while(|line| line.trim().strip_prefix('#').and_then(|line| line.split_once('=')));
    let mut directives = directives.map(|(name, value)| (name.trim(), value.trim()));
    directives.find(|(name, _)| name.eq_ignore_ascii_case("syntax")).map(|(_, value)| value)
}

/// The commands behind the declaration that name the variable; an error where anything else does.
fn runs<'p>(instructions: &'p [Instruction], at: usize, name: &str) -> Result<Vec<&'p Instruction>, String> {
    let mut runs = Vec::new();
    let mut is_named = false;
    for (index, instruction) in instructions.iter().enumerate() {
        let in_flags = instruction.flags.iter().any(|flag| names_variable(&flag.value, name));
        let in_text = instruction.texts().any(|text| names_variable(&text.text, name));
        let is_run = instruction.keyword == "RUN" && !instruction.is_on_build();
        let word = || instruction.texts().any(|text| has_word(&text.text, name));
        let is_reached = is_run && index > at && instruction.stage == instructions[at].stage && !in_flags;
        if is_reached && word() {
            is_named = true;
            runs.push(instruction);
        } else if is_reached && may_look(instruction) {
            runs.push(instruction);
        } else if in_flags || in_text || (is_run && word()) {
            return Err(format!(
                "{} uses {name} where a mounted secret does not reach; change that first",
                instruction.keyword
            ));
        }
    }
    if let Some(child) = child_stage(instructions, at) {
        return Err(format!(
            "the stage {child} is built on its stage and has {name}, too; mount a secret by hand"
        ));
    }
    if !is_named {
        return Err(match instructions[at].keyword.as_str() {
            "ENV" => format!(
                "no RUN names {name}, so it is for the running container; remove it there and grant the service a secret"
            ),
            _ => format!(
                "no RUN names {name}; add --mount=type=secret,id=…,env={name},required=true by hand to the one that needs it"
            ),
        });
    }
    Ok(runs)
}

/// The first stage that is built on that of an instruction, as it is written.
fn child_stage(instructions: &[Instruction], at: usize) -> Option<&str> {
    let word = |from: &'_ Instruction, number: usize| from.arguments.words().get(number).cloned();
    let froms = || instructions.iter().filter(|instruction| instruction.keyword == "FROM");
    let own = froms().find(|from| from.stage == instructions[at].stage)?;
    let name = &own.arguments.text[word(own, 2)?];
    froms().find_map(|from| {
        let base = &from.arguments.text[word(from, 0)?];
        (from.stage > own.stage && base.eq_ignore_ascii_case(name)).then_some(base)
    })
}

/// Whether what a RUN starts may look for a variable that the RUN does not name, as package managers of languages,
/// build tools and scripts do.
fn may_look(run: &Instruction) -> bool {
    let is_told = |command: &str| {
        let mut words =
            command.split_whitespace().map(|word| word.trim_matches(['"', '\'', ',', '[', ']', '@']));
        words.find(|word| !word.is_empty() && !word.contains('=')).is_none_or(|program| {
            let program = program.rsplit('/').next().unwrap_or_default();
            TOLD.contains(&program)
        })
    };
    !run.heredocs.is_empty()
        || run.texts().any(|text| {
            text.text.contains('`')
                || text.text.contains("$(")
                || !text.text.split(['&', '|', ';', '\n', '(', ')']).all(is_told)
        })
}

/// Programs that use no variable which they are not told of.
const TOLD: [&str; 46] = [
    "addgroup", "adduser", "apk", "apt", "apt-get", "awk", "cat", "cd", "chgrp", "chmod", "chown", "cp",
    "date", "dnf", "echo", "export", "false", "grep", "groupadd", "gunzip", "gzip", "head", "id", "install",
    "ldconfig", "ln", "ls", "microdnf", "mkdir", "mv", "printf", "pwd", "rm", "rmdir", "sed", "set", "sleep",
    "sort", "tail", "tar", "test", "touch", "true", "unzip", "useradd", "usermod",
];

pub(super) fn names_variable(text: &str, name: &str) -> bool {
    positions(text, name).any(|at| text[..at].ends_with('$') || text[..at].ends_with("${"))
}

/// Whether a name stands by itself in a text.
pub(super) fn has_word(text: &str, name: &str) -> bool {
    positions(text, name).any(|at| !text[..at].ends_with(is_word))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Where a name stands that goes no further.
fn positions<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(name).map(|(at, _)| at).filter(move |at| !text[at + name.len()..].starts_with(is_word))
}

/// Where the secret of a service's build comes from.
fn value(
    project: &Project<'_>,
    service: &Service,
    declaration: &Instruction,
    assigned: &Assigned,
    name: &str,
) -> Result<Source, String> {
    let argument = service.build.iter().flat_map(|build| &build.args).rfind(|arg| *arg.name.value == *name);
    if let Some(argument) = argument.filter(|_| declaration.keyword == "ARG") {
        if argument.value.is_none() && project.environment.get(name).is_none() {
            return Err(format!(
                "{name} is not set here, and Docker builds without it then, which it does not with a secret; set it first, or mount one without `required` by hand"
            ));
        }
        return match (moved::source(project, argument)?, &argument.value) {
            // What `.env` says may stay there: Compose reads it for the secret, too.
            ((_, Some(line)), _) => Ok(Source::Variable(line.variable)),
            ((source, None), _) => Ok(source),
        };
    }
    let written = assigned.value.clone().map(|value| &declaration.arguments.text[value]).unwrap_or_default();
    if written.is_empty() {
        return Err(format!(
            "{name} is given to `docker build` by hand; name it in `build.args` of the Compose file first"
        ));
    }
    if written.contains(['$', '\\', '"', '\'']) {
        return Err("its value is made of variables, quotes or backslashes; move it by hand".to_owned());
    }
    Ok(Source::File(written.to_owned()))
}

/// A service's `build:`, written in one place.
pub(super) fn builder<'p>(
    project: &Project<'p>,
    loaded: &'p Loaded,
    service: &'p Service,
    name: &str,
) -> Result<Builder<'p>, String> {
    let mut found = project.documents().iter().filter_map(|document| {
        let (_, services) = child(document, document.root(), "services")?;
        let (_, own) = child(document, services, &service.name)?;
        let (_, build) = child(document, own, "build")?;
        let anchored = [services, own, build].iter().any(|id| document.node(*id).anchored);
        Some((document, build, anchored))
    });
    let (Some((document, build, false)), None) = (found.next(), found.next()) else {
        return Err(ELSEWHERE.to_owned());
    };
    if !matches!(loaded.ways.of(document.file()), Some(Way::Named(_))) {
        return Err(ELSEWHERE.to_owned());
    }
    takes_grants(document, build)?;
    let is_plain = match &document.node(build).kind {
        Kind::Scalar { value, .. } => !value.is_empty() && document.node(build).tag.is_none(),
        Kind::Mapping { entries, .. } => {
            !entries.is_empty()
                && !entries
                    .iter()
                    .any(|(key, _)| scalar(document, *key).is_some_and(|(text, _)| text == "<<"))
        }
        _ => false,
    };
    if !is_plain {
        return Err(ELSEWHERE.to_owned());
    }
    let argument = child(document, build, "args").and_then(|(key, args)| {
        let entry = match &document.node(args).kind {
            Kind::Mapping { .. } => child(document, args, name).map(|(key, _)| key),
            Kind::Sequence { items, .. } => items.iter().copied().find(|item| {
                let text = scalar(document, *item).map(|(text, _)| text).unwrap_or_default();
                text.split('=').next() == Some(name)
            }),
            _ => None,
        };
        Some((key, args, entry?))
    });
    let is_given = service.build.iter().flat_map(|build| &build.args).any(|arg| *arg.name.value == *name);
    if is_given != argument.is_some() {
        return Err(ELSEWHERE.to_owned());
    }
    Ok(Builder { service, document, build, argument })
}

/// Whether a declaration can be taken out: it is alone in its instruction, or that is one line, or it has a line.
fn undeclarable(text: &str, declaration: &Instruction, assigned: &Assigned) -> Result<(), String> {
    match removal(text, declaration, assigned) {
        Some(_) => Ok(()),
        None => Err("it shares a line of a longer instruction; give it one of its own first".to_owned()),
    }
}

/// The bytes of a declaration.
fn removal(text: &str, declaration: &Instruction, assigned: &Assigned) -> Option<(usize, usize)> {
    let (start, end) = (declaration.span.start as usize, declaration.span.end as usize);
    let all = declaration.assigned();
    if all.len() == 1 {
        return Some((edit::line_start(text, start), edit::line_end(text, end)));
    }
    let words = declaration.arguments.words();
    let at = words.iter().position(|word| word.start == assigned.name.start)?;
    let place = |at: usize| {
        let span = declaration.arguments.place(words[at].clone());
        (span.start as usize, span.end as usize)
    };
    let (first, last) = place(at);
    if !text[start..end].contains('\n') {
        let before = text[..first].trim_end_matches([' ', '\t']).len();
        return Some((before, last));
    }
    // Neither the first, which has the keyword before it, nor the last, whose line ends the instruction.
    let (line_start, line_end) = (edit::line_start(text, first), edit::line_end(text, last));
    let alone =
        text[line_start..first].trim().is_empty() && matches!(text[last..line_end].trim(), "\\" | "`");
    (alone && at + 1 < words.len()).then_some((line_start, line_end))
}

fn undeclare(text: &str, one: &Move<'_>) -> Option<Edit> {
    removal(text, one.declaration, &one.assigned).map(|(start, end)| Edit::replace(start, end, ""))
}

/// Grants the secrets under `build:` and takes the arguments out.
fn edit_builds(project: &Project<'_>, moves: &[Move<'_>], names: &[String], changes: &mut Changes<'_>) {
    let mut done: Vec<(NodeId, &Document)> = Vec::new();
    for builder in moves.iter().flat_map(|one| &one.builders) {
        let document = builder.document;
        let is_it =
            |other: &Builder<'_>| other.build == builder.build && other.document.file() == document.file();
        if done.iter().any(|(build, other)| *build == builder.build && other.file() == document.file()) {
            continue;
        }
        done.push((builder.build, document));
        let ours = || {
            moves.iter().zip(names).flat_map(|(one, name)| one.builders.iter().map(move |own| (own, name)))
        };
        let mut granted: Vec<Granted> = Vec::new();
        let mut gone: Vec<NodeId> = Vec::new();
        let mut args = None;
        for (own, name) in ours().filter(|(own, _)| is_it(own)) {
            granted.push(Granted::plain(name));
            if let Some((key, container, entry)) = own.argument {
                args = Some((key, container));
                gone.push(entry);
            }
        }
        let file = project.sources().file(document.file());
        let edits = changes.edits.entry(file.path().to_owned()).or_default();
        edits.extend(
            edit_build(document, file.text(), builder.build, &granted, args, &gone).unwrap_or_default(),
        );
    }
}

/// The edits of one `build:`; `None` where it is written in a way that cosec does not edit, which the check of the
/// whole then finds.
pub(super) fn edit_build(
    document: &Document,
    text: &str,
    build: NodeId,
    granted: &[Granted],
    args: Option<(NodeId, NodeId)>,
    gone: &[NodeId],
) -> Option<Vec<Edit>> {
    let node = document.node(build);
    let Kind::Mapping { entries, .. } = &node.kind else {
        return long_form(document, text, build, granted);
    };
    let mut edits = Vec::new();
    if let Some((key, container)) = args {
        let count = match &document.node(container).kind {
            Kind::Mapping { entries, .. } => entries.len(),
            Kind::Sequence { items, .. } => items.len(),
            _ => 0,
        };
        if count == gone.len() {
            edits.extend(remove(document, text, build, &[key])?);
        } else {
            edits.extend(remove(document, text, container, gone)?);
        }
    }
    edits.push(grant(text, document, build, *entries.last()?, granted, list_step(document, text))?);
    Some(edits)
}

/// `build: .` with room for secrets. The context stays where it is: what is put in holds nothing of the file.
fn long_form(document: &Document, text: &str, build: NodeId, granted: &[Granted]) -> Option<Vec<Edit>> {
    let span = document.node(build).span;
    let (start, end) = (span.start as usize, span.end as usize);
    let in_flow = document
        .nodes()
        .any(|node| matches!(node.kind, Kind::Mapping { flow: true, .. }) && node.span.contains(span));
    if in_flow {
        let is_json = is_json(document);
        let (items, key) = (items_of(granted, is_json), |key| quoted(key, is_json));
        let open = Edit::insert(start, format!("{{{}: ", key("context")));
        return Some(vec![open, Edit::insert(end, format!(", {}: [{items}]}}", key("secrets")))]);
    }
    let line = edit::line_start(text, start);
    let key = text[line..start].len() - text[line..start].trim_start().len();
    if !text[line..start].trim().starts_with("build") {
        return None;
    }
    let (newline, outer) = (edit::newline(text), " ".repeat(key + 2));
    let separator = format!("{newline}{outer}  - ");
    let items: String = granted.iter().flat_map(|one| [separator.as_str(), &one.name]).collect();
    // The blank behind `build:` goes.
    let blank = text[..start].trim_end_matches(' ').len();
    let open = Edit::replace(blank, start, format!("{newline}{outer}context: "));
    Some(vec![open, Edit::insert(end, format!("{newline}{outer}secrets:{items}"))])
}

fn describe(project: &Project<'_>, one: &Move<'_>, finding: &Finding, secret: &str) -> Fix {
    let title =
        format!("give the build {} as the secret {secret}, and mount it where a RUN uses it", one.name);
    let mut fix = Fix::new(project.outcome(), finding, FixKind::Unsafe, title);
    if matches!(one.source, Source::File(_)) {
        fix.notes.push(format!(
            "rotate it: images that were built with it keep it; change it where it is used and in secrets/{secret}"
        ));
    }
    if let Source::Variable(variable) = &one.source {
        fix.notes.push(format!("whoever builds has to set {variable}: the build stops where it is not set"));
    }
    let unnamed =
        one.runs.iter().filter(|run| !run.texts().any(|text| has_word(&text.text, &one.name))).count();
    if unnamed > 0 {
        fix.notes.push(format!(
            "{unnamed} more RUN mount it, which do not name it, and start what may look for it; take it from those that do not need it"
        ));
    }
    fix.notes.extend(made_note(project, secret, &one.source));
    if one.declaration.keyword == "ENV" {
        let name = &one.name;
        fix.notes.push(format!(
            "containers have no {name} in their environment any more; if the program reads it, grant the service a secret"
        ));
    }
    if syntax(project.sources().file(one.declaration.span.file).text()).is_none() {
        fix.notes.push(
            "it needs BuildKit 0.16, or `# syntax=docker/dockerfile:1` as the Dockerfile's first line"
                .to_owned(),
        );
    }
    fix
}
