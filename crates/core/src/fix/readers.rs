//! Who reads a secret's file that is made for its owner alone.

use super::{Project, bases};
use crate::compose::Service;
use crate::files::Answer;
use crate::images;

/// What to say of a service that is known to read its secrets as another user than the one whose file it is.
pub(super) fn note(project: &Project<'_>, service: &Service) -> Option<String> {
    let user = match &service.user {
        Some(user) => user.value.to_string(),
        None => images::reader(&bases::image(project, service)?, |variable| {
            let own = service.environment.iter().find(|own| *own.name.value == *variable)?;
            own.value.as_ref().map(|value| value.value.to_string())
        })?,
    };
    let name = user.split(':').next().unwrap_or_default();
    let is_owner = || {
        // What is made belongs to whom the project belongs.
        let Answer::Known(facts) = project.files.facts(project.path) else { return false };
        facts.owner.is_some_and(|owner| name.parse() == Ok(owner.uid))
    };
    if ["", "root", "0"].contains(&name) || name.contains('$') || is_owner() {
        return None;
    }
    Some(format!(
        "service {} reads it as user {name}, and plain `docker compose up` gives it the file closed to all but its owner; start it with `cosec up`, or make the file that user's (`chown`)",
        service.name
    ))
}
