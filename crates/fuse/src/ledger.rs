//! Which version of each secret was served last, in memory that outlives a worker. Versions and stamps of
//! sources; no names and no content.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{pread, pwrite};

use crate::source::Stamp;

/// A secret's record: its version, then the stamp that its source had. Eight numbers: a record never lies on
/// two pages, so that a worker killed while it writes leaves the old one or the new one.
const RECORD: usize = 64;

/// One record for each secret of a spec, in the spec's order.
#[derive(Debug)]
pub(crate) struct Ledger {
    memory: OwnedFd,
}

impl Ledger {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Ledger { memory: memfd_create("cosec-ledger", MemfdFlags::CLOEXEC)? })
    }

    pub(crate) fn from_fd(memory: OwnedFd) -> Self {
        Ledger { memory }
    }

    /// The version and the source's stamp; nothing for a secret that was never served.
    pub(crate) fn get(&self, index: usize) -> Option<(u64, Stamp)> {
        let mut record = [0; RECORD];
        // Past the end nothing is read: the record stays empty.
        pread(&self.memory, &mut record, offset(index)).ok()?;
        let mut numbers = record.chunks_exact(8).map(|number| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(number);
            u64::from_le_bytes(bytes)
        });
        let version = numbers.next().filter(|version| *version > 0)?;
        let mut rest = [0; 7];
        for (slot, number) in rest.iter_mut().zip(numbers) {
            *slot = number;
        }
        Some((version, Stamp::from_numbers(rest)))
    }

    /// Remembers what is served now. A held value has the default stamp.
    pub(crate) fn set(&self, index: usize, version: u64, stamp: Stamp) {
        let mut record = [0; RECORD];
        let numbers = std::iter::once(version).chain(stamp.numbers());
        for (slot, number) in record.chunks_exact_mut(8).zip(numbers) {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        // Without memory for a ledger, versions begin anew with the next worker; the content is right anyway.
        let _ = pwrite(&self.memory, &record, offset(index));
    }
}

fn offset(index: usize) -> u64 {
    (index * RECORD) as u64
}

impl AsFd for Ledger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_written_by_one_worker_is_read_by_the_next() {
        let ledger = Ledger::new().unwrap();
        let stamp = Stamp::at(std::path::Path::new("/proc/self/exe")).unwrap();
        ledger.set(3, 7, stamp);
        let next = Ledger::from_fd(ledger.memory.try_clone().unwrap());
        assert_eq!(next.get(3), Some((7, stamp)));
        assert_eq!(next.get(0), None);
        assert_eq!(next.get(4), None);
    }
}
