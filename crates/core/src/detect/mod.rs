//! Is this name a secret's, is this value a literal secret, where in this text is a password?
//!
//! Names and positions decide, entropy does not: the passwords that leak from Compose files are weak.

mod assignment;
mod command;
mod filled;
mod literal;
mod name;
mod quoted;
mod token;
mod url;

pub use assignment::{Assignment, assignments, pair_password};
pub use command::{in_arguments, in_command, variables_in_command};
pub use filled::{SecretDefault, secret_defaults};
pub use literal::{Literal, asks_for_change, literal, looks_random};
pub use name::{is_compound_name, is_handed_out, is_harmless_name, is_key_name, is_secret_name};
pub use quoted::{
    is_of_parts, name_with_rest, name_with_value, name_without_rest, name_without_value, without_credentials,
};
pub use token::{Token, tokens};
pub use url::url_passwords;

/// Whether a variable holds a secret that is written out: by its name, or, for keys, by name and value.
pub fn is_secret(name: &str, raw: &str) -> bool {
    let named = is_secret_name(name)
        || (is_key_name(name) && (looks_random(raw) || asks_for_change(raw)))
        || (name::is_header_name(name) && has_credentials(raw));
    // `SECRET_PARAM_REPLICAS=2` is a quantity; `DB_PASSWORD=2` is a bad password.
    let is_quantity = raw.trim().len() < 5 && raw.trim().bytes().all(|byte| byte.is_ascii_digit());
    named
        && literal(raw) == Literal::Secret
        && !name::is_method(name, raw)
        && (!is_quantity || name::ends_as_secret(name))
}

/// `Basic dXNlcjpwYXNz`, `Bearer abc`, written out.
fn has_credentials(raw: &str) -> bool {
    let credentials = raw.trim().strip_prefix("Basic ").or_else(|| raw.trim().strip_prefix("Bearer "));
    credentials.is_some_and(|credentials| literal(credentials) == Literal::Secret)
}
