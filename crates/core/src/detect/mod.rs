//! Is this name a secret's, is this value a literal secret, where in this text is a password?
//!
//! Names and positions decide, entropy does not: the passwords that leak from Compose files are weak.

mod literal;
mod name;
mod url;

pub use literal::{Literal, literal};
pub use name::is_secret_name;
pub use url::url_passwords;
