//! Compose files: decode, interpolate, extend, include, merge, read as a [`Project`]. Every value keeps its
//! origin.

mod decode;
pub mod dotenv;
mod environment;
mod load;
mod merge;
mod project;
pub mod template;
mod validate;
mod value;

pub use decode::{DecodeError, DecodeErrorKind, decode};
pub use environment::{Binding, BindingOrigin, Environment};
pub use load::{Interpolation, LoadError, LoadRequest, Loaded, add_env_file, load};
pub use project::{Build, EnvFile, EnvVar, External, Grant, Project, SecretDef, Service, default_name};
pub use value::{Data, Map, MapEntry, Mark, Part, PartKind, Text, Value};
