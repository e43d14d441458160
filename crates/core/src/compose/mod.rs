//! Compose files: decode, interpolate, extend, include, merge, check, written out in full, read as a
//! [`Project`]. Every value keeps its origin.
//!
//! From a value of the project to where all of it comes from:
//!
//! ```
//! use cosec_core::compose::{BindingOrigin, Environment, Interpolation, LoadRequest, PartKind, Way, load};
//! use cosec_core::files::MemoryFiles;
//! use cosec_core::source::Sources;
//!
//! let mut files = MemoryFiles::default();
//! files.insert("compose.yaml", "include: [db/compose.yaml]\nservices: {web: {image: nginx}}\n");
//! files.insert("db/compose.yaml", "services:\n  db:\n    image: postgres:${TAG}${VARIANT:--alpine}\n");
//! files.insert("db/.env", "TAG=16\n");
//! let (mut sources, mut documents) = (Sources::default(), Vec::new());
//! let request = LoadRequest {
//!     files: &["compose.yaml".to_owned()],
//!     directory: "",
//!     working_directory: "/work",
//!     environment: &Environment::default(),
//!     interpolation: Interpolation::Strict,
//!     name: None,
//!     profiles: &[],
//!     services: &[],
//! };
//! let loaded = load(&files, &mut sources, &mut documents, &request).unwrap();
//! let resolved = loaded.resolved.unwrap().config(&[]).unwrap();
//! assert_eq!(resolved["services"]["db"]["image"], "postgres:16-alpine");
//!
//! // The file and the place in it: the same path leads to the value with its origin.
//! let image = loaded.root.get("services").and_then(|all| all.get("db")).and_then(|db| db.get("image")).unwrap();
//! let file = image.span.file;
//! assert_eq!(sources.file(file).path(), "db/compose.yaml");
//! assert_eq!(sources.range(image.span).0.line, 3);
//!
//! // The way: an entry of `include:` in a file that was named.
//! let [Way::Included(entry), Way::Named(0)] = loaded.ways.chain(file)[..] else { panic!() };
//! assert_eq!(sources.slice(entry), "db/compose.yaml");
//!
//! // The parts: what the file says itself, what a variable gave and who set it, what a default gave.
//! let template = image.template.as_ref().unwrap();
//! assert_eq!(&*template.text, "postgres:${TAG}${VARIANT:--alpine}");
//! let [text, tag, variant] = &template.parts[..] else { panic!() };
//! assert!(matches!(text.kind, PartKind::Literal));
//! let PartKind::Variable { name, from: BindingOrigin::File(set) } = &tag.kind else { panic!() };
//! assert_eq!((&**name, sources.file(set.file).path(), sources.slice(*set)), ("TAG", "db/.env", "16"));
//! assert!(matches!(&variant.kind, PartKind::Fallback { name } if &**name == "VARIANT"));
//! ```

mod canonical;
mod changed;
mod check;
mod consistency;
mod decode;
pub mod dotenv;
mod environment;
mod interpolate;
mod load;
mod merge;
mod misplaced;
mod names;
mod normalize;
mod port;
mod project;
mod resolve;
mod resolved;
mod schema;
mod shell;
mod swarm;
pub mod template;
mod typed;
mod unicity;
mod units;
mod value;
mod variables;
mod volume;

pub use decode::{DecodeError, DecodeErrorKind, decode};
pub use environment::{Binding, BindingOrigin, Environment, Lookup};
pub use load::{Interpolation, LoadError, LoadRequest, Loaded, Way, Ways, add_env_files, load};
pub use merge::Removed;
pub(crate) use merge::same;
pub(crate) use names::names;
pub use project::{
    Build, EnvFile, EnvVar, External, Grant, Project, SecretDef, Service, VolumeMount, default_image,
    default_name,
};
pub use resolved::Resolved;
pub(crate) use swarm::{Mistaken, read_by_swarm};
pub use swarm::{Stack, read_stack};
pub use value::{Data, Map, MapEntry, Mark, Part, PartKind, Template, Text, Value};
pub use variables::{Variable, variables};
