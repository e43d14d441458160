//! What only all of a run can tell: which findings are one, and which comments ignore nothing.

use std::collections::{HashMap, HashSet};

use crate::ignore::unused;
use crate::lint::Outcome;
use crate::rules::{Finding, Related};

/// A finding that stays, and what it stands for.
pub struct Kept {
    /// Which outcome it is of, and which of its findings.
    pub at: (usize, usize),
    /// The other services that have the same value, in the same outcome.
    pub also: Vec<Related>,
}

/// What is reported of several outcomes.
pub struct Settled {
    /// In their order.
    pub kept: Vec<Kept>,
    /// Comments that ignore nothing in any of them, each with the outcome that it is reported with.
    pub unused: Vec<(usize, Finding)>,
}

/// One value and what a rule says of it.
type Key<'a> = (&'a str, u32, u32, &'a str, &'a str);

fn key<'a>(outcome: &'a Outcome, finding: &'a Finding) -> Key<'a> {
    let path = outcome.sources.file(finding.span.file).path();
    (path, finding.span.start, finding.span.end, finding.rule, &finding.message)
}

/// Keeps each finding in the first outcome that has it, or the first that knows a fix: a file that others include,
/// extend or override is seen from each of them, and may be mended from one of them only. A value that several
/// services have by an alias is one finding.
pub fn settled(outcomes: &[&Outcome]) -> Settled {
    let all = || {
        let numbered = outcomes.iter().enumerate();
        numbered.flat_map(|(at, outcome)| {
            let findings = outcome.findings.iter().enumerate();
            findings.map(move |(number, finding)| ((at, number), *outcome, finding))
        })
    };
    let with_fix = all().filter(|(.., finding)| finding.fix.is_some());
    let mended: HashSet<Key<'_>> = with_fix.map(|(_, outcome, finding)| key(outcome, finding)).collect();
    let mut kept: Vec<Kept> = Vec::new();
    let mut seen: HashMap<Key<'_>, usize> = HashMap::new();
    let mut later = Vec::new();
    for (at, outcome, finding) in all() {
        let key = key(outcome, finding);
        match seen.get(&key) {
            None if finding.fix.is_some() || !mended.contains(&key) => {
                seen.insert(key, kept.len());
                kept.push(Kept { at, also: Vec::new() });
            }
            _ => later.push((at, key, finding)),
        }
    }
    for ((at, _), key, finding) in later {
        let Some(first) = seen.get(&key).map(|first| &mut kept[*first]) else { continue };
        if first.at.0 == at {
            let span = finding.reached.unwrap_or(finding.span);
            first.also.push(Related { span, message: format!("also {}", finding.path) });
        }
    }
    Settled { kept, unused: unused(outcomes) }
}

/// Leaves in the outcomes what is reported of them.
pub fn settle(outcomes: &mut [Outcome]) {
    let Settled { kept, unused } = settled(&outcomes.iter().collect::<Vec<_>>());
    let mut found: Vec<Vec<Option<Finding>>> = outcomes
        .iter_mut()
        .map(|outcome| std::mem::take(&mut outcome.findings).into_iter().map(Some).collect())
        .collect();
    for Kept { at: (outcome, number), also } in kept {
        if let Some(mut finding) = found[outcome][number].take() {
            finding.related.extend(also);
            outcomes[outcome].findings.push(finding);
        }
    }
    for (outcome, finding) in unused {
        outcomes[outcome].findings.push(finding);
    }
    let mut ignored = HashSet::new();
    for outcome in outcomes {
        outcome.sort();
        let sources = &outcome.sources;
        outcome.ignored.retain(|(finding, _)| {
            let path = sources.file(finding.span.file).path().to_owned();
            ignored.insert((
                path,
                finding.span.start,
                finding.span.end,
                finding.rule,
                finding.message.clone(),
            ))
        });
    }
}
