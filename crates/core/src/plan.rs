//! Who is to get which secret or config, where, as whom: the deliveries of a project.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::compose::{External, Grant, LoadError, Project, SecretDef, Service};
use crate::files::join;
use crate::source::Span;

/// Whose defaults hold for owner and mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// 0400, owned by the user that the service runs as.
    #[default]
    Cosec,
    /// 0444, owned by 0:0, as the engine does it.
    Swarm,
}

/// All deliveries of a project, in file order.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The project's name.
    pub project: String,
    /// What goes where.
    pub deliveries: Vec<Delivery>,
}

/// What is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One of `secrets:`
    #[default]
    Secret,
    /// One of `configs:`
    Config,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Secret => "secret",
            Kind::Config => "config",
        })
    }
}

/// One secret or config for one service.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// The service.
    pub service: String,
    /// Secret or config.
    pub kind: Kind,
    /// Its name in the project.
    pub secret: String,
    /// The file's absolute path in the container.
    pub target: String,
    /// Who owns it.
    pub owner: Owner,
    /// Permission bits.
    #[serde(serialize_with = "octal")]
    pub mode: u32,
    /// Where the value comes from.
    pub source: ValueSource,
    /// Where the grant is written.
    #[serde(skip)]
    pub span: Span,
}

/// Who owns a delivered file. What is `None` or by name, only the image can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// `uid:` of the grant.
    pub uid: Option<u32>,
    /// `gid:` of the grant.
    pub gid: Option<u32>,
    /// The user the service runs as, which counts where the grant says nothing.
    pub user: ServiceUser,
}

/// The user a service runs as, as far as the Compose file tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceUser {
    /// Numbers.
    Ids {
        /// The user.
        uid: u32,
        /// The group, where one is given.
        gid: Option<u32>,
    },
    /// `user: name` or `name:group`, to be looked up in the image's /etc/passwd.
    Named(String),
    /// The image's own.
    Image,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueSource {
    /// A file, relative to where the user stands.
    File(String),
    /// A variable of the environment or `.env`.
    Environment(String),
    /// `content:` of the config of this name.
    Content(String),
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueSource::File(path) => write!(f, "file {path}"),
            ValueSource::Environment(name) => write!(f, "environment {name}"),
            ValueSource::Content(name) => write!(f, "content of {name}"),
        }
    }
}

/// Makes the plan of a project.
pub fn plan(project: &Project, compat: Compat) -> Result<Plan, LoadError> {
    let mut deliveries: Vec<Delivery> = Vec::new();
    let definitions = Definitions { secrets: by_name(&project.secrets), configs: by_name(&project.configs) };
    for service in &project.services {
        let mut targets: HashMap<String, usize> = HashMap::new();
        let mut directories: HashMap<String, usize> = HashMap::new();
        let secrets = service.secrets.iter().map(|grant| (Kind::Secret, grant));
        let configs = service.configs.iter().map(|grant| (Kind::Config, grant));
        for (kind, grant) in secrets.chain(configs) {
            let delivery = deliver(&definitions, service, kind, grant, compat)?;
            if let Some(twin) = targets.insert(delivery.target.clone(), deliveries.len()) {
                let twin = &deliveries[twin];
                let message = format!(
                    "`{}` and `{}` both go to {} in service `{}`; give one another `target:`",
                    twin.secret, delivery.secret, delivery.target, delivery.service
                );
                return Err(LoadError::new(message, grant.span));
            }
            let below = directories_of(&delivery.target).find_map(|directory| targets.get(directory));
            if let Some(other) = below.or_else(|| directories.get(&delivery.target)) {
                let other = &deliveries[*other].target;
                let message = format!(
                    "{} and {other} of service `{}` cannot both be: one is a file and a directory of the other's; give one another `target:`",
                    delivery.target, delivery.service
                );
                return Err(LoadError::new(message, grant.span));
            }
            for directory in directories_of(&delivery.target) {
                directories.entry(directory.to_owned()).or_insert(deliveries.len());
            }
            deliveries.push(delivery);
        }
    }
    Ok(Plan { project: project.name.clone(), deliveries })
}

/// The directories above a target that could be another's file: not those that are there in any case.
fn directories_of(target: &str) -> impl Iterator<Item = &str> {
    let above = target.match_indices('/').map(|(at, _)| &target[..at]);
    above.filter(|directory| !matches!(*directory, "" | "/run" | "/run/secrets"))
}

/// What is defined, by name.
struct Definitions<'a> {
    secrets: HashMap<&'a str, &'a SecretDef>,
    configs: HashMap<&'a str, &'a SecretDef>,
}

fn by_name(definitions: &[SecretDef]) -> HashMap<&str, &SecretDef> {
    definitions.iter().map(|definition| (&*definition.name, definition)).collect()
}

fn deliver(
    definitions: &Definitions<'_>,
    service: &Service,
    kind: Kind,
    grant: &Grant,
    compat: Compat,
) -> Result<Delivery, LoadError> {
    let name = &grant.source.value;
    let fail = |message: String| LoadError::new(message, grant.source.span);
    let of_kind = match kind {
        Kind::Secret => &definitions.secrets,
        Kind::Config => &definitions.configs,
    };
    let secret = of_kind.get(&**name).copied().ok_or_else(|| {
        fail(format!(
            "service `{}` is granted the {kind} `{name}`, which the top-level `{kind}s:` does not define; define it or correct the name",
            service.name
        ))
    })?;
    let user = match &service.user {
        None => ServiceUser::Image,
        Some(user) => service_user(&user.value),
    };
    let (default_user, default_mode) = match (compat, kind) {
        (Compat::Cosec, Kind::Secret) => (user, 0o400),
        // A config is no secret: it is readable, as the engine has it.
        (Compat::Swarm, _) | (_, Kind::Config) => (ServiceUser::Ids { uid: 0, gid: Some(0) }, 0o444),
    };
    let id =
        |key: &str, text: &Option<crate::compose::Text>| {
            match text {
        None => Ok(None),
        Some(text) => text.value.parse::<u32>().map(Some).map_err(|_| LoadError::new(format!(
                "`{key}:` of the {kind} `{name}` must be a number; names are not known outside the image"
            ), text.span)),
    }
        };
    Ok(Delivery {
        service: service.name.to_string(),
        kind,
        secret: name.to_string(),
        target: target(kind, grant)?,
        owner: Owner { uid: id("uid", &grant.uid)?, gid: id("gid", &grant.gid)?, user: default_user },
        // Type and set-id bits mean nothing on a secret; Swarm drops them too.
        mode: grant.mode.map_or(default_mode, |(bits, _)| bits & 0o777),
        source: source(kind, secret)?,
        span: grant.span,
    })
}

/// NAME_MAX (linux/limits.h).
const LONGEST_NAME: usize = 255;

/// Where no file can be put: no container starts with one there.
const KERNELS: [&str; 2] = ["/proc/", "/sys/"];

fn target(kind: Kind, grant: &Grant) -> Result<String, LoadError> {
    let (written, span) = match &grant.target {
        Some(target) if !target.value.is_empty() => (&*target.value, target.span),
        _ => (&*grant.source.value, grant.source.span),
    };
    if written.split('/').any(|part| part == "..") {
        let what = if written.starts_with('/') {
            "has `..` in it; write the path without"
        } else {
            "leaves its directory with `..`; write an absolute path"
        };
        let message = format!("the target of the {kind} `{}` {what}", grant.source.value);
        return Err(LoadError::new(message, span));
    }
    if written.contains(['\0', '\n']) {
        let message = format!(
            "the target of the {kind} `{}` holds a line break or NUL; take it out",
            grant.source.value.escape_debug()
        );
        return Err(LoadError::new(message, span));
    }
    if let Some(part) = written.split('/').find(|part| part.len() > LONGEST_NAME) {
        let message = format!(
            "a name in the target of the {kind} `{}` has {} bytes, and a file's name has {LONGEST_NAME} at most; give it a shorter `target:`",
            grant.source.value,
            part.len()
        );
        return Err(LoadError::new(message, span));
    }
    let directory = match kind {
        Kind::Secret => "/run/secrets",
        Kind::Config => "/",
    };
    let path = join(directory, written);
    if path == "/" || path == "/run/secrets" || written.ends_with('/') {
        let message =
            format!("the target of the {kind} `{}` is a directory; name a file", grant.source.value);
        return Err(LoadError::new(message, span));
    }
    if let Some(place) = KERNELS.iter().find(|place| path.starts_with(**place)) {
        let message = format!(
            "the target of the {kind} `{}` is in {place}, where the kernel alone has files; name a file elsewhere",
            grant.source.value
        );
        return Err(LoadError::new(message, span));
    }
    Ok(path)
}

fn source(kind: Kind, secret: &SecretDef) -> Result<ValueSource, LoadError> {
    let name = &secret.name;
    let fail = |message: String| LoadError::new(message, secret.name_span);
    if secret.external == External::Yes {
        return Err(fail(format!(
            "the {kind} `{name}` is external, which only Swarm has; give it a `file:` in an override file for local use"
        )));
    }
    if secret.driver.is_some() {
        return Err(fail(format!(
            "the {kind} `{name}` uses a driver, which only Swarm has; give it a `file:` in an override file for local use"
        )));
    }
    match (&secret.file, &secret.environment) {
        (Some(_), Some(_)) => {
            Err(fail(format!("the {kind} `{name}` has both `file:` and `environment:`; keep one")))
        }
        (Some(file), None) if file.value.is_empty() => {
            Err(fail(format!("`file:` of the {kind} `{name}` is empty; name the file that holds the value")))
        }
        (Some(file), None) => Ok(ValueSource::File(file.value.to_string())),
        (None, Some(variable)) => Ok(ValueSource::Environment(variable.value.to_string())),
        // Only the whole tree tells whether it has `content:`; whoever serves it looks there.
        (None, None) if kind == Kind::Config => Ok(ValueSource::Content(name.to_string())),
        (None, None) => {
            Err(fail(format!("the {kind} `{name}` has no source; give it a `file:` or an `environment:`")))
        }
    }
}

fn service_user(user: &str) -> ServiceUser {
    let (name, group) = match user.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (user, None),
    };
    match (name.parse(), group.map(str::parse)) {
        (Ok(uid), None) => ServiceUser::Ids { uid, gid: None },
        (Ok(uid), Some(Ok(gid))) => ServiceUser::Ids { uid, gid: Some(gid) },
        _ if name.is_empty() => ServiceUser::Image,
        _ => ServiceUser::Named(user.to_owned()),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn octal<S: serde::Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{mode:04o}"))
}
