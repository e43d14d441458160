//! `cosec explain RULE`

use std::process::ExitCode;

use anstream::print;
use cosec_core::rules;

use crate::args::ExplainArgs;
use crate::failure::Failure;

pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let Some(rule) = rules::by_id(&args.rule) else {
        let known: Vec<&str> = rules::ALL.iter().map(|rule| rule.id).collect();
        return Err(Failure::Cannot(format!(
            "there is no rule `{}`; the rules are {}",
            args.rule,
            known.join(", ")
        )));
    };
    print!("{}", rule.markdown());
    Ok(ExitCode::SUCCESS)
}
