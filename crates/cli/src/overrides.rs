//! The second Compose file, by which each grant becomes a file out of the mount. It holds names and paths, no
//! value.

use std::path::PathBuf;

use cosec_core::plan::{Kind, Plan};

use crate::args::{Compat, CompatArgs, DeliverArgs, ServeArgs};
use crate::atomic;
use crate::deliver;
use crate::docker::MOUNT_LABEL;
use crate::failure::Failure;
use crate::runtime::Runtime;

/// Writes it into the runtime directory.
pub(crate) fn write(
    runtime: &Runtime,
    plan: &Plan,
    mount_id: &str,
    serve: &ServeArgs,
) -> Result<(), Failure> {
    let path = runtime.override_file();
    atomic::replace(&path, text(runtime, plan, mount_id, serve).as_bytes(), atomic::PRIVATE)
        .map_err(|error| Failure::Cannot(format!("cannot write {}: {error}", path.display())))
}

/// The override that one command gives to Compose.
pub(crate) struct ForCommand {
    pub(crate) path: PathBuf,
    /// Nobody else uses it: it goes with this value.
    own: bool,
}

impl Drop for ForCommand {
    fn drop(&mut self) {
        if self.own {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The override for a command with these files and profiles, if the project is served: that of the last `up`, or, where
/// that had others, one without the services that only they have.
pub(crate) fn for_command(runtime: &Runtime, plan: Option<&Plan>) -> Result<Option<ForCommand>, Failure> {
    let path = runtime.override_file();
    let Ok(now) = std::fs::read_to_string(&path) else { return Ok(None) };
    let serve = served_with(runtime);
    let text = plan.zip(mount_id(runtime)).map(|(plan, id)| text(runtime, plan, &id, &serve));
    let Some(text) = text.filter(|text| *text != now) else {
        return Ok(Some(ForCommand { path, own: false }));
    };
    let path = runtime.override_for_command();
    atomic::replace(&path, text.as_bytes(), atomic::PRIVATE)
        .map_err(|error| Failure::Cannot(format!("cannot write {}: {error}", path.display())))?;
    Ok(Some(ForCommand { path, own: true }))
}

const SWARM: &str = "--compat swarm";
const ALLOW_HOST: &str = "--allow-host";
const ALLOW_UNIGNORED: &str = "--allow-unignored";

/// With which options of its own the last `up` serves.
pub(crate) fn served_with(runtime: &Runtime) -> ServeArgs {
    let text = std::fs::read_to_string(runtime.override_file()).unwrap_or_default();
    let options = text.lines().next().filter(|line| line.starts_with('#')).unwrap_or_default();
    let compat = if options.contains(SWARM) { Compat::Swarm } else { Compat::Cosec };
    ServeArgs {
        deliver: DeliverArgs {
            allow_unignored: options.contains(ALLOW_UNIGNORED),
            compat: CompatArgs { compat },
        },
        allow_host: options.contains(ALLOW_HOST),
    }
}

/// The same as a comment, for [`served_with`].
fn options(serve: &ServeArgs) -> String {
    let is_swarm = serve.deliver.compat.compat == Compat::Swarm;
    let options =
        [(SWARM, is_swarm), (ALLOW_HOST, serve.allow_host), (ALLOW_UNIGNORED, serve.deliver.allow_unignored)];
    options.iter().filter(|(_, is_on)| *is_on).fold("#".to_owned(), |text, (option, _)| text + " " + option)
}

/// The id of the mount that the last override was written for.
pub(crate) fn mount_id(runtime: &Runtime) -> Option<String> {
    let text = std::fs::read_to_string(runtime.override_file()).ok()?;
    let id = text.lines().find_map(|line| line.trim().strip_prefix(MOUNT_LABEL)?.strip_prefix(": "))?;
    serde_json::from_str(id).ok()
}

fn text(runtime: &Runtime, plan: &Plan, mount_id: &str, serve: &ServeArgs) -> String {
    let mut services = String::new();
    let (mut secrets, mut configs) = (String::new(), String::new());
    for of_service in plan.deliveries.chunk_by(|one, other| one.service == other.service) {
        let Some(first) = of_service.first() else { continue };
        // Containers keep the mount that they were made with: with another one, Compose makes them anew.
        services.push_str(&format!(
            "  {}:\n    labels:\n      {MOUNT_LABEL}: {}\n",
            quoted(&first.service),
            quoted(mount_id)
        ));
        for kind in [Kind::Secret, Kind::Config] {
            let numbered = of_service.iter().enumerate();
            let mut of_kind = numbered.filter(|(_, delivery)| delivery.kind == kind).peekable();
            if of_kind.peek().is_none() {
                continue;
            }
            services.push_str(&format!("    {kind}s: !override\n"));
            let definitions = if kind == Kind::Secret { &mut secrets } else { &mut configs };
            for (number, delivery) in of_kind {
                // Of its own service alone: Compose makes containers anew when the names in their grants change.
                let name = quoted(&format!("cosec-{}-{number}", delivery.service));
                let file = runtime.mount_point().join(deliver::path_in_mount(delivery));
                services.push_str(&format!(
                    "      - source: {name}\n        target: {}\n",
                    quoted(&delivery.target)
                ));
                definitions
                    .push_str(&format!("  {name}:\n    file: {}\n", quoted(&file.display().to_string())));
            }
        }
    }
    let services = if services.is_empty() { " {}\n".to_owned() } else { format!("\n{services}") };
    let mut text = format!("{}\nservices:{services}", options(serve));
    for (key, definitions) in [("secrets", secrets), ("configs", configs)] {
        if !definitions.is_empty() {
            text.push_str(&format!("{key}:\n{definitions}"));
        }
    }
    text
}

/// A YAML string in double quotes, safe from interpolation.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_or_path_breaks_out_of_its_string() {
        assert_eq!(quoted("a\"b\n${X}: #"), r#""a\"b\n$${X}: #""#);
    }
}
