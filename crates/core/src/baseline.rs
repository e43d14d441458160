//! Findings that a project knows and does not want to hear of again. They are told by fingerprints, which hold no
//! value and stay the same when lines move.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::lint::Outcome;
use crate::report::fingerprint_of;

/// The findings of a baseline that have not been met yet.
#[derive(Debug, Default)]
pub struct Baseline {
    /// By fingerprint.
    left: HashMap<String, Vec<Entry>>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    findings: Vec<Entry>,
}

/// One finding. The fingerprint tells it; the file, whether it was looked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    fingerprint: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    path: String,
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// No JSON of this kind.
    #[error("it is no baseline; write one with --write-baseline")]
    Malformed,
    /// Written by a later version.
    #[error(
        "it is a baseline of version {0}, which this cosec does not know; write it anew with --write-baseline"
    )]
    Version(u32),
}

impl Baseline {
    /// Reads what [`write`] has written.
    pub fn read(text: &str) -> Result<Self, BaselineError> {
        let stored: Stored = serde_json::from_str(text).map_err(|_| BaselineError::Malformed)?;
        if stored.version != 1 {
            return Err(BaselineError::Version(stored.version));
        }
        let mut left: HashMap<String, Vec<Entry>> = HashMap::new();
        for entry in stored.findings {
            left.entry(entry.fingerprint.clone()).or_default().push(entry);
        }
        Ok(Baseline { left })
    }

    /// Moves the findings that the baseline has to [`Outcome::known`]. One entry stands for one finding: a second of
    /// the same kind at the same place is new.
    pub fn apply(&mut self, outcome: &mut Outcome) {
        for finding in std::mem::take(&mut outcome.findings) {
            let print = fingerprint_of(&outcome.sources, &finding);
            match self.left.get_mut(&print).and_then(Vec::pop) {
                Some(_) => outcome.known.push(finding),
                None => outcome.findings.push(finding),
            }
        }
    }

    /// How many entries of files that were looked at were not met: what they stood for is mended.
    pub fn unmet(&self, outcomes: &[Outcome]) -> usize {
        let looked_at = looked_at(outcomes);
        self.left.values().flatten().filter(|entry| looked_at.contains(&entry.file)).count()
    }

    /// The entries of files that were not looked at.
    pub fn elsewhere(self, outcomes: &[Outcome]) -> Vec<Entry> {
        let looked_at = looked_at(outcomes);
        self.left.into_values().flatten().filter(|entry| !looked_at.contains(&entry.file)).collect()
    }
}

impl Entry {
    /// What tells the file from others: its path from the repository's root, or from the project's directory.
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// The files that were looked at. What stands in a project that cannot be read is not known.
fn looked_at(outcomes: &[Outcome]) -> HashSet<String> {
    let whole = outcomes.iter().filter(|outcome| outcome.error.is_none());
    whole.flat_map(|outcome| outcome.sources.iter().map(|(_, file)| file.identity())).collect()
}

/// A baseline of all findings, those that an earlier one knew among them, and of an earlier one's `others`.
pub fn write(outcomes: &[Outcome], others: Vec<Entry>) -> String {
    let entries = outcomes.iter().flat_map(|outcome| {
        outcome.findings.iter().chain(&outcome.known).map(|finding| Entry {
            fingerprint: fingerprint_of(&outcome.sources, finding),
            rule: finding.rule.to_owned(),
            file: outcome.sources.file(finding.span.file).identity(),
            path: finding.path.clone(),
        })
    });
    let mut findings: Vec<Entry> = entries.chain(others).collect();
    findings.sort_by(|one, other| {
        (&one.file, &one.path, &one.rule).cmp(&(&other.file, &other.path, &other.rule))
    });
    let stored = Stored { version: 1, findings };
    serde_json::to_string_pretty(&stored).unwrap_or_default() + "\n"
}
