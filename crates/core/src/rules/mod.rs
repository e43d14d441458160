//! The policy rules. One file a rule: its page, its line of metadata, its visit. Registering a rule is
//! one line in [`ALL`].

mod context;
mod finding;
mod overridden;
mod rule;
mod told;

mod build_secret_mismatch;
mod cleartext_url;
mod credential_mount;
mod docker_arg_secret;
mod docker_copy_secret;
mod docker_env_secret;
mod docker_mount_leak;
mod docker_mount_unrequired;
mod docker_run_secret;
mod dollar_mangled;
mod dotenv_not_ignored;
mod env_file_secret;
mod env_secret;
mod env_secret_hazard;
mod file_missing;
mod high_entropy;
mod ignore_unused;
mod inline_password;
mod known_token;
mod password_default;
mod path_in_plain_key;
mod prefer_file_variant;
mod private_key;
mod secret_file_in_context;
mod secret_file_missing;
mod secret_file_mode;
mod secret_file_not_ignored;
mod secret_file_tracked;
mod secret_in_build_arg;
mod secret_in_command;
mod secret_in_config;
mod secret_in_healthcheck;
mod secret_in_label;
mod secret_mode_decimal;
mod secret_options_ignored;
mod secret_overshared;
mod secret_target_escape;
mod secret_trailing_newline;
mod secret_undefined;
mod secret_unsupported;
mod secret_unused;
mod swarm_limit;
mod swarm_template;
mod url_password;
mod weak_password;

pub use context::{Context, DockerfileContext, EnvFileContext, Findings, ReadDockerfile};
pub use finding::{Confidence, Finding, FixKind, NotChecked, Proposal, ProposedFile, Related, Severity};
pub use rule::{Check, Needs, Persona, Rule};

/// Every rule, in the order of the documentation.
pub static ALL: &[&Rule] = &[
    &inline_password::INLINE_PASSWORD,
    &password_default::PASSWORD_DEFAULT,
    &url_password::URL_PASSWORD,
    &secret_in_command::SECRET_IN_COMMAND,
    &secret_in_healthcheck::SECRET_IN_HEALTHCHECK,
    &secret_in_config::SECRET_IN_CONFIG,
    &secret_in_build_arg::SECRET_IN_BUILD_ARG,
    &secret_in_label::SECRET_IN_LABEL,
    &known_token::KNOWN_TOKEN,
    &private_key::PRIVATE_KEY,
    &weak_password::WEAK_PASSWORD,
    &high_entropy::HIGH_ENTROPY,
    &env_secret::ENV_SECRET,
    &prefer_file_variant::PREFER_FILE_VARIANT,
    &path_in_plain_key::PATH_IN_PLAIN_KEY,
    &dollar_mangled::DOLLAR_MANGLED,
    &cleartext_url::CLEARTEXT_URL,
    &env_file_secret::ENV_FILE_SECRET,
    &dotenv_not_ignored::DOTENV_NOT_IGNORED,
    &file_missing::FILE_MISSING,
    &secret_undefined::SECRET_UNDEFINED,
    &secret_unused::SECRET_UNUSED,
    &secret_overshared::SECRET_OVERSHARED,
    &secret_mode_decimal::SECRET_MODE_DECIMAL,
    &secret_options_ignored::SECRET_OPTIONS_IGNORED,
    &secret_unsupported::SECRET_UNSUPPORTED,
    &env_secret_hazard::ENV_SECRET_HAZARD,
    &secret_target_escape::SECRET_TARGET_ESCAPE,
    &swarm_limit::SWARM_LIMIT,
    &swarm_template::SWARM_TEMPLATE,
    &secret_file_missing::SECRET_FILE_MISSING,
    &secret_trailing_newline::SECRET_TRAILING_NEWLINE,
    &secret_file_mode::SECRET_FILE_MODE,
    &secret_file_not_ignored::SECRET_FILE_NOT_IGNORED,
    &secret_file_tracked::SECRET_FILE_TRACKED,
    &secret_file_in_context::SECRET_FILE_IN_CONTEXT,
    &credential_mount::CREDENTIAL_MOUNT,
    &docker_arg_secret::DOCKER_ARG_SECRET,
    &docker_env_secret::DOCKER_ENV_SECRET,
    &docker_copy_secret::DOCKER_COPY_SECRET,
    &docker_run_secret::DOCKER_RUN_SECRET,
    &docker_mount_leak::DOCKER_MOUNT_LEAK,
    &docker_mount_unrequired::DOCKER_MOUNT_UNREQUIRED,
    &build_secret_mismatch::BUILD_SECRET_MISMATCH,
    &ignore_unused::IGNORE_UNUSED,
];

pub(crate) use docker_copy_secret::sources as copied_files;
pub(crate) use env_secret_hazard::hindrance;
pub(crate) use ignore_unused::IGNORE_UNUSED;
pub(crate) use secret_file_in_context::dockerignore_of;
pub(crate) use secret_file_mode::{can_read, is_open};
pub(crate) use told::{Telling, name_rests};
pub(crate) use weak_password::is_tried_first;

/// A rule by its id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

/// The id that was most likely meant.
pub fn nearest(id: &str) -> Option<&'static str> {
    crate::nearest::nearest(ALL.iter().map(|rule| rule.id), id)
}

#[cfg(test)]
mod page_tests;
