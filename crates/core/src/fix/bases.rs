//! A service whose image is built here, from one that is known: it takes a variable from a file as that one does, if
//! nothing in the build changes how it starts, and nothing that comes into it reads the variable.

use super::Project;
use super::beside;
use super::builds::has_word;
use crate::compose::Service;
use crate::dockerfile::{Base, Instruction, base};
use crate::files::{join, parent};
use crate::images::{self, FileForm};
use crate::rules::{ReadDockerfile, copied_files};

/// How the image takes from a file what it else takes from a variable; else why that is not known.
pub(super) fn form_of(project: &Project<'_>, service: &Service, name: &str) -> Result<FileForm, String> {
    let unknown = || {
        format!(
            "the image is built here, and whether it reads {name}_FILE is not known; if it does, set that and grant a secret by hand"
        )
    };
    let (read, Base { image, stages }) = built_on(project, service).ok_or_else(unknown)?;
    let form = images::file_form(&image, name).ok_or_else(unknown)?;
    let instructions = &read.dockerfile.instructions;
    for own in instructions.iter().filter(|own| stages.contains(&own.stage) && !own.is_on_build()) {
        let says = |word: &str| own.texts().any(|text| text.text.contains(word));
        let is_start = own.keyword == "ENTRYPOINT"
            || (["COPY", "ADD", "RUN"].contains(&own.keyword.as_str()) && says("entrypoint.sh"));
        if is_start {
            return Err(format!(
                "the image is built here on {image}, and {} of its Dockerfile changes how it starts; if it still reads {name} from a file, grant a secret by hand",
                own.keyword
            ));
        }
        if own.texts().any(|text| has_word(&text.text, name)) {
            return Err(format!(
                "{} of the Dockerfile uses {name}, which is not set in the container any more; change that first",
                own.keyword
            ));
        }
        if let Some(reason) = reader(project, read, own, name)? {
            return Err(reason);
        }
    }
    Ok(form)
}

/// The Dockerfile of a service, and what it is built on.
fn built_on<'p>(project: &'p Project<'_>, service: &Service) -> Option<(&'p ReadDockerfile, Base)> {
    let services = &project.model()?.services;
    let at = services.iter().position(|own| own.name == service.name)?;
    let build = services[at].build.as_ref()?;
    let read = project.linted.dockerfiles.iter().find(|read| read.services.contains(&at))?;
    Some((read, base(&read.dockerfile, build)?))
}

/// The image of a service, or the one that its own is built on.
pub(super) fn image(project: &Project<'_>, service: &Service) -> Option<String> {
    match &service.build {
        Some(_) => built_on(project, service).map(|(_, base)| base.image),
        None => service.image.as_ref().map(|image| image.value.to_string()),
    }
}

/// A file that comes into the image and names a variable, as a sentence. The error says why that is not known.
fn reader(
    project: &Project<'_>,
    read: &ReadDockerfile,
    copy: &Instruction,
    name: &str,
) -> Result<Option<String>, String> {
    let is_copy = matches!(copy.keyword.as_str(), "COPY" | "ADD");
    // What another stage has made was read from files that were copied there.
    if !is_copy || copy.flags.iter().any(|flag| flag.name == "from") || !copy.heredocs.is_empty() {
        return Ok(None);
    }
    for source in copied_files(copy) {
        let source = copy.arguments.text[source].trim_start_matches('/');
        if source.contains("://") {
            continue;
        }
        let plain = source.find(['*', '?', '[', '$']).map_or(source, |at| parent(&source[..=at]));
        let path = join(&read.context, plain);
        let found = beside::naming(project, &path, name).map_err(|_| {
            format!(
                "whether what its Dockerfile copies from {path} reads {name} cannot be known; grant a secret by hand"
            )
        })?;
        if let Some(path) = found {
            return Ok(Some(format!(
                "{path}, which goes into the image, names {name}, which is not set in the container any more; let it read the file first"
            )));
        }
    }
    Ok(None)
}
