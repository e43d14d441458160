//! `cosec explain RULE`

use std::process::ExitCode;

use anstream::print;
use cosec_core::rules;

use crate::args::ExplainArgs;
use crate::failure::Failure;

pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let Some(rule) = rules::by_id(&args.rule) else {
        let known = match rules::nearest(&args.rule) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<&str> = rules::ALL.iter().map(|rule| rule.id).collect();
                format!("the rules are {}", known.join(", "))
            }
        };
        return Err(Failure::Cannot(format!("there is no rule `{}`; {known}", args.rule)));
    };
    print!("{}", rule.markdown());
    Ok(ExitCode::SUCCESS)
}
