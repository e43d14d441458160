//! YAML: events, then a spanned tree in which anchors stay references.
//!
//! No crate resolves scalars as Compose's parser (go-yaml) does, so this keeps text, style and tag,
//! and [`scalar::resolve`] decides late.

mod event;
pub mod scalar;
mod tree;
mod write;

pub use event::Style;
pub use tree::{Document, Kind, Node, NodeId, YamlError, YamlErrorKind, parse, parse_around};
pub use write::write;
