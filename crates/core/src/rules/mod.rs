//! The policy rules. One file a rule: its page, its line of metadata, its visit. Registering a rule is
//! one line in [`ALL`].

mod context;
mod finding;
mod rule;

mod inline_password;
mod password_default;
mod secret_file_not_ignored;
mod secret_undefined;
mod url_password;

pub use context::{Context, Findings};
pub use finding::{Confidence, Finding, FixKind, NotChecked, Related, Severity};
pub use rule::{Needs, Persona, Rule};

/// Every rule, in the order of the documentation.
pub static ALL: &[&Rule] = &[
    &inline_password::INLINE_PASSWORD,
    &password_default::PASSWORD_DEFAULT,
    &url_password::URL_PASSWORD,
    &secret_undefined::SECRET_UNDEFINED,
    &secret_file_not_ignored::SECRET_FILE_NOT_IGNORED,
];

/// A rule by its id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

#[cfg(test)]
mod page_tests;
