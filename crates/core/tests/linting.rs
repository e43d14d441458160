//! What `lint` tells of real projects, and what it must not tell.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use cosec_core::files::{Answer, FileKind, FileSystem, GitState, MemoryFiles, ReadError};
use cosec_core::lint::{LintOptions, Outcome, lint_file};
use cosec_core::report;
use cosec_core::rules::{Persona, Severity};

fn linted(files: &[(&str, &str)], path: &str) -> Outcome {
    let mut memory = MemoryFiles::default();
    for (name, text) in files {
        memory.insert(*name, *text);
    }
    let options = LintOptions { persona: Persona::Auditor, ..LintOptions::default() };
    lint_file(&memory, path, &options)
}

/// The rule and what is marked, of each finding.
fn found(outcome: &Outcome) -> Vec<(&'static str, &str)> {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    outcome.findings.iter().map(|finding| (finding.rule, outcome.sources.slice(finding.span))).collect()
}

fn in_every_format(outcome: Outcome) -> String {
    let outcomes = [outcome];
    let [outcome] = &outcomes;
    let excerpts = report::Excerpts::of(outcome);
    let mut text: String = outcome
        .findings
        .iter()
        .map(|finding| report::render_finding(&excerpts, finding, report::Colour::No))
        .collect();
    text.extend(report::render_notes(outcome));
    text.extend(outcome.error.iter().map(|error| report::render_error(outcome, error, report::Colour::No)));
    text += &serde_json::to_string(&report::Report::new(&outcomes)).unwrap();
    text += &report::sarif(&outcomes);
    text += &report::github(&outcomes);
    text += &report::gitlab(&outcomes);
    text += &report::junit(&outcomes, Severity::Info);
    text + &report::markdown(&outcomes)
}

#[test]
fn a_default_in_a_longer_text_or_of_the_shell_is_found_where_it_stands_and_a_users_name_is_not() {
    let text = "services:\n  a:\n    image: x\n    environment: {DSN: 'host=db password=${P:-canary1}'}\n    \
                command: redis-cli -a $${REDIS_PASSWORD:-canary2}\n    \
                healthcheck: {test: [CMD-SHELL, \"PGPASSWORD=${PW:-canary3} pg_isready -U ${PSQL_USER:-canary4}\"]}\n";
    let outcome = linted(&[("compose.yaml", text)], "compose.yaml");
    let found = found(&outcome);
    let defaults: Vec<_> =
        found.iter().filter(|(rule, _)| *rule == "password-default").map(|(_, at)| *at).collect();
    assert_eq!(defaults, ["canary1", "canary2", "canary3"]);
}

#[test]
fn a_token_in_the_url_of_another_file_is_in_no_report() {
    let text = "include: ['https://u:canary1@github.com/x/y.git']\nservices:\n  a: {image: x}\n  \
                e: {extends: {file: 'https://canary2@h/x.yaml', service: a}}\n";
    let outcome = linted(&[("compose.yaml", text)], "compose.yaml");
    assert_eq!(found(&outcome)[0], ("url-password", "canary1"));
    let told = in_every_format(outcome);
    assert!(
        told.contains("https://***@github.com/x/y.git") && told.contains("https://***@h/x.yaml"),
        "{told}"
    );
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_value_that_stands_in_the_place_of_a_name_is_in_no_report_and_found() {
    let long = "canary7".repeat(1000);
    let text = format!(
        "services:\n  a:\n    image: x\n    environment: ['DB_PASSWORD: canary1x', 'API_TOKEN: canary 2']\n    \
                labels: {{'token=canary3': x}}\n    secrets: ['PASSWORD=canary4']\n  b:\n    image: x\n    \
                environment: {{'A_PASSWORD=canary5x': }}\n  c:\n    image: x\n    environment: ['X: canary6', 'AB_PASSWORD: {long}']\nsecrets:\n  'KEY=canary6': {{file: ./x}}\n"
    );
    let outcome = linted(&[("compose.yaml", &text)], "compose.yaml");
    let inline: Vec<_> = found(&outcome)
        .into_iter()
        .filter(|(rule, _)| *rule == "inline-password")
        .map(|(_, at)| at)
        .collect();
    assert_eq!(inline, ["canary1x", "canary 2", "canary5x", &*long]);
    let told = in_every_format(outcome);
    assert!(told.contains("services.a.environment.DB_PASSWORD"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_password_that_ends_in_a_line_break_is_found() {
    for written in
        ["|\n        canary1x\n", ">\n        canary1x\n", "|+\n        canary1x\n\n", "\"canary1x\\n\"\n"]
    {
        let text = format!("services:\n  a:\n    image: x\n    environment:\n      DB_PASSWORD: {written}");
        let outcome = linted(&[("compose.yaml", &text)], "compose.yaml");
        let found = found(&outcome);
        assert!(
            found.iter().any(|(rule, at)| *rule == "inline-password" && at.contains("canary1x")),
            "{found:?}"
        );
        let told = in_every_format(outcome);
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn a_password_that_another_file_replaces_is_still_in_its_file() {
    let base = "services:\n  db:\n    image: x\n    environment: {DB_PASSWORD: canary1x, DB: 'pg://u:canary4x@h'}\n  \
                web: {image: x, environment: ['API_TOKEN=canary2x', 'WEB_SECRET=canary3x']}\n";
    let over = "services:\n  db: {environment: {DB_PASSWORD: '${PW:?}', DB: '${DB}'}}\n  web: {environment: [API_TOKEN]}\n";
    let files = [("compose.yaml", base), ("compose.override.yaml", over)];
    for path in ["compose.yaml", "compose.override.yaml"] {
        let outcome = linted(&files, path);
        let errors = || found(&outcome).into_iter().filter(|(_, at)| at.contains("canary"));
        let mut marked: Vec<_> = errors().map(|(_, at)| at).collect();
        marked.sort_unstable();
        assert_eq!(marked, ["canary1x", "canary2x", "canary3x", "canary4x"], "{path}");
        assert!(!in_every_format(outcome).contains("canary"), "{path}");
    }
}

#[test]
fn a_password_beside_a_merge_key_or_under_reset_is_still_in_its_file() {
    let text = "x-env: &env {DB_PASSWORD: canary1x}\nx-base: &base\n  image: x\n  environment: {A_TOKEN: canary2x}\n\
                services:\n  a:\n    <<: *base\n    environment: {<<: *env, DB_PASSWORD: '${PW}'}\n  b:\n    image: x\n    \
                environment: {<<: [*env], C: d}\n---\nservices: {b: {environment: !reset {}}}\n";
    let outcome = linted(&[("compose.yaml", text)], "compose.yaml");
    let found = found(&outcome);
    let mut inline: Vec<_> =
        found.iter().filter(|(rule, _)| *rule == "inline-password").map(|(_, at)| *at).collect();
    inline.sort_unstable();
    assert_eq!(inline, ["canary1x", "canary2x"]);
}

#[test]
fn of_two_secrets_with_one_target_the_first_is_said_to_be_hidden_and_not_to_be_unused() {
    let text = "services:\n  a:\n    image: x\n    secrets: [{source: a, target: same}, {source: b, target: same}]\n\
                secrets: {a: {environment: A}, b: {environment: B}}\n";
    let outcome = linted(&[("compose.yaml", text)], "compose.yaml");
    let told: Vec<_> = outcome.findings.iter().map(|finding| (finding.rule, finding.path.as_str())).collect();
    assert!(told.contains(&("secret-target-escape", "services.a.secrets.a")), "{told:?}");
    assert!(!told.iter().any(|(rule, _)| *rule == "secret-unused"), "{told:?}");
}

/// A repository in which git tracks everything, and every path is a directory.
struct Repository(MemoryFiles);

impl FileSystem for Repository {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        self.0.read(path)
    }

    fn kind(&self, _: &str) -> Answer<FileKind> {
        Answer::Known(FileKind::Directory)
    }

    fn git(&self, _: &str) -> Answer<GitState> {
        Answer::Known(GitState::Tracked)
    }
}

#[test]
fn an_empty_path_is_no_file_that_git_could_track() {
    let mut memory = MemoryFiles::default();
    memory.insert("compose.yaml", "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ''}}\n");
    let outcome = lint_file(&Repository(memory), "compose.yaml", &LintOptions::default());
    let told: Vec<_> =
        outcome.findings.iter().map(|finding| (finding.rule, finding.message.as_str())).collect();
    assert_eq!(told, [("secret-file-missing", "the secret `s` has an empty path for its file")]);
}

#[test]
fn the_words_of_a_dockerfiles_exec_form_are_words() {
    let found_in = |line: &str| -> Vec<String> {
        let text = format!("FROM x\nUSER a\n{line}\n");
        let outcome = linted(&[("Dockerfile", &text)], "Dockerfile");
        found(&outcome).into_iter().map(|(_, at)| at.to_owned()).collect()
    };
    assert_eq!(found_in(r#"CMD ["app","--token","$TOKEN"]"#), Vec::<String>::new());
    assert_eq!(found_in(r#"CMD ["app","--token","${TOKEN}","--x"]"#), Vec::<String>::new());
    assert_eq!(found_in(r#"CMD ["app","--token","hunter2x","--y"]"#), ["hunter2x"]);
    assert_eq!(found_in(r#"ENTRYPOINT ["app", "é\"", "--password=hunter2x"]"#), ["hunter2x"]);
    assert_eq!(
        found_in(r#"HEALTHCHECK --interval=3s CMD ["redis-cli","-a","hunter2x","ping"]"#),
        ["hunter2x"]
    );
    assert_eq!(found_in(r#"RUN ["sh","-c","app --token hunter2x"]"#), ["hunter2x"]);
    assert_eq!(found_in("CMD app --token hunter2x"), ["hunter2x"]);
}

#[test]
fn what_only_looks_like_a_secret_is_no_error() {
    for variable in [
        "TOKEN_EXPIRES_IN: 15m",
        "SMTP_AUTH: login",
        "AWS_SECRET_ACCESS_KEY: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "DB_PASSWORD: op://vault/item/field",
        "DB_PASSWORD: ENC[AES256_GCM,data:p673w==,iv:YY=,tag:UQ==,type:str]",
        "GF_DATABASE_PASSWORD: $$__file{/etc/secrets/x}",
        "DB_PASSWORD: ${{ secrets.X }}",
        "PASSWORD_HASHER: argon2",
        "RATE_LIMIT_TOKENS: 100",
    ] {
        let text = format!("services:\n  a:\n    image: x\n    environment:\n      {variable}\n");
        let outcome = linted(&[("compose.yaml", &text)], "compose.yaml");
        assert_eq!(found(&outcome), [], "{variable}");
        let (name, value) = variable.split_once(": ").unwrap();
        let outcome = linted(&[("x.env", &format!("{name}={}\n", value.replace("$$", "$")))], "x.env");
        let errors = outcome.findings.iter().filter(|finding| finding.severity > Severity::Info);
        assert_eq!(errors.count(), 0, "{variable}");
    }
    for command in ["bench --tokens 5", "etcd --auth-token simple"] {
        let text = format!("services: {{a: {{image: x, command: {command}}}}}\n");
        assert_eq!(found(&linted(&[("compose.yaml", &text)], "compose.yaml")), [], "{command}");
    }
}

#[test]
fn a_url_of_an_anchor_that_is_replaced_is_reported_once() {
    let text = "x-env: &env {DB: 'pg://u:hunter2x@h'}\nservices:\n  a:\n    image: x\n    \
                environment: {<<: *env, DB: '${DB}'}\n";
    let outcome = linted(&[("compose.yaml", text)], "compose.yaml");
    assert_eq!(found(&outcome).iter().filter(|(_, at)| *at == "hunter2x").count(), 1);
}
