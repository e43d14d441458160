//! One JSON object a line over a Unix socket, with descriptors beside it where a message brings some.
//!
//! A large message goes in a memory file, whose descriptor takes its place: whatever its size, a message that is
//! sent is there as a whole, even if nobody reads yet and the sender dies at once.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why a message did not go through.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The other side is gone.
    #[error("the other side has closed the connection")]
    Closed,
    /// The system said no.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// Not what was agreed.
    #[error("the other side does not speak this version's language: {0}")]
    Language(#[from] serde_json::Error),
    /// The other side said no.
    #[error("{0}")]
    Refused(String),
}

/// Descriptors a message can bring at most.
const MOST_DESCRIPTORS: usize = 8;

/// A message up to this many bytes goes through the socket itself, which has room for several of them.
const SMALL: usize = 16 << 10;

/// A message larger than this is a mistake.
const LARGEST: usize = 64 << 20;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: UnixStream,
    rest: Vec<u8>,
    /// All that have come, in order.
    arrived: VecDeque<OwnedFd>,
    /// Those of the last message.
    descriptors: Vec<OwnedFd>,
}

/// A message says how many descriptors belong to it: the kernel may hand over the next one's with its bytes.
/// Without a message, the envelope that has it is in a memory file, whose descriptor comes before the others.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    descriptors: usize,
    message: Option<T>,
}

impl Channel {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Channel { stream, rest: Vec::new(), arrived: VecDeque::new(), descriptors: Vec::new() }
    }

    /// Another hand on the same end, to send with.
    pub(crate) fn try_clone(&self) -> Result<Self, ChannelError> {
        Ok(Channel::new(self.stream.try_clone()?))
    }

    /// How long to wait for the other side; `None` is for ever.
    pub(crate) fn patience(&self, patience: Option<Duration>) -> Result<(), ChannelError> {
        self.stream.set_read_timeout(patience)?;
        self.stream.set_write_timeout(patience)?;
        Ok(())
    }

    pub(crate) fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), ChannelError> {
        let count = descriptors.len();
        let mut bytes = serde_json::to_vec(&Envelope { descriptors: count, message: Some(message) })?;
        if bytes.len() <= SMALL {
            bytes.push(b'\n');
            return self.transmit(&bytes, descriptors);
        }
        let mut apart =
            File::from(memfd_create("message", MemfdFlags::CLOEXEC).map_err(std::io::Error::from)?);
        apart.write_all(&bytes)?;
        let mut bytes = serde_json::to_vec(&Envelope::<()> { descriptors: count + 1, message: None })?;
        bytes.push(b'\n');
        let with_message: Vec<BorrowedFd<'_>> =
            std::iter::once(apart.as_fd()).chain(descriptors.iter().copied()).collect();
        self.transmit(&bytes, &with_message)
    }

    fn transmit(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let mut sent = 0;
        while sent < bytes.len() {
            let part = [IoSlice::new(&bytes[sent..])];
            match sendmsg(&self.stream, &part, &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => {
                    return Err(ChannelError::Closed);
                }
                Err(error) => return Err(std::io::Error::from(error).into()),
            }
            // Descriptors go with the first byte and must not go twice.
            ancillary.clear();
        }
        Ok(())
    }

    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> Result<T, ChannelError> {
        self.descriptors.clear();
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let received: Envelope<T> = serde_json::from_slice(&line)?;
                let count = received.descriptors.min(self.arrived.len());
                let mut descriptors = self.arrived.drain(..count);
                let message = match received.message {
                    Some(message) => message,
                    None => {
                        let missing = || std::io::Error::other("a message came without its content");
                        let apart = descriptors.next().ok_or_else(missing)?;
                        let envelope: Envelope<T> = serde_json::from_slice(&whole(&File::from(apart))?)?;
                        envelope.message.ok_or_else(missing)?
                    }
                };
                self.descriptors = descriptors.collect();
                return Ok(message);
            }
            if self.rest.len() > LARGEST {
                return Err(std::io::Error::other("the message is too large").into());
            }
            if self.fill()? == 0 {
                return Err(ChannelError::Closed);
            }
        }
    }

    fn fill(&mut self) -> Result<usize, ChannelError> {
        let mut bytes = vec![0; 64 * 1024];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let count = loop {
            let mut part = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.stream, &mut part, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result.map_err(std::io::Error::from)?.bytes,
            }
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                self.arrived.extend(received);
            }
        }
        self.rest.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Whether a whole message is here already.
    pub(crate) fn has_message(&self) -> bool {
        self.rest.contains(&b'\n')
    }

    /// The descriptors that came with the last message, in order.
    pub(crate) fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.descriptors)
    }
}

/// A memory file's content.
fn whole(file: &File) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > LARGEST {
        return Err(std::io::Error::other("the message is too large"));
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_larger_than_a_socket_buffer_outlive_a_sender_that_nobody_has_read_from() {
        let (left, right) = UnixStream::pair().unwrap();
        let (left, mut right) = (Channel::new(left), Channel::new(right));
        let null = File::open("/dev/null").unwrap();
        left.send(&"x".repeat(3 << 20), &[null.as_fd()]).unwrap();
        left.send(&"two", &[]).unwrap();
        drop(left);
        assert_eq!(right.receive::<String>().unwrap().len(), 3 << 20);
        assert_eq!(right.take_descriptors().len(), 1);
        assert_eq!(right.take_descriptors().len(), 0);
        assert_eq!(right.receive::<String>().unwrap(), "two");
        assert!(matches!(right.receive::<String>(), Err(ChannelError::Closed)));
    }

    #[test]
    fn a_descriptor_stays_with_its_message_when_several_arrive_at_once() {
        let (left, right) = UnixStream::pair().unwrap();
        let (left, mut right) = (Channel::new(left), Channel::new(right));
        let null = File::open("/dev/null").unwrap();
        left.send(&1, &[]).unwrap();
        left.send(&2, &[null.as_fd()]).unwrap();
        left.send(&3, &[]).unwrap();
        for (number, descriptors) in [(1, 0), (2, 1), (3, 0)] {
            assert_eq!(right.receive::<u32>().unwrap(), number);
            assert_eq!(right.take_descriptors().len(), descriptors, "{number}");
        }
    }
}
