//! One file per subcommand.

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod down;
pub(crate) mod explain;
pub(crate) mod helper;
pub(crate) mod lint;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod up;
