//! Compose files: decode, interpolate, extend, include, merge, check, written out in full, read as a
//! [`Project`]. Every value keeps its origin.

mod canonical;
mod check;
mod consistency;
mod decode;
pub mod dotenv;
mod environment;
mod interpolate;
mod load;
mod merge;
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

pub use decode::{DecodeError, DecodeErrorKind, Keys, decode};
pub use environment::{Binding, BindingOrigin, Environment, Lookup};
pub use load::{Interpolation, LoadError, LoadRequest, Loaded, Way, Ways, add_env_files, load};
pub(crate) use merge::same;
pub use project::{
    Build, EnvFile, EnvVar, External, Grant, Project, SecretDef, Service, VolumeMount, default_image, default_name,
};
pub use resolved::Resolved;
pub use swarm::{Stack, read_stack};
pub use value::{Data, Map, MapEntry, Mark, Part, PartKind, Template, Text, Value};
pub use variables::{Variable, variables};
