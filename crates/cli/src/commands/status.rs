//! `cosec status`

use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use anstream::println;
use cosec_fuse::{Scope, Status};

use super::table::print_table;
use crate::args::{ProjectArgs, StatusArgs};
use crate::failure::Failure;
use crate::runtime::Runtime;
use crate::{project, serving};

pub(crate) fn run(project: &ProjectArgs, args: &StatusArgs) -> Result<ExitCode, Failure> {
    let project = &project::named(project)?.name;
    let (mut servers, mut dead) = (Vec::new(), None);
    for runtime in Runtime::all(project)? {
        match serving::status(&runtime) {
            Ok(status) => servers.push(status),
            Err(_) if cosec_fuse::is_dead(&runtime.mount_point()) => dead = Some(runtime.mount_point()),
            Err(failure) if serving::client(&runtime).is_ok() => {
                return Err(Failure::Cannot(format!(
                    "the server of project {project} does not answer: {failure}; one that is stopped is replaced within half a minute, and readers get their secrets meanwhile"
                )));
            }
            Err(_) => {}
        }
    }
    if servers.is_empty() && dead.is_none() {
        return Err(serving::none_runs());
    }
    for (number, status) in servers.iter().enumerate() {
        if args.json {
            let text = serde_json::to_string_pretty(status)
                .map_err(|error| Failure::Cannot(format!("cannot write the status: {error}")))?;
            println!("{text}");
            continue;
        }
        if number > 0 {
            println!();
        }
        print(status);
    }
    match dead {
        Some(point) => Err(Failure::Cannot(format!(
            "a server of project {project} is gone and its mount at {} is dead; `cosec repair` brings both back",
            point.display()
        ))),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn print(status: &Status) {
    let standby = status.standby_pid.map_or("none".to_owned(), |pid| pid.to_string());
    println!("project   {}", status.project);
    println!("mount     {}", status.mountpoint.display());
    println!(
        "server    supervisor {}, standby {standby}, worker {}, replaced {} times",
        status.supervisor_pid, status.worker_pid, status.restarts
    );
    let scope = match status.scope {
        Scope::Everyone => "whom owner and mode let in",
        Scope::Services { host: false } if status.files.iter().any(|file| file.service.is_empty()) => {
            "the containers of each secret's services, and the host by the files' own owner and mode"
        }
        Scope::Services { host: false } => "the containers of each secret's service",
        Scope::Services { host: true } => "the containers of each secret's service, and the host",
    };
    println!("readers   {scope}");
    println!("audit     {}", status.audit.display());
    status.warnings.iter().for_each(|warning| println!("warning   {warning}"));
    println!();
    let mut rows = vec![
        ["SERVICE", "SECRET", "TARGET", "VERSION", "BYTES", "SINCE", "READS", "LAST READ"].map(str::to_owned),
    ];
    rows.extend(status.files.iter().map(|file| {
        let secret = status.secrets.get(file.secret);
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        [
            if file.service.is_empty() { "(host)".to_owned() } else { file.service.clone() },
            secret.map_or_else(String::new, |secret| secret.name.clone()),
            // Below a mount of `cosec up` there is a directory for each service.
            match file.path.strip_prefix(&file.service).filter(|rest| rest.starts_with('/')) {
                Some(target) => target.to_owned(),
                None => status.mountpoint.join(&file.path).display().to_string(),
            },
            number(secret.map(|secret| secret.version)),
            number(secret.map(|secret| secret.size)),
            secret.map_or_else(String::new, |secret| time(secret.loaded)),
            file.reads.to_string(),
            file.last_read.map_or("-".to_owned(), time),
        ]
    }));
    print_table(&rows);
    for secret in &status.secrets {
        if let Some(trouble) = &secret.trouble {
            println!("\n{}: {trouble}", secret.name);
        }
    }
}

/// `2026-11-21 10:00:00`, in UTC.
pub(super) fn time(seconds: u64) -> String {
    // Days to a date: Howard Hinnant's civil_from_days, for days since 1970.
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    let total = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (total / 86400, total % 86400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_dates() {
        assert_eq!(super::time(0), "1970-01-01 00:00:00");
        assert_eq!(super::time(951_827_696), "2000-02-29 12:34:56");
        assert_eq!(super::time(1_795_255_199), "2026-11-21 09:59:59");
    }
}
