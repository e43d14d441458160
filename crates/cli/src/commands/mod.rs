//! One file per subcommand.

pub(crate) mod audit;
pub(crate) mod compose;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod explain;
pub(crate) mod fix;
pub(crate) mod helper;
pub(crate) mod lint;
pub(crate) mod lsp;
pub(crate) mod mount;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod provider;
pub(crate) mod repair;
pub(crate) mod rotate;
pub(crate) mod run;
pub(crate) mod status;
mod table;
pub(crate) mod umount;
pub(crate) mod up;
pub(crate) mod versions;
pub(crate) mod web;
