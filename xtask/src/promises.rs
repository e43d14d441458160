//! What holds whatever the input is. Each module asks one part of cosec, and says in words which promise is broken.
//!
//! Of all: nothing panics, every place lies in its text, and memory stays below [`FACTOR`] times the input and
//! [`CONSTANT`], and nothing takes longer than [`SLOWEST`].

pub mod linting;
pub mod loading;
mod project;

pub use project::Project;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cosec_core::source::{Sources, Span};
use rustix::time::{ClockId, clock_gettime};

use crate::memory;

/// What may be held for each byte of input.
pub const FACTOR: usize = 50;

/// Bytes that may be held whatever the input is. One line needs less than 1 MiB, most of it for the schema's
/// check; the rest is room for aliases, which may stand for a lot of text before the budget ends them.
pub const CONSTANT: usize = 8 << 20;

/// No input may take more of a processor's time, in an unoptimised build too.
pub const SLOWEST: Duration = Duration::from_secs(2);

/// What one input cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// The processor's time, of the slowest way.
    pub took: Duration,
    /// The most bytes that were held.
    pub peak: usize,
    /// What came out: how many loads succeed, how much was found.
    pub results: u64,
}

impl Cost {
    fn add(&mut self, other: Cost) {
        self.took = self.took.max(other.took);
        self.peak = self.peak.max(other.peak);
        self.results += other.results;
    }
}

/// Runs something within `allowed` bytes.
fn bounded<T>(what: &str, allowed: usize, run: impl FnOnce() -> T) -> Result<(T, Cost), String> {
    let (began, before) = (spent(), memory::start());
    let result = catch_unwind(AssertUnwindSafe(run)).map_err(|_| format!("{what} panics"))?;
    let cost =
        Cost { took: spent().saturating_sub(began), peak: memory::peak().saturating_sub(before), results: 0 };
    if cost.took > SLOWEST {
        return Err(format!("{what} takes {:?}", cost.took));
    }
    if cost.peak > allowed {
        return Err(format!("{what} holds {} bytes, of {allowed} that are allowed", cost.peak));
    }
    Ok((result, cost))
}

/// The processor's time of this thread. What the clock says depends on what else runs.
fn spent() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn is_place(sources: &Sources, span: Span) -> bool {
    let text = sources.file(span.file).text();
    span.start <= span.end && text.get(span.start as usize..span.end as usize).is_some()
}
