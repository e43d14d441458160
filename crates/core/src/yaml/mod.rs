//! YAML: tokens, events, then a spanned tree in which anchors stay references.
//!
//! No crate reads YAML and resolves scalars as Compose's parser (go-yaml) does: it is one of YAML 1.1 with habits of its
//! own, such as text in quotes that goes on at column 0. So all of it is here. The tree keeps text, style and tag, and
//! [`scalar::resolve`] decides late.

mod around;
mod cursor;
mod event;
pub mod scalar;
mod scalar_token;
mod scanner;
mod tree;
mod write;

pub use around::parse_around;
pub use event::Style;
pub use tree::{Document, Kind, Node, NodeId, YamlError, YamlErrorKind, parse, parse_first};
pub use write::{compare_keys, write};
