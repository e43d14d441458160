//! Findings that a project knows and does not want to hear of again. They are told by fingerprints, which hold no
//! value and stay the same when lines move.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::lint::Outcome;
use crate::report::fingerprint_of;

/// The findings of a baseline that have not been met yet.
#[derive(Debug, Default)]
pub struct Baseline {
    left: HashMap<String, usize>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    findings: Vec<Entry>,
}

/// One finding. Only the fingerprint counts; the rest is for people.
#[derive(Serialize, Deserialize)]
struct Entry {
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
        let mut left = HashMap::new();
        for entry in stored.findings {
            *left.entry(entry.fingerprint).or_default() += 1;
        }
        Ok(Baseline { left })
    }

    /// Moves the findings that the baseline has to [`Outcome::known`]. One entry stands for one finding: a second of
    /// the same kind at the same place is new.
    pub fn apply(&mut self, outcome: &mut Outcome) {
        for finding in std::mem::take(&mut outcome.findings) {
            let print = fingerprint_of(&outcome.sources, &finding);
            match self.left.get_mut(&print).filter(|left| **left > 0) {
                Some(left) => {
                    *left -= 1;
                    outcome.known.push(finding);
                }
                None => outcome.findings.push(finding),
            }
        }
    }

    /// How many entries were not met: what they stood for is mended.
    pub fn unmet(&self) -> usize {
        self.left.values().sum()
    }
}

/// A baseline of all findings, those that an earlier one knew among them.
pub fn write(outcomes: &[Outcome]) -> String {
    let entries = outcomes.iter().flat_map(|outcome| {
        outcome.findings.iter().chain(&outcome.known).map(|finding| Entry {
            fingerprint: fingerprint_of(&outcome.sources, finding),
            rule: finding.rule.to_owned(),
            file: crate::files::join("", outcome.sources.file(finding.span.file).path()),
            path: finding.path.clone(),
        })
    });
    let stored = Stored { version: 1, findings: entries.collect() };
    serde_json::to_string_pretty(&stored).unwrap_or_default() + "\n"
}
