//! After a loss: which services may hold an older value, as what they are granted has changed while nothing was
//! served, and nobody told them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cosec_core::plan::{Delivery, Plan, ValueSource};
use serde_json::Value;

use crate::disk::absolute;
use crate::docker::Member;
use crate::failure::Failure;
use crate::project::Loaded;
use crate::runtime;
use crate::source_file::SourceFile;

/// A sentence for each service that has not read a source since that has changed.
pub(crate) fn outdated(loaded: &Loaded, plan: &Plan, containers: &[Member]) -> Result<Vec<String>, Failure> {
    // Most often nothing has, and nobody has to look into the trail.
    let mut candidates: Vec<(&Member, &Delivery, SystemTime)> = Vec::new();
    for container in containers {
        for delivery in plan.deliveries.iter().filter(|delivery| delivery.service == container.service) {
            let changed = changed(loaded, &plan.project, delivery);
            let is_new = |changed: &SystemTime| container.started.is_none_or(|started| *changed > started);
            candidates.extend(changed.filter(is_new).map(|changed| (container, delivery, changed)));
        }
    }
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let reads = Reads::of(&plan.project, containers)?;
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (container, delivery, changed) in candidates {
        if reads.last(&container.id, &delivery.secret).is_none_or(|read| changed > read) {
            found.entry(&delivery.service).or_default().insert(&delivery.secret);
        }
    }
    let say = |(service, secrets): (&str, BTreeSet<&str>)| {
        let secrets: Vec<&str> = secrets.into_iter().collect();
        format!(
            "{service} may hold an older value of {}: changed since it was last read, perhaps while nobody could tell (`on-rotate`); `docker compose restart {service}` has it read anew",
            secrets.join(", ")
        )
    };
    Ok(found.into_iter().map(say).collect())
}

/// When a source has last changed; nothing if that cannot be told.
fn changed(loaded: &Loaded, project: &str, delivery: &Delivery) -> Option<SystemTime> {
    match &delivery.source {
        ValueSource::File(path) => SourceFile::find(project, &absolute(Path::new(path))).ok()?.changed(),
        ValueSource::Environment(variable) => {
            let files = loaded.env_files_of(variable)?;
            files.iter().filter_map(|file| changed_at(file)).max()
        }
        ValueSource::Content(_) => None,
    }
}

/// When a file or its name has last changed, a rename in its place included.
pub(crate) fn changed_at(path: &Path) -> Option<SystemTime> {
    let facts = std::fs::metadata(path).ok()?;
    let nanoseconds = u32::try_from(facts.ctime_nsec()).ok()?;
    Some(UNIX_EPOCH + Duration::new(u64::try_from(facts.ctime()).ok()?, nanoseconds))
}

/// What the audit says of containers: when each has last read a secret.
#[derive(Default)]
struct Reads(HashMap<String, HashMap<String, SystemTime>>);

impl Reads {
    fn of(project: &str, containers: &[Member]) -> Result<Self, Failure> {
        let mut reads = Reads(containers.iter().map(|one| (one.id.clone(), HashMap::new())).collect());
        let path = runtime::audit_path(project)?;
        let old = (1..=9).rev().map(|number| PathBuf::from(format!("{}.{number}", path.display())));
        for file in old.chain([path.clone()]).filter_map(|path| File::open(path).ok()) {
            BufReader::new(file).split(b'\n').map_while(Result::ok).for_each(|line| reads.learn(&line));
        }
        Ok(reads)
    }

    fn learn(&mut self, line: &[u8]) {
        let Ok(entry) = serde_json::from_slice::<Value>(line) else { return };
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        let Some(of_container) = self.0.get_mut(text("container")) else { return };
        if text("outcome") != "allowed" {
            return;
        }
        if let Ok(time) = humantime::parse_rfc3339(text("time")) {
            let last = of_container.entry(text("secret").to_owned()).or_insert(time);
            *last = time.max(*last);
        }
    }

    fn last(&self, container: &str, secret: &str) -> Option<SystemTime> {
        self.0.get(container)?.get(secret).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_allowed_open_of_a_container_counts() {
        let mut reads = Reads(HashMap::from([("c1".to_owned(), HashMap::new())]));
        let line = |container: &str, time: &str, outcome: &str| {
            format!(
                r#"{{"time":"2026-11-30T{time}Z","secret":"pw","container":"{container}","outcome":"{outcome}"}}"#
            )
        };
        for (container, time, outcome) in [
            ("c1", "10:00:02.500", "allowed"),
            ("c1", "10:00:01.000", "allowed"),
            ("c1", "10:00:09.000", "denied"),
            ("c2", "10:00:09.000", "allowed"),
        ] {
            reads.learn(line(container, time, outcome).as_bytes());
        }
        reads.learn(b"{\"time\":\"20");
        let last = humantime::parse_rfc3339("2026-11-30T10:00:02.500Z").ok();
        assert_eq!(
            (reads.last("c1", "pw"), reads.last("c1", "key"), reads.last("c2", "pw")),
            (last, None, None)
        );
    }
}
