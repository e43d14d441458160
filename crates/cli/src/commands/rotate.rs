//! `cosec rotate`: a new value for a secret, where it comes from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anstream::println;
use cosec_core::plan::{Compat, Kind, ValueSource, plan};
use cosec_fuse::{Client, HeldValues, SecretKind, SecretStatus};
use zeroize::Zeroizing;

use crate::args::{ProjectArgs, RotateArgs};
use crate::atomic;
use crate::deliver::limits;
use crate::disk::absolute;
use crate::failure::Failure;
use crate::runtime::Runtime;
use crate::{mounts, project, serving};

pub(crate) fn run(project: &ProjectArgs, args: &RotateArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let loaded = project::load(project, &[], project::Purpose::Show)?;
    let plan = plan(&loaded.project, Compat::Cosec).map_err(|error| loaded.show(&error))?;
    let name = &args.name.name;
    let (wanted, kind) = if args.name.config {
        (Kind::Config, SecretKind::Config)
    } else {
        (Kind::Secret, SecretKind::Secret)
    };
    let delivery =
        plan.deliveries.iter().find(|delivery| delivery.kind == wanted && delivery.secret == *name);
    let delivery = delivery.ok_or_else(|| {
        Failure::Cannot(format!(
            "no service is granted a {wanted} `{name}`; `cosec plan` shows what there is"
        ))
    })?;
    let (file, variable) = match &delivery.source {
        ValueSource::File(path) => (Some(absolute(Path::new(path))), None),
        ValueSource::Environment(variable) => (None, Some(variable.clone())),
        ValueSource::Content(_) => {
            return Err(Failure::Cannot(format!(
                "the config `{name}` is written in the Compose file itself; change it there, then `cosec up`"
            )));
        }
    };
    let value = match args.generate {
        Some(length) => made_up(length)?,
        None => from_standard_input(limits(&loaded)?.max_size)?,
    };
    let target = Target { kind, name: name.clone(), file, variable };
    put(&plan.project, &target, &value)?;
    Ok(ExitCode::SUCCESS)
}

/// Where a new value goes.
pub(super) struct Target {
    pub(super) kind: SecretKind,
    pub(super) name: String,
    /// The file it comes from; nothing for a value of the environment.
    pub(super) file: Option<PathBuf>,
    /// The variable it comes from, if it is known.
    pub(super) variable: Option<String>,
}

/// Writes a value where the secret comes from, and waits until it is served.
pub(super) fn put(project: &str, target: &Target, value: &[u8]) -> Result<(), Failure> {
    let name = &target.name;
    if value.is_empty() {
        return Err(Failure::Cannot(format!("the new value of `{name}` is empty; nothing was changed")));
    }
    let serving = serving_it(project, target)?;
    let version = || {
        let (runtime, _) = serving.as_ref()?;
        let secrets = serving::status(runtime).ok()?.secrets;
        secrets.into_iter().find(|secret| target.is(secret)).map(|secret| secret.version)
    };
    let before = version();
    match (&target.file, &serving) {
        (Some(path), _) => replace(project, path, value)?,
        (None, Some((runtime, _))) => {
            let cannot =
                |error: &dyn std::fmt::Display| Failure::Cannot(format!("cannot rotate `{name}`: {error}"));
            let held = HeldValues::seal_one(value).map_err(|error| cannot(&error))?;
            let client = Client::connect(runtime.directory());
            client
                .and_then(|mut client| client.hold(target.kind, name, &held))
                .map_err(|error| cannot(&error))?;
        }
        (None, None) => {
            return Err(Failure::Cannot(format!(
                "`{name}` comes from the environment and nothing serves it; change the variable there"
            )));
        }
    }
    let Some(before) = before else {
        println!("`{name}` has a new value; nothing serves it now");
        return Ok(());
    };
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_secs(3) {
        if let Some(now) = version().filter(|now| *now > before) {
            println!("`{name}` has version {now} now");
            if target.file.is_none() {
                let variable = target.variable.as_deref().unwrap_or("the variable");
                println!(
                    "it is held until the next `cosec up`, or a change of its env file; change {variable} where it comes from too"
                );
            }
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    println!(
        "`{name}` has version {before} still: the new value is the old one, or the server has not seen it yet and looks when somebody opens it"
    );
    Ok(())
}

impl Target {
    fn is(&self, secret: &SecretStatus) -> bool {
        secret.kind == self.kind && secret.name == self.name
            || secret.file.is_some()
                && secret.file.as_deref().map(canonical) == self.file.as_deref().map(canonical)
    }
}

/// A path with the links in its directories resolved.
fn canonical(path: &Path) -> PathBuf {
    match (path.parent().map(std::fs::canonicalize), path.file_name()) {
        (Some(Ok(directory)), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

/// The server that serves a secret, and how. A mount comes last and counts most: there it is read.
pub(super) fn serving_it(project: &str, target: &Target) -> Result<Option<(Runtime, SecretStatus)>, Failure> {
    let mut found = None;
    for (runtime, status) in serving::all(project)? {
        if let Some(secret) = status.secrets.into_iter().find(|secret| target.is(secret)) {
            found = Some((runtime, secret));
        }
    }
    Ok(found)
}

/// A new file in the old one's place, of the same owner and mode. Who has the old one open keeps it.
fn replace(project: &str, path: &Path, value: &[u8]) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::Cannot(format!("cannot write {}: {error}; nothing was changed", path.display()))
    };
    // A link stays a link: what it points to is replaced.
    let mut path = std::fs::canonicalize(path).map_err(cannot)?;
    // Where a mount of ours is, what lies beneath it is replaced.
    let mut beneath = None;
    for runtime in Runtime::mounts(project)? {
        if let Ok(inside) = path.strip_prefix(runtime.mount_point())
            && let Ok(mut client) = Client::connect(runtime.directory())
        {
            let directory = client.underlay().map_err(|error| Failure::Cannot(error.to_string()))?;
            beneath = Some((mounts::past_mount(&directory, inside), directory));
        }
    }
    if let Some((past, _)) = &beneath {
        path.clone_from(past);
        if std::fs::symlink_metadata(&path).map_err(cannot)?.is_symlink() {
            return Err(cannot(std::io::Error::other("it is a symbolic link, which is not followed there")));
        }
    }
    std::fs::metadata(&path)
        .and_then(|_| atomic::replace_unseen(&path, value, atomic::PRIVATE))
        .map_err(cannot)
}

/// Letters and digits, each as likely as any other.
fn made_up(length: u16) -> Result<Zeroizing<Vec<u8>>, Failure> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if length < 8 {
        return Err(Failure::Cannot(
            "a value of less than 8 letters can be guessed; ask for more".to_owned(),
        ));
    }
    let cannot = |error| Failure::Cannot(format!("cannot read /dev/urandom: {error}"));
    let mut random = std::fs::File::open("/dev/urandom").map_err(cannot)?;
    let mut value = Zeroizing::new(Vec::with_capacity(length.into()));
    let mut byte = Zeroizing::new([0; 1]);
    while value.len() < length.into() {
        random.read_exact(&mut byte[..]).map_err(cannot)?;
        // 248 is four times 62: the rest would make some letters likelier.
        if byte[0] < 248 {
            value.push(LETTERS[usize::from(byte[0] % 62)]);
        }
    }
    Ok(value)
}

/// Byte for byte, a line's end at the end included.
fn from_standard_input(largest: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let input = std::io::stdin();
    if rustix::termios::isatty(&input) {
        return Err(Failure::Cannot(
            "the new value comes from standard input: `printf %s VALUE | cosec rotate NAME`; or pass --generate"
                .to_owned(),
        ));
    }
    // All the room at once, so that no half of it is left behind by growing.
    let mut value = Zeroizing::new(Vec::with_capacity(largest as usize + 1));
    input
        .lock()
        .take(largest + 1)
        .read_to_end(&mut value)
        .map_err(|error| Failure::Cannot(format!("cannot read standard input: {error}")))?;
    if value.len() as u64 > largest {
        return Err(Failure::Cannot(format!("the new value is larger than {largest} bytes")));
    }
    Ok(value)
}
