//! Is this name a secret's, is this value a literal secret, where in this text is a password?
//!
//! Names and positions decide, entropy does not: the passwords that leak from Compose files are weak.

mod assignment;
mod literal;
mod name;
mod quoted;
mod token;
mod url;

pub use assignment::{Assignment, assignments, in_command, variables_in_command};
pub use literal::{Literal, literal, looks_random};
pub use name::{is_compound_name, is_harmless_name, is_key_name, is_secret_name};
pub use quoted::{name_with_value, name_without_value, without_credentials};
pub use token::{Token, tokens};
pub use url::url_passwords;

/// Whether a variable holds a secret that is written out: by its name, or, for keys, by name and value.
pub fn is_secret(name: &str, raw: &str) -> bool {
    let named = is_secret_name(name) || (is_key_name(name) && looks_random(raw));
    // `SECRET_PARAM_REPLICAS=2` is a quantity; `DB_PASSWORD=2` is a bad password.
    let is_quantity = raw.trim().len() < 5 && raw.trim().bytes().all(|byte| byte.is_ascii_digit());
    named
        && literal(raw) == Literal::Secret
        && !name::is_method(name, raw)
        && (!is_quantity || name::ends_as_secret(name))
}
