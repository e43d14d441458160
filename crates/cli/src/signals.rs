//! A command that runs a child waits for it: signals go on to the child, its exit code comes back.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// From its start on, SIGINT, SIGTERM and SIGHUP no longer end this process.
pub(crate) struct PassedOn {
    child: Arc<AtomicU32>,
}

impl PassedOn {
    /// Starts to catch. What comes before a child is known is passed on as soon as it is.
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| Failure::Cannot(format!("cannot catch signals: {error}")))?;
        let child = Arc::new(AtomicU32::new(0));
        let receiver = Arc::clone(&child);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                while receiver.load(Ordering::Acquire) == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                // The terminal sends Ctrl-C to the child itself: once is enough.
                if signal == SIGINT && rustix::termios::isatty(std::io::stdin()) {
                    continue;
                }
                let pid = Pid::from_raw(receiver.load(Ordering::Acquire) as i32);
                let signal = match signal {
                    SIGINT => Signal::INT,
                    SIGHUP => Signal::HUP,
                    _ => Signal::TERM,
                };
                if let Some(pid) = pid {
                    let _ = kill_process(pid, signal);
                }
            }
        });
        Ok(PassedOn { child })
    }

    /// Names the child.
    pub(crate) fn to(&self, pid: u32) {
        self.child.store(pid, Ordering::Release);
    }
}

/// The child's exit code; 128 and the signal's number if one ended it, as shells have it.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
