//! cosec fuse
