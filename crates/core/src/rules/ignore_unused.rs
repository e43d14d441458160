use super::rule::rule;

rule! {
    /// # ignore-unused
    ///
    /// A comment asks cosec to ignore a finding that is not there.
    ///
    /// ## Why is this bad
    ///
    /// It will hide the next finding of that rule at that place, which nobody has looked at.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_USER: app # cosec: ignore[inline-password] demo only
    /// ```
    ///
    /// Use instead nothing, or the comment where it is needed: on the line of the finding or alone on the
    /// line above, with a reason.
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       # cosec: ignore[inline-password] a throw-away database for the tests
    ///       POSTGRES_PASSWORD: hunter2
    /// ```
    IGNORE_UNUSED = "ignore-unused", "a comment ignores a finding that is not there", Warning, Regular, needs Text, AfterAll
}
