use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::Service;
use crate::files::{Answer, FileOwner, GitState};
use crate::gitignore::shell_word;

rule! {
    /// # secret-file-mode
    ///
    /// The file behind a secret can be read by other users of this machine, or cannot be read by the user that
    /// the service runs as.
    ///
    /// ## Why is this bad
    ///
    /// Compose mounts the file as it is: its owner and mode on this machine are those in the container. 0644
    /// opens it to everyone with a login, 0600 closes it to a service that does not run as its owner.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore, 0644
    /// ```
    ///
    /// Use instead `chmod 600`, and `cosec up` for services that run as another user: it serves the value to
    /// that user alone.
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     file: ./secrets/db_password # .gitignore
    /// ```
    ///
    /// A file below a directory that others cannot enter, as most home directories are, is open to nobody, whatever
    /// its own mode. A file that git tracks is secret-file-tracked's to report.
    SECRET_FILE_MODE = "secret-file-mode", "a secret's file is open to others, or closed to its service", Warning, Regular, needs Files fix Unsafe, Project check
}

fn check(context: &Context<'_>, findings: &mut Findings) {
    for (secret, file) in context.secret_files(&SECRET_FILE_MODE, findings) {
        let owner = match context.files.facts(&file.value) {
            Answer::Known(facts) => facts.owner,
            Answer::NotChecked(reason) => {
                findings.not_checked(&SECRET_FILE_MODE, reason);
                continue;
            }
        };
        let Some(owner) = owner else {
            findings.not_checked(&SECRET_FILE_MODE, "files have no mode here");
            continue;
        };
        // git keeps no mode: what it tracks has whatever the clone gave it.
        if context.files.git(&file.value) == Answer::Known(GitState::Tracked) {
            continue;
        }
        let name = &secret.name;
        let at = |message: String, label: &str| {
            Finding::new(&SECRET_FILE_MODE, file.span, format!("secrets.{name}.file"), message)
                .label(label)
                .show(file.span)
        };
        let mode = owner.mode & 0o777;
        let closed_to = context.users_of(name).find(|service| !can_read(service, owner));
        if is_open(owner) {
            let who = if owner.open & 0o004 != 0 { "every user of this machine" } else { "its whole group" };
            let message = format!("the file of the secret `{name}` has mode 0{mode:o}: {who} can read it");
            let help = format!(
                "run: chmod 600 {}; where a service runs as another user, `cosec up` serves it to that user alone",
                shell_word(&file.value)
            );
            findings.push(at(message, "open to others").help(help));
        } else if let Some(service) = closed_to {
            let message = format!(
                "the file of the secret `{name}` has mode 0{mode:o}: service `{}`, which runs as another user, cannot read it",
                service.name
            );
            let mut finding = at(message, "closed to the service")
                .help("start it with `cosec up`, which serves the value to the service's own user");
            if let Some(user) = &service.user {
                finding = finding.related(user.span, "runs as this user").show(user.span);
            }
            findings.push(finding);
        }
    }
}

/// Whether others than its owner can read a file. A group of the owner's number is the owner's own.
pub(crate) fn is_open(owner: FileOwner) -> bool {
    owner.open & 0o004 != 0 || (owner.open & 0o040 != 0 && owner.gid != owner.uid)
}

/// Whether the service's user can read the file. What only the image can tell counts as yes.
pub(crate) fn can_read(service: &Service, owner: FileOwner) -> bool {
    let Some(user) = &service.user else { return true };
    let (user, group) = user.value.split_once(':').unwrap_or((&user.value, ""));
    let Ok(uid) = user.parse::<u32>() else { return true };
    let gid = group.parse::<u32>().ok();
    uid == 0
        || (uid == owner.uid && owner.mode & 0o400 != 0)
        || (uid != owner.uid && gid == Some(owner.gid) && owner.mode & 0o040 != 0)
        || owner.mode & 0o004 != 0
}
