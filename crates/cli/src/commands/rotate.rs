//! `cosec rotate`: a new value for a secret, where it comes from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use cosec_core::plan::{Compat, Kind, ValueSource, plan};
use cosec_fuse::{Client, HeldValues, MOST_KEPT, SecretKind, SecretStatus};
use zeroize::Zeroizing;

use crate::args::{NameArgs, ProjectArgs, RotateArgs};
use crate::deliver::{committed, limits};
use crate::disk::{Disk, absolute};
use crate::failure::Failure;
use crate::runtime::Runtime;
use crate::source_file::SourceFile;
use crate::{project, serving};

pub(crate) fn run(project: &ProjectArgs, args: &RotateArgs) -> Result<ExitCode, Failure> {
    cosec_fuse::keep_others_out();
    let loaded = project::load(project, &[], project::Purpose::Show)?;
    let plan = plan(&loaded.project, Compat::Cosec).map_err(|error| loaded.show(&error))?;
    let name = &args.name.name;
    let (wanted, kind) = kinds(&args.name);
    let named = || plan.deliveries.iter().filter(|delivery| delivery.secret == *name);
    let delivery = named().find(|delivery| delivery.kind == wanted).ok_or_else(|| {
        let hint =
            if named().next().is_some() { other_kind(kind) } else { "`cosec plan` shows what there is" };
        Failure::Cannot(format!("no service is granted a {wanted} `{name}`; {hint}"))
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
    if let Some(path) = file.as_ref().filter(|path| loaded.is_made_of(path)) {
        return Err(Failure::Refused(format!(
            "the {wanted} `{name}` is {}, which the project itself is made of: a new value would overwrite it; edit it by hand",
            path.display()
        )));
    }
    let value = match args.generate {
        Some(length) => made_up(length)?,
        None => from_standard_input(name, limits(&loaded)?.max_size)?,
    };
    let target = Target { kind, name: name.clone(), file, variable };
    let server = serving_it(&plan.project, Some(&loaded.directory), &target)?;
    put(&plan.project, &loaded.directory, &target, server.as_ref(), &value)?;
    if let Some(reason) = server.as_ref().and_then(Serving::keeps_none) {
        eprintln!("warning: no earlier version of `{name}` is kept: {reason}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Secret or config, to the plan and to the server.
pub(super) fn kinds(args: &NameArgs) -> (Kind, SecretKind) {
    if args.config { (Kind::Config, SecretKind::Config) } else { (Kind::Secret, SecretKind::Secret) }
}

/// What to say where a name is one of the other kind.
pub(super) fn other_kind(asked: SecretKind) -> &'static str {
    match asked {
        SecretKind::Secret => "it is a config: pass --config",
        SecretKind::Config => "it is a secret: leave --config out",
    }
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
pub(super) fn put(
    project: &str,
    directory: &Path,
    target: &Target,
    server: Option<&Serving>,
    value: &[u8],
) -> Result<(), Failure> {
    let name = &target.name;
    let version = || {
        let secrets = serving::status(&server?.runtime).ok()?.secrets;
        secrets.into_iter().find(|secret| target.is(secret)).map(|secret| secret.version)
    };
    let before = version();
    match (&target.file, server) {
        (Some(path), _) => write(project, directory, target, path, value)?,
        (None, Some(server)) => {
            let cannot =
                |error: &dyn std::fmt::Display| Failure::Cannot(format!("cannot rotate `{name}`: {error}"));
            let held = HeldValues::seal_one(value).map_err(|error| cannot(&error))?;
            let client = Client::connect(server.runtime.directory());
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

/// Writes a value into the file that the secret comes from. One that is gone is made anew, unless git would take it.
pub(super) fn write(
    project: &str,
    directory: &Path,
    target: &Target,
    path: &Path,
    value: &[u8],
) -> Result<(), Failure> {
    let name = &target.name;
    let file = SourceFile::find(project, path)?;
    if file.is_gone() {
        // A config is no secret: it may well be in git.
        let refusal = (target.kind == SecretKind::Secret).then(|| {
            let (directory, path) = (directory.display().to_string(), path.display().to_string());
            committed(&Disk::default(), &directory, &path, name)
        });
        if let Some(refusal) = refusal.flatten() {
            return Err(Failure::Refused(format!(
                "refusing to write the value where git would commit it\n{refusal}"
            )));
        }
        file.write(value)?;
        println!("{} was not there and is made", path.display());
        return Ok(());
    }
    file.write(value)
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

/// A server that serves a secret, and how.
pub(super) struct Serving {
    pub(super) runtime: Runtime,
    /// The directory of its project.
    pub(super) directory: PathBuf,
    pub(super) secret: SecretStatus,
    /// How many secrets it serves.
    secrets: usize,
}

impl Serving {
    /// Why it keeps no earlier version of anything, if so.
    pub(super) fn keeps_none(&self) -> Option<String> {
        (self.secrets > MOST_KEPT)
            .then(|| format!("the server keeps them for up to {MOST_KEPT} secrets, and has {}", self.secrets))
    }
}

/// The server that serves a secret. A mount comes last and counts most: there it is read. One of another directory's
/// project of the same name is refused.
pub(super) fn serving_it(
    project: &str,
    directory: Option<&Path>,
    target: &Target,
) -> Result<Option<Serving>, Failure> {
    let mut found = None;
    for (runtime, status) in serving::all(project)? {
        let Some(secret) = status.secrets.iter().find(|secret| target.is(secret)).cloned() else { continue };
        if let Some(directory) = directory {
            serving::refuse_another(&status, project, directory)?;
        }
        let secrets = status.secrets.len();
        found = Some(Serving { runtime, directory: status.directory, secret, secrets });
    }
    Ok(found)
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
fn from_standard_input(name: &str, largest: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
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
        return Err(Failure::Cannot(format!(
            "the new value is larger than {largest} bytes, the most a secret may have (`[serve] max-size` in cosec.toml)"
        )));
    }
    // What most likely failed is the command before the pipe.
    if value.is_empty() {
        return Err(Failure::Cannot(format!("the new value of `{name}` is empty; nothing was changed")));
    }
    Ok(value)
}
