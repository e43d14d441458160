//! The policy rules. One file a rule: its page, its line of metadata, its visit. Registering a rule is
//! one line in [`ALL`].

mod context;
mod finding;
mod rule;

mod env_file_secret;
mod env_secret;
mod ignore_unused;
mod inline_password;
mod known_token;
mod password_default;
mod private_key;
mod secret_file_not_ignored;
mod secret_in_command;
mod secret_in_config;
mod secret_mode_decimal;
mod secret_undefined;
mod secret_unused;
mod url_password;

pub use context::{Context, EnvFileContext, Findings};
pub use finding::{Confidence, Finding, FixKind, NotChecked, Related, Severity};
pub use rule::{Check, Needs, Persona, Rule};

/// Every rule, in the order of the documentation.
pub static ALL: &[&Rule] = &[
    &inline_password::INLINE_PASSWORD,
    &password_default::PASSWORD_DEFAULT,
    &url_password::URL_PASSWORD,
    &secret_in_command::SECRET_IN_COMMAND,
    &secret_in_config::SECRET_IN_CONFIG,
    &known_token::KNOWN_TOKEN,
    &private_key::PRIVATE_KEY,
    &env_secret::ENV_SECRET,
    &env_file_secret::ENV_FILE_SECRET,
    &secret_undefined::SECRET_UNDEFINED,
    &secret_unused::SECRET_UNUSED,
    &secret_mode_decimal::SECRET_MODE_DECIMAL,
    &secret_file_not_ignored::SECRET_FILE_NOT_IGNORED,
    &ignore_unused::IGNORE_UNUSED,
];

pub(crate) use ignore_unused::IGNORE_UNUSED;

/// A rule by its id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

#[cfg(test)]
mod page_tests;
