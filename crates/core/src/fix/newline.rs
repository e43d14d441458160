//! The line break at the end of a secret's file goes.

use super::edit::Edit;
use super::ignored::secret_file;
use super::secrets::is_outside;
use super::{Changes, Fix, FixPlan, Project, refuse};
use crate::rules::{Finding, FixKind};

pub(super) fn plan(
    project: &Project<'_>,
    findings: &[&Finding],
    plan: &mut FixPlan,
    changes: &mut Changes<'_>,
) {
    let outcome = project.outcome();
    for finding in findings.iter().filter(|finding| finding.rule == "secret-trailing-newline") {
        let Some(file) = secret_file(project, finding) else { continue };
        match cut(project, &file) {
            Ok(edit) => {
                // Several secrets may be of one file.
                let edits = changes.edits.entry(file.clone()).or_default();
                if !edits.contains(&edit) {
                    edits.push(edit);
                }
                let title = format!("take the line break at the end of {file} out");
                let mut fix = Fix::new(outcome, finding, FixKind::Unsafe, title);
                fix.notes.push(
                    "a service that was set up with the line break in its password keeps that until it is changed there"
                        .to_owned(),
                );
                plan.fixes.push(fix);
            }
            Err(reason) => plan.refused.push(refuse(outcome, finding, reason)),
        }
    }
}

fn cut(project: &Project<'_>, file: &str) -> Result<Edit, String> {
    if is_outside(project, file) {
        return Err(format!(
            "{file} lies outside of the project directory, where others may read it; write it anew with `printf %s`"
        ));
    }
    let text = project.files.read(file).map_err(|error| {
        format!("{file} cannot be read, {error}; cut its end off with `truncate --size=-1`")
    })?;
    match text.trim_end_matches(['\n', '\r']).len() {
        0 => Err(format!("nothing else is in {file}; write the secret into it")),
        kept => Ok(Edit::replace(kept, text.len(), "")),
    }
}
