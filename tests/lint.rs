//! `cosec lint` as its users meet it: what it prints, how it ends, what it never prints.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod rig;

use std::collections::{BTreeMap, BTreeSet};

use rig::{Project, canary};

fn lint(text: &str, arguments: &[&str]) -> rig::Ran {
    let project = Project::new();
    project.write("compose.yaml", text);
    project.cosec(&[&["lint"], arguments].concat())
}

#[test]
fn findings_are_shown_with_the_place_and_without_the_value() {
    let project = Project::new();
    project.write(
        "compose.yaml",
        "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: hunter2 # hunter2\n      - x\n",
    );
    project.cosec(&["lint"]).fails(2, &["not valid YAML", "compose.yaml:6"]);
    project.write(
        "compose.yaml",
        "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: hunter2 # hunter2\n    secrets: [db_pasword]\nsecrets:\n  db_password:\n    file: ./db_password.txt\n",
    );
    let ran = project.cosec(&["lint"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stdout, @"
    error[inline-password]: the value of POSTGRES_PASSWORD is written in the file; everyone who can read the file has it
     --> compose.yaml:5:26
      |
    5 |       POSTGRES_PASSWORD: ***
      |                          ^^^ a literal secret
      |
      = help: put it in a file that git ignores, grant that as a secret, and set POSTGRES_PASSWORD_FILE if the image reads it

    error[secret-undefined]: the secret `db_pasword` is granted here but defined nowhere
     --> compose.yaml:6:15
      |
    6 |     secrets: [db_pasword]
      |               ^^^^^^^^^^ not defined
      |
     ::: compose.yaml:8:3
      |
    8 |   db_password:
      |   ----------- a secret with a similar name
      |
      = help: did you mean `db_password`?

    error[secret-file-not-ignored]: git does not ignore the file of the secret `db_password`: `git add .` would commit it
     --> compose.yaml:9:11
      |
    9 |     file: ./db_password.txt
      |           ^^^^^^^^^^^^^^^^^ not ignored by git
      |
      = help: run: echo /db_password.txt >> .gitignore

    info[secret-file-missing]: a secret's file is empty, a directory or not there: compose.yaml line 9

    3 errors, 1 note in 1 file
    `cosec explain inline-password` says why and what to do instead
    ");
}

#[test]
fn json_has_exactly_the_promised_shape() {
    let ran =
        lint("services:\n  é:\n    environment: [\"🙂=1\", API_TOKEN=hunter2]\n", &["--format", "json"]);
    assert_eq!(ran.code, 1);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["not_checked"], serde_json::json!([]));
    let finding = &report["findings"][0];
    assert_eq!(finding["rule"], "inline-password");
    assert_eq!(
        (&finding["line"], &finding["column"], &finding["end_column"]),
        (&3.into(), &36.into(), &43.into())
    );
    assert_eq!(finding["path"], "services.é.environment.API_TOKEN");
    for key in [
        "severity",
        "confidence",
        "message",
        "file",
        "line",
        "column",
        "end_line",
        "end_column",
        "related",
        "fix",
        "fingerprint",
    ] {
        assert!(finding.get(key).is_some(), "{key}");
    }
    assert!(!ran.stdout.contains("hunter2"));
}

#[test]
fn exit_codes_are_0_1_and_2_as_scripts_expect() {
    assert_eq!(lint("services: {a: {image: x}}", &[]).code, 0);
    let bad = "services: {a: {environment: {DB_PASSWORD: x1}}}";
    assert_eq!(lint(bad, &[]).code, 1);
    assert_eq!(lint(bad, &["--fail-on", "error"]).code, 1);
    assert_eq!(lint("a: [", &[]).code, 2);
    // Without `services:` Compose refuses it: nothing found would be no answer.
    lint("image: x\nenvironment: {DB_PASSWORD: x1}\n", &[]).fails(2, &["knows no `image` at the top"]);
    assert_eq!(lint("services: {}", &["--nonsense"]).code, 2);
    assert_eq!(lint("services: {}", &["gone.yaml"]).code, 2);
}

#[test]
fn hostile_text_is_refused_fast_and_in_one_sentence() {
    use std::fmt::Write as _;
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..30 {
        let prior = format!("*a{}", level - 1);
        writeln!(bomb, "a{level}: &a{level} [{}]", [prior.as_str(); 9].join(",")).unwrap();
    }
    let deep = "[".repeat(100_000);
    for (text, words) in [
        (bomb.as_str(), "alias bomb"),
        (deep.as_str(), "not valid YAML"),
        ("PASSWORD: *canary", "alias"),
        ("", "empty"),
        ("just text", "mapping"),
        ("services: {a: 1}", "must be a mapping"),
    ] {
        let start = std::time::Instant::now();
        let ran = lint(text, &[]).fails(2, &[words]);
        assert!(ran.stderr.lines().count() < 12, "{}", ran.stderr);
        assert!(!ran.stderr.contains("canary"));
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }
    let project = Project::new();
    project.write("compose.yaml", b"services: {a: {image: \xff}}");
    project.cosec(&["lint"]).fails(2, &["not UTF-8"]);
    std::fs::remove_file(project.path("compose.yaml")).unwrap();
    project.cosec(&["lint"]).fails(2, &["no Compose file in .; name one"]);
}

#[test]
fn a_terminal_cannot_be_drawn_on_by_a_file() {
    let ran = lint("services: {\"a\\e[31m\\u202e\": {environment: {PASSWORD: hunter2}}}", &[]);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\u{202e}'), "{:?}", ran.stdout);
}

#[test]
fn standard_input_and_directories_are_linted() {
    let project = Project::new();
    project.write("a/compose.yaml", "services: {a: {environment: {PASSWORD: hunter2}}}");
    project.write("b/docker-compose.prod.yml", "services: {a: {environment: {PASSWORD: hunter2}}}");
    project.write("b/values.yaml", "password: hunter2");
    project.write("ignored/compose.yaml", "services: {a: {environment: {PASSWORD: hunter2}}}");
    project.write(".gitignore", "/ignored/\n");
    let ran = project.cosec(&["lint", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let files: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["a/compose.yaml", "b/docker-compose.prod.yml"]);
    let mut command = project.command(&["lint", "-"]);
    let file = std::fs::File::open(project.path("a/compose.yaml")).unwrap();
    let ran = rig::finish(command.stdin(file));
    assert!(ran.stdout.contains("<stdin>:1:"), "{}", ran.stdout);
}

#[test]
fn overrides_includes_and_extended_services_are_linted_where_they_are_written_and_once() {
    let project = Project::new();
    project.write("compose.yaml", "include: [inc/compose.yaml]\nservices:\n  a:\n    extends: {file: base/common.yaml, service: b}\n    secrets: [s]\n");
    project.write(
        "compose.override.yaml",
        "services:\n  a:\n    environment: [DB_PASSWORD=hunter2]\nsecrets:\n  s:\n    environment: S\n",
    );
    project.write("inc/compose.yaml", "services:\n  c:\n    environment: {API_TOKEN: hunter2}\n");
    project.write("base/common.yaml", "services:\n  b:\n    environment: {ROOT_PASSWORD: hunter2}\n");
    let ran = project.cosec(&["lint", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut found: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            format!(
                "{}:{} {}",
                finding["file"].as_str().unwrap(),
                finding["line"],
                finding["path"].as_str().unwrap()
            )
        })
        .collect();
    found.sort();
    let expected = [
        "base/common.yaml:3 services.a.environment.ROOT_PASSWORD",
        "compose.override.yaml:3 services.a.environment.DB_PASSWORD",
        "inc/compose.yaml:3 services.c.environment.API_TOKEN",
    ];
    assert_eq!(found, expected, "{}", ran.stdout);
    assert_eq!(ran.code, 1);
}

#[test]
fn a_comment_ignores_a_finding_and_says_why_and_one_that_ignores_nothing_is_reported() {
    let text = "services:\n  a:\n    environment:\n      A_PASSWORD: hunter2 # cosec: ignore[inline-password] throw-away\n      # cosec: ignore[url-password, inline-password] so is this\n      B_PASSWORD: hunter2\n      # cosec: ignore[url-password] wrong rule\n      C_PASSWORD: hunter2\n";
    let ran = lint(text, &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let found: Vec<(u64, &str)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["line"].as_u64().unwrap(), finding["rule"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [(7, "ignore-unused"), (8, "inline-password")]);
    let ran = lint(text, &["--format", "sarif"]);
    let log: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let reasons: Vec<&str> =
        results.iter().filter_map(|result| result["suppressions"][0]["justification"].as_str()).collect();
    assert_eq!(reasons, ["throw-away", "so is this"], "code scanning must know that they are ignored");
}

#[test]
fn ci_systems_get_what_they_read() {
    let text = "services:\n  a:\n    environment: {DB_PASSWORD: hunter2, U: \"pg://u:p1@h pg://u:p2@h\"}\n    secrets: [x]\n";
    let sarif: serde_json::Value = serde_json::from_str(&lint(text, &["--format", "sarif"]).stdout).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!((&sarif["version"], &run["tool"]["driver"]["name"]), (&"2.1.0".into(), &"cosec".into()));
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "compose.yaml");
    }
    let prints: std::collections::HashSet<&str> =
        results.iter().map(|result| result["partialFingerprints"]["cosec/v1"].as_str().unwrap()).collect();
    assert_eq!(prints.len(), 4, "each finding is told from the others");
    let github = lint(text, &["--format", "github"]).stdout;
    assert!(github.lines().all(|line| line.starts_with("::error file=compose.yaml,line=")), "{github}");
    let gitlab: serde_json::Value =
        serde_json::from_str(&lint(text, &["--format", "gitlab"]).stdout).unwrap();
    assert_eq!(gitlab[0]["location"]["lines"]["begin"], 3);
    let project = Project::new();
    project.write("x<&>.compose.yaml", text);
    let junit = project.cosec(&["lint", "x<&>.compose.yaml", "--format", "junit"]).stdout;
    assert!(
        junit.contains("failures=\"1\"") && junit.contains("x&lt;&amp;&gt;") && !junit.contains("x<&>"),
        "{junit}"
    );
}

#[test]
fn a_file_that_is_included_but_not_there_is_said_not_passed_over() {
    let ran = lint("include: [gone.yaml]\nservices: {a: {environment: {DB_PASSWORD: hunter2}}}\n", &[]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stdout.contains("DB_PASSWORD") && ran.stderr.contains("gone.yaml"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn a_secrets_file_behind_a_variable_is_looked_at_or_said_not_to_be() {
    let project = Project::new();
    let compose = "services: {a: {image: x, secrets: [a, b, c]}}\nsecrets:\n  a: {file: \"${DIR:-./sec}/a\"}\n  \
                   b: {file: \"${ELSEWHERE}/b\"}\n  c: {file: \"${ELSEWHERE}/c\"}\n";
    project.write("compose.yaml", compose);
    project.write("sec/a", "Xk29sLq");
    project.private("sec/a");
    let ran = project.cosec(&["lint"]).fails(2, &["the secret `b` and 1 more are where `ELSEWHERE` says"]);
    assert!(ran.stdout.contains("git does not ignore the file of the secret `a`"), "{}", ran.stdout);
    // A .env that all have who have the project tells; one that git keeps back is somebody's own.
    project.write(".env", "ELSEWHERE=./sec\n");
    project.write("sec/b", "Xk29sLq");
    project.private("sec/b");
    let ran = project.cosec(&["lint"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("git does not ignore the file of the secret `b`"), "{}", ran.stdout);
    project.write(".gitignore", "/.env\n");
    project.cosec(&["lint"]).fails(2, &["`ELSEWHERE` says"]);
    project.write("compose.yaml", compose.replace("${ELSEWHERE}", "${PWD}/sec"));
    let ran = project.cosec(&["lint"]);
    assert!(
        ran.code == 1 && ran.stdout.contains("the file of the secret `b`"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn no_path_is_made_of_a_secret_and_told() {
    let (project, value) = (Project::new(), canary());
    project.write(".env", format!("DB_PASSWORD={value}\n"));
    project.write(
        "compose.yaml",
        "services: {a: {image: x, env_file: \"./${DB_PASSWORD}.env\", build: \"./${DB_PASSWORD}\"}}\n",
    );
    for format in ["text", "json", "sarif"] {
        let ran = project.cosec(&["lint", "--format", format]);
        assert!(!(ran.stdout + &ran.stderr).contains(&value), "{format}");
    }
}

/// One mistake, and a password that is found all the same.
#[test]
fn what_compose_refuses_hides_no_password() {
    let value = canary();
    let rest = format!("  z:\n    image: x\n    environment:\n      DB_PASSWORD: {value}\n");
    for (mistake, said) in [
        ("  a:\n    secrets: {b: c}\n", "must be a list"),
        ("  a:\n    image: x\n    image: y\n", "stands twice"),
        ("  a:\n    environment: {X: [1]}\n", "single value"),
        ("  a:\n    environment:\n      X: y\n      - z\n", "not valid YAML"),
        ("  a:\n    environment:\n      X: \"y\n", "not valid YAML"),
        ("  a:\n    environment:\n\t  X: y\n", "not valid YAML"),
        ("  a:\n    environment:\n      X: *y\n", "not defined above"),
        ("  a: 1\n", "must be a mapping"),
        ("  a: {extends: b}\n  b: {extends: a}\n", "circle"),
        ("  a: {extends: {file: x.yaml}}\n", "needs the name of a `service:`"),
        ("  a: {env_file: [{required: false}]}\n", "has no `path:`"),
        ("  a: {secrets: [{target: x}]}\n", "has no `source:`"),
        ("  a: {<<: 1}\n", "merges mappings only"),
        ("  a: {[1]: 2}\n", "must be text"),
    ] {
        let ran = lint(&format!("services:\n{mistake}{rest}"), &[]).fails(2, &[said]);
        assert!(ran.stdout.contains("value of DB_PASSWORD is written"), "{mistake}\n{}", ran.stdout);
        assert!(!ran.stdout.contains(&value) && !ran.stderr.contains(&value), "{mistake}\n{}", ran.stderr);
    }
    // More mistakes than are passed over one by one hide what follows them, nothing before.
    let many = "  a:\n    environment:\n      X: y\n      - z\n"
        .repeat(300)
        .replace("  a:", "  a:\n    image: x\n  b:");
    let ran = lint(&format!("services:\n{rest}{many}"), &[]).fails(2, &["not valid YAML"]);
    assert!(ran.stdout.contains("value of DB_PASSWORD is written"), "{}", ran.stdout);
    // Two services of one name, and a file that includes itself.
    let project = Project::new();
    project.write("compose.yaml", format!("include: [b.yaml, compose.yaml]\nservices:\n{rest}"));
    project.write("b.yaml", "services: {z: {image: y, environment: {API_TOKEN: Xk29sLq}}}\n");
    let ran = project.cosec(&["lint"]).fails(2, &["conflicts with the imported one"]);
    assert!(ran.stdout.contains("DB_PASSWORD") && ran.stdout.contains("API_TOKEN"), "{}", ran.stdout);
    assert!(ran.stderr.contains("circle"), "{}", ran.stderr);
    // Two files that do not go together.
    let project = Project::new();
    project.write("compose.yaml", format!("services:\n{rest}"));
    project.write("compose.override.yaml", "services: [z]\n");
    let ran = project.cosec(&["lint", "compose.yaml"]).fails(2, &["must be a mapping"]);
    assert!(ran.stdout.contains("DB_PASSWORD"), "{}", ran.stdout);
}

/// Lines that cannot be read are shown as little as values are, whatever the parser makes of those around them.
#[test]
fn a_line_that_cannot_be_read_is_not_shown() {
    let value = canary();
    for mistake in [
        format!("      X: \"{value}\n"),
        format!("      X: \"a\n        {value}\n        {value}: b\n"),
        format!("      - {value}\n"),
        format!("      X: *{value}\n"),
        format!("      X: [{value}\n"),
        format!("      X: {{a: {value}\n"),
        format!("\t X: {value}\n"),
        format!("      X: {value}: {value}\n"),
        format!("     X: {value}\n   Y: {value}\n  Z {value}\n"),
        format!("      ? [{value}\n      %{value}\n      @{value}\n"),
    ] {
        let text =
            format!("services:\n  a:\n    environment:\n      DB_PASSWORD: b\n{mistake}  b:\n    image: x\n");
        for format in ["text", "json", "sarif", "github", "gitlab", "junit"] {
            let ran = lint(&text, &["--persona", "auditor", "--format", format]);
            let told = ran.stdout + &ran.stderr;
            assert!(
                !told.contains(&format!(" {value}")) && !told.contains(&format!("[{value}")),
                "{text}\n{told}"
            );
            assert!(
                ran.code == 2
                    && (format != "text" || text.contains("? [") || told.contains("DB_PASSWORD is written")),
                "{text}\n{told}"
            );
        }
    }
}

#[test]
fn the_env_file_of_an_included_project_is_looked_at() {
    let project = Project::new();
    project.write("compose.yaml", "include: [{path: inc/compose.yaml, env_file: inc/vars}]\nservices: {}\n");
    project.write("inc/compose.yaml", "services: {a: {image: \"x:${TAG}\"}}\n");
    project.write("inc/vars", "TAG=1\nDB_PASSWORD=Xk29sLq\n");
    let ran = project.cosec(&["lint", "compose.yaml"]);
    assert!(ran.code == 1 && ran.stdout.contains("inc/vars:2"), "{}{}", ran.stdout, ran.stderr);
    // One that is not there hides nothing of the project.
    std::fs::remove_file(project.path("inc/vars")).unwrap();
    project.write("inc/compose.yaml", "services: {a: {image: x, environment: [DB_PASSWORD=Xk29sLq]}}\n");
    let ran = project.cosec(&["lint", "compose.yaml"]).fails(2, &["there is no file inc/vars"]);
    assert!(ran.stdout.contains("inc/compose.yaml:1"), "{}", ran.stdout);
}

#[test]
fn a_dockerfile_without_a_context_beside_it_is_looked_at() {
    let project = Project::new();
    project.write("compose.yaml", "services: {a: {build: {dockerfile: x.Dockerfile}}}\n");
    project.write("x.Dockerfile", "FROM alpine\nENV DB_PASSWORD=Xk29sLq\n");
    let ran = project.cosec(&["lint"]);
    assert!(ran.code == 1 && ran.stdout.contains("x.Dockerfile:2"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn env_files_that_git_would_commit_are_linted() {
    let project = Project::new();
    project.write(".env", "DB_PASSWORD=hunter2\n");
    project.write("app.env.example", "export API_TOKEN='hunter2' # x\nUSER=x\nEMPTY_PASSWORD=\n");
    project.write(".gitignore", "/.env\n");
    let ran = project.cosec(&["lint"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("app.env.example:1:") && !ran.stdout.contains(".env:1:1"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 warning in 1 file"), "{}", ran.stdout);
}

#[test]
fn no_output_ever_holds_a_value() {
    let value = canary();
    let texts = [
        format!(
            "services: {{a: {{environment: {{DB_PASSWORD: {value}, X: {value}, U: \"pg://u:{value}@h/{value}\"}}}}}}"
        ),
        format!(
            "services:\n  a:\n    environment:\n      - API_TOKEN={value}\n      - U=https://{value}:x@h # {value}\n"
        ),
        format!(
            "services:\n  a:\n    environment:\n      A: ${{PW:-{value}}} {value}\n      SECRET_KEY: |\n        {value}\n        {value}\n"
        ),
        format!("services:\n  a:\n    environment:\n      PASSWORD: {value}\n   bad: {value}: {value}\n"),
        format!("services:\n  a:\n    environment:\n      PASSWORD: *{value}\n"),
        format!("services:\n  a:\n    environment: {{PASSWORD: \"{value}\n"),
        format!(
            "services:\n  a:\n    secrets: [{{source: s, mode: {value}}}]\n    build: {{args: [TOKEN={value}]}}\n"
        ),
        format!(
            "services:\n  a:\n    command: redis-server --requirepass {value}\n    healthcheck: {{test: [CMD, redis-cli, -a, {value}]}}\n"
        ),
        format!(
            "services:\n  a:\n    environment:\n      CONFIG: |\n        password: {value}\n        dsn: Server=x;Password={value}\n"
        ),
        format!("services:\n  a: {value}\n"),
        format!("{value}\n"),
    ];
    for text in texts {
        for arguments in [
            &[][..],
            &["--format", "json"],
            &["--format", "sarif"],
            &["--format", "github"],
            &["--format", "gitlab"],
            &["--format", "junit"],
            &["--persona", "auditor"],
        ] {
            let ran = lint(&text, arguments);
            assert_ne!(ran.code, 0, "{text}");
            assert!(!ran.stdout.contains(&value), "{text}\ngave\n{}", ran.stdout);
            assert!(!ran.stderr.contains(&value), "{text}\ngave\n{}", ran.stderr);
        }
    }
}

#[test]
fn a_value_in_a_names_place_is_an_error_and_told_nowhere() {
    let value = canary();
    let listed = ["A_TOKEN:", "A_TOKEN ", "A_TOKEN->", "A_TOKEN:\\\"", "A_TOKEN: "].map(|name| {
        format!("services: {{a: {{image: x, environment: [\"{name}{value}\"], build: {{context: ., args: [\"{name}{value}==\"]}}}}}}\n")
    });
    let named = [
        format!("services: {{a: {{image: x, secrets: [\"pw {value}\", {{source: \"pw:{value}\"}}]}}}}\n"),
        format!("services: {{a: {{image: x}}}}\nsecrets: {{\"password:{value}\": {{file: ./x}}}}\n"),
        format!("services: {{a: {{image: x}}}}\nconfigs: {{\"password {value}\": {{content: x}}}}\n"),
        format!("x: &e {{\"A_TOKEN:{value}\": }}\nservices: {{a: {{image: x, environment: {{<<: *e}}}}}}\n"),
    ];
    for (at, text) in listed.iter().chain(&named).enumerate() {
        let project = Project::new();
        project.write("compose.yaml", text);
        for format in ["text", "json", "sarif", "github", "gitlab", "junit"] {
            let ran = project.cosec(&["lint", "--persona", "auditor", "--format", format]);
            let told = ran.stdout + &ran.stderr;
            assert!(!told.contains(&value), "{text}\ngave\n{told}");
            let is_error = told.contains("error[inline-password]") && told.contains("value of A_TOKEN is");
            assert!(format != "text" || at >= listed.len() || is_error, "{text}\ngave\n{told}");
        }
        project.cosec(&["lint", "--persona", "auditor", "--write-baseline"]);
        assert!(!project.text(".cosec-baseline.json").contains(&value), "{text}");
    }
}

#[test]
fn an_env_file_to_be_filled_in_is_no_finding_and_a_password_in_it_is_one() {
    let fill_ins = "API_KEY=your_api_key_here\nA_TOKEN=insert-token-here\nB_TOKEN=sk-...\nC_TOKEN=ghp_xxxxxxxxxxxx\n\
                    D_TOKEN=todo\nF_PASSWORD=<the password>\nG_API_KEY=CHANGE_ME_NOW\nSMTP_PASSWORD=changeme\n\
                    DB_URL=postgres://USER:PASSWORD@HOST/db\n";
    let project = Project::new();
    for name in [".env.example", "sample.env", ".env.template", "env.dist"] {
        project.write(name, fill_ins);
        let ran = project.cosec(&["lint", name]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stdout);
        assert!(!ran.stdout.contains("env-file-secret"), "{name}: {}", ran.stdout);
    }
    project.write(".env.example", "DB_PASSWORD=hunter2\nDSN=host=your.host;password=hunter3\n");
    let ran = project.cosec(&["lint", ".env.example"]);
    assert!(ran.stdout.contains("env.example:1:13") && ran.stdout.contains("2 warnings"), "{}", ran.stdout);
    // It works as it stands.
    project.write(
        ".env.example",
        "E_PASSWORD=changeme\nF_SECRET=\"CHANGE-THIS! NOW!\"\nDB=pg://u:changeme@h/x\n",
    );
    assert!(project.cosec(&["lint", ".env.example"]).stdout.contains("3 warnings"));
    project.write(".env", "E_PASSWORD=changeme\n");
    assert!(project.cosec(&["lint", ".env"]).stdout.contains(".env:1:12"));
}

#[test]
fn git_is_asked_without_running_what_a_repository_wants_run() {
    let project = Project::new();
    project.write("secrets/pw", "value");
    project.write("compose.yaml", "services: {a: {secrets: [pw]}}\nsecrets: {pw: {file: ./secrets/pw}}");
    let proof = project.path("ran");
    project.write("monitor", format!("#!/bin/sh\ntouch {}\n", proof.display()));
    std::process::Command::new("chmod").arg("+x").arg(project.path("monitor")).status().unwrap();
    project.private("secrets/pw");
    project.git(&["config", "core.fsmonitor", &project.path("monitor").display().to_string()]);
    project.cosec(&["lint"]).succeeds();
    assert!(!proof.exists(), "the repository's fsmonitor command ran");
}

#[test]
fn every_rule_explains_itself() {
    let project = Project::new();
    let page = project.cosec(&["explain", "inline-password"]).succeeds().stdout;
    assert!(page.starts_with("# inline-password\n") && page.contains("## Why is this bad"));
    project.cosec(&["explain", "nonsense"]).fails(2, &["no rule `nonsense`", "inline-password"]);
}

/// On real files: whatever stands in the place of a labelled secret comes out in no format, and into no baseline. Needs
/// the corpus beside the checkout, or where COSEC_CORPUS says.
#[test]
fn no_labelled_secret_of_real_files_comes_out() {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let corpus = std::env::var_os("COSEC_CORPUS").map_or(beside, std::path::PathBuf::from);
    let Ok(labels) = std::fs::read_to_string(corpus.join("labels.tsv")) else {
        println!("not run: there is no corpus beside this checkout");
        return;
    };
    let mut lines: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for row in labels.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        if fields[6] == "L" {
            lines.entry(fields[0]).or_default().insert(fields[1].parse().unwrap());
        }
    }
    // Values as short and common as `root` stand in names, too: each gives its place to one that stands nowhere else.
    let (mut looked_at, mut found) = (0, 0);
    for (file, lines) in lines {
        let written = std::fs::read(corpus.join("files").join(file)).unwrap();
        let mut canaries = Vec::new();
        let mut text = String::new();
        for (number, line) in (1..).zip(String::from_utf8_lossy(&written).lines()) {
            let parts = |c: char| " =:,'\"{}[]@/#|&;".contains(c);
            let value = line.split(parts).rfind(|part| !part.is_empty()).filter(|_| lines.contains(&number));
            match value.and_then(|value| line.rfind(value).map(|at| (at, value.len()))) {
                Some((at, length)) => {
                    let canary = format!("Zq{}x{number}", &canary()[..12]);
                    text.extend([&line[..at], &canary, &line[at + length..], "\n"]);
                    canaries.push(canary);
                }
                None => text.extend([line, "\n"]),
            }
        }
        let project = Project::new();
        let name = file.rsplit('/').next().unwrap();
        project.write(name, text);
        let assert_absent = |told: &str, how: &str| {
            let leaked = canaries.iter().find(|canary| told.contains(&***canary));
            assert!(leaked.is_none(), "{file}: {leaked:?} comes out as {how}");
        };
        for format in ["text", "json", "sarif", "github", "gitlab", "junit"] {
            let ran = project.cosec(&["lint", "--format", format, "--persona", "auditor", name]);
            assert_absent(&ran.stdout, format);
            assert_absent(&ran.stderr, format);
            if format == "json" {
                found += report(&ran).len();
            }
        }
        project.cosec(&["lint", "--persona", "auditor", "--write-baseline", name]);
        assert_absent(&project.text(".cosec-baseline.json"), "a baseline");
        looked_at += canaries.len();
    }
    assert!(looked_at > 150 && found > looked_at, "{looked_at} values were looked for, {found} findings");
}

#[test]
fn a_walk_follows_a_link_to_a_file_and_says_which_directory_it_cannot_look_into() {
    let project = Project::new();
    project.write("kept/stack.txt", "services: {a: {image: x, environment: {DB_PASSWORD: canary-41x}}}\n");
    std::os::unix::fs::symlink("kept/stack.txt", project.path("compose.yaml")).unwrap();
    project.write("closed/compose.yaml", "services: {}\n");
    let closed = |mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(project.path("closed"), mode).unwrap();
    };
    closed(0);
    // Root looks into everything.
    let root = project.directory().parent().unwrap().to_owned();
    let program = root.join("cosec");
    std::fs::copy(env!("CARGO_BIN_EXE_cosec"), &program).unwrap();
    std::process::Command::new("chmod").args(["-R", "a+rX"]).arg(&root).status().unwrap();
    closed(0);
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program).arg("lint");
    let ran = rig::finish(command.current_dir(project.directory()));
    closed(0o700);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("compose.yaml:1:53") && !ran.stdout.contains("canary"), "{}", ran.stdout);
    assert!(ran.stderr.contains("cannot be looked into"), "{}", ran.stderr);
}

fn report(ran: &rig::Ran) -> Vec<(String, u64, String)> {
    let report: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    let found = report["findings"].as_array().unwrap().iter().map(|finding| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        (text("file"), finding["line"].as_u64().unwrap(), text("rule"))
    });
    found.collect()
}

#[test]
fn a_comment_is_used_if_any_project_of_the_run_uses_it() {
    let project = Project::new();
    // Only the project that includes it leaves the secret to nobody.
    let part = "services: {a: {image: x, secrets: [s]}}\nsecrets:\n  # cosec: ignore[secret-overshared] all of them need it\n  s: {environment: S}\n";
    project.write("part/compose.yaml", part);
    let whole = "include: [part/compose.yaml]\nservices:\n";
    let services: Vec<String> = (0..3).map(|at| format!("  b{at}: {{image: x, secrets: [s]}}\n")).collect();
    project.write("compose.yaml", format!("{whole}{}", services.concat()));
    let ran = project.cosec(&["lint", "--persona", "auditor", "--format", "json"]);
    let unused = |ran: &rig::Ran| {
        report(ran).into_iter().filter(|(.., rule)| rule == "ignore-unused").collect::<Vec<_>>()
    };
    assert_eq!(unused(&ran), [], "{}", ran.stdout);
    let ran = project.cosec(&["lint", "part", "--persona", "auditor", "--format", "json"]);
    assert_eq!(unused(&ran).len(), 1, "{}", ran.stdout);
    // Two projects read it, and none needs the comment: it is reported, once.
    let common = "services:\n  c:\n    image: x # cosec: ignore[inline-password] nothing\n";
    project.write("common.yaml", common);
    for name in ["x", "y"] {
        let text = "services: {a: {extends: {file: ../common.yaml, service: c}}}\n";
        project.write(&format!("{name}/compose.yaml"), text);
    }
    let ran = project.cosec(&["lint", "x", "y", "--format", "json"]);
    assert_eq!(unused(&ran), [("common.yaml".into(), 3, "ignore-unused".into())], "{}", ran.stdout);
}

#[test]
fn a_comment_for_what_was_not_looked_for_is_not_called_unused() {
    let text = "services:\n  a:\n    # cosec: ignore[high-entropy] made up\n    environment: {X: q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6}\n";
    for (arguments, unused) in [(&[][..], 0), (&["--persona", "auditor"], 0)] {
        let ran = lint(text, &[&["--format", "json"], arguments].concat());
        assert_eq!(report(&ran).len(), unused, "{}", ran.stdout);
    }
    let broken = Project::new();
    let comment = "services: {a: {image: x}} # cosec: ignore[secret-undefined] it is in the other file\n";
    broken.write("compose.yaml", comment);
    broken.write("app-compose.yaml", "include: [compose.yaml]\nservices: {b: 1}\n");
    let ran = broken.cosec(&["lint", "--format", "json"]);
    assert_eq!((ran.code, report(&ran)), (2, Vec::new()), "{}", ran.stdout);
    broken.write("cosec.toml", "[lint.rules]\nignore-unused = 'off'\n");
    broken.write("app-compose.yaml", "services: {}\n");
    broken.cosec(&["lint"]).succeeds();
}

#[test]
fn a_value_that_services_share_is_found_once_with_all_who_have_it() {
    let text = "x-env: &env\n  DB_PASSWORD: Xk29sLq\nservices:\n  a:\n    image: x\n    environment: *env\n  b:\n    image: x\n    environment: *env\n  c:\n    image: x\n    environment:\n      <<: *env\n      Z: 1\n";
    let ran = lint(text, &["--format", "json"]);
    let log: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let [finding] = log["findings"].as_array().unwrap().as_slice() else { panic!("{}", ran.stdout) };
    assert_eq!(finding["path"], "services.a.environment.DB_PASSWORD");
    let related: Vec<(u64, &str)> = finding["related"]
        .as_array()
        .unwrap()
        .iter()
        .map(|related| (related["line"].as_u64().unwrap(), related["message"].as_str().unwrap()))
        .collect();
    assert_eq!(
        related,
        [(9, "also services.b.environment.DB_PASSWORD"), (13, "also services.c.environment.DB_PASSWORD")]
    );
    assert!(lint(text, &[]).stdout.contains("1 error in 1 file"));
}

#[test]
fn a_fingerprint_is_the_same_wherever_the_user_stands() {
    let project = Project::new();
    project.write("sub/compose.yaml", "services: {a: {environment: {DB_PASSWORD: Xk29sLq}}}\n");
    let root = project.directory();
    let fingerprint = |from: &std::path::Path, path: &str| {
        let mut command = project.command(&["lint", "--format", "json", path]);
        let ran = rig::finish(command.current_dir(from));
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        report["findings"][0]["fingerprint"].as_str().unwrap().to_owned()
    };
    let ways = |root: &std::path::Path| {
        let above = root.parent().unwrap();
        let name = root.file_name().unwrap().to_str().unwrap();
        std::os::unix::fs::symlink(root, above.join(format!("{name}-link"))).unwrap();
        [
            fingerprint(root, "."),
            fingerprint(root, "./sub/../sub"),
            fingerprint(&root.join("sub"), "compose.yaml"),
            fingerprint(&root.join("sub"), "../sub/compose.yaml"),
            fingerprint(above, &format!("{name}/sub")),
            fingerprint(above, &format!("{name}-link/sub")),
            fingerprint(above, root.join("sub/compose.yaml").to_str().unwrap()),
        ]
    };
    let in_repository = ways(&root);
    assert!(in_repository.iter().all(|print| *print == in_repository[0]), "{in_repository:?}");
    // Without a repository it is the project that counts: a copy elsewhere is the same.
    let bare = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(bare.path().join("x/sub")).unwrap();
    std::fs::copy(root.join("sub/compose.yaml"), bare.path().join("x/sub/compose.yaml")).unwrap();
    let without = ways(&bare.path().join("x"));
    assert!(without.iter().all(|print| *print == without[0]), "{without:?}");
    assert_ne!(without[0], in_repository[0]);
    // A baseline that is written at the root holds for who stands below it.
    project.cosec(&["lint", "--write-baseline"]).succeeds();
    let mut command = project.command(&["lint", "--baseline", "../.cosec-baseline.json"]);
    let ran = rig::finish(command.current_dir(root.join("sub")));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_baseline_of_what_could_not_be_read_says_so_and_keeps_what_it_knew() {
    let project = Project::new();
    let text = "services: {a: {environment: {DB_PASSWORD: Xk29sLq}}}\n";
    project.write("a/compose.yaml", text);
    project.write("b/compose.yaml", text);
    let write = ["lint", "--write-baseline", "--baseline", "known.json"];
    project.cosec(&write).succeeds();
    let known = project.text("known.json");
    project.write("b/compose.yaml", "services: [\n");
    let ran = project.cosec(&write);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("b/compose.yaml") && ran.stderr.contains("wrote 1 finding to"),
        "{}",
        ran.stderr
    );
    assert_eq!(project.text("known.json"), known, "what was found in it stays known");
}

#[test]
fn standard_input_is_linted_as_a_file_that_lies_here() {
    let project = Project::new();
    let text = "services:\n  a:\n    image: x\n    build: .\n    env_file: [app.conf]\n    secrets: [s]\nsecrets: {s: {file: ./s.txt}}\n";
    project.write("compose.yaml", text);
    project.write("app.conf", "API_TOKEN=Xk29sLq\n");
    project.write("Dockerfile", "FROM x\nARG NPM_TOKEN=Xk29sLq\n");
    project.write("s.txt", "Xk29sLq");
    let from_stdin = |text: &str, arguments: &[&str]| {
        project.write("input", text);
        let file = std::fs::File::open(project.path("input")).unwrap();
        rig::finish(project.command(arguments).stdin(file))
    };
    for way in [&["lint", "-", "--format", "json"][..], &["-f", "-", "lint", "--format", "json"]] {
        let ran = from_stdin(text, way);
        let as_file = project.cosec(&["lint", "compose.yaml", "--format", "json"]);
        assert_eq!(ran.code, as_file.code, "{}", ran.stderr);
        let rules = |ran: &rig::Ran| report(ran).into_iter().map(|(.., rule)| rule).collect::<Vec<_>>();
        assert_eq!(rules(&ran), rules(&as_file), "{}", ran.stdout);
        assert!(rules(&ran).contains(&"env-file-secret".to_owned()), "{}", ran.stdout);
        assert!(ran.stdout.contains("<stdin>"), "{}", ran.stdout);
    }
    // What cannot be read is listed.
    project.write("app.conf", [0xff, 0xfe, b'\n']);
    let ran = from_stdin(text, &["lint", "-"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("app.conf"), "{}", ran.stderr);
}

#[test]
fn a_dockerfile_inside_of_the_compose_file_is_linted_where_it_is_written() {
    let value = canary();
    let inline = format!(
        "    build:\n      context: .\n      dockerfile_inline: |\n        FROM x\n        # a comment\n        ARG NPM_TOKEN={value}\n        RUN curl -u admin:{value} \\\n\n          http://x\n        ENV A=b \\\n          DB_PASSWORD={value}\n"
    );
    let quoted = format!(
        "    build: {{context: ., dockerfile_inline: \"FROM x\\nENV A=\\\"é\\\" API_TOKEN={value}\\n\"}}\n"
    );
    let text = format!("services:\n  a:\n{inline}  b:\n{quoted}");
    let ran = lint(&text, &["--format", "json"]);
    let log: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    let found: Vec<(u64, &str, String)> = log["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let number = |key: &str| finding[key].as_u64().unwrap() as usize;
            let marked = &lines[number("line") - 1][number("column") - 1..number("end_column") - 1];
            (number("line") as u64, finding["rule"].as_str().unwrap(), marked.iter().collect())
        })
        .collect();
    let expected = [
        (8, "docker-arg-secret", value.clone()),
        (9, "docker-run-secret", value.clone()),
        (13, "docker-env-secret", value.clone()),
        (15, "docker-env-secret", value.clone()),
    ];
    assert_eq!(found, expected, "{}", ran.stdout);
    let ran = lint(&text, &[]);
    assert!(!ran.stdout.contains(&value), "{}", ran.stdout);
    let project = Project::new();
    project.write("compose.yaml", &text);
    let ran = project.cosec(&["fix", "--unsafe", "--write"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(project.text("compose.yaml"), text, "{}", ran.stdout);
}

#[test]
fn the_files_of_a_project_are_named_as_compose_names_them() {
    let project = Project::new();
    project.write("base.yaml", "services: {a: {image: x, secrets: [s]}}\n");
    project.write("app.compose.yaml", "services: {a: {secrets: [t]}}\nsecrets: {s: {environment: S}}\n");
    project.write("other/compose.yaml", "services: {a: {environment: {DB_PASSWORD: Xk29sLq}}}\n");
    let undefined = |ran: &rig::Ran| {
        let log: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let found = log["findings"].as_array().unwrap();
        let of = |rule: &str| found.iter().filter(|finding| finding["rule"] == *rule).count();
        (of("secret-undefined"), of("inline-password"))
    };
    let files = ["-f", "base.yaml", "-f", "app.compose.yaml", "lint", "--format", "json"];
    assert_eq!(undefined(&project.cosec(&files)), (1, 0), "only `t`, and nothing beside the project");
    let mut command = project.command(&["lint", "--format", "json"]);
    let ran = rig::finish(command.env("COMPOSE_FILE", "base.yaml:app.compose.yaml"));
    assert_eq!(undefined(&ran), (1, 1), "what lies below is looked at, too: {}", ran.stdout);
    project.write(".env", "COMPOSE_FILE=base.yaml:app.compose.yaml\n");
    let ran = project.cosec(&["lint", "--format", "json"]);
    assert_eq!(undefined(&ran), (1, 1), "{}", ran.stdout);
    project.cosec(&["-f", "gone.yaml", "lint"]).fails(2, &["there is no gone.yaml"]);
    project.cosec(&["-f", "base.yaml", "lint", "other"]).fails(2, &["-f names one project"]);
    // Paths start from the directory that is named.
    project.write(
        "deploy/compose.yaml",
        "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: s.txt}}\n",
    );
    project.write("s.txt", "Xk29sLq");
    let ran = project.cosec(&["--project-directory", ".", "lint", "deploy/compose.yaml"]);
    assert!(ran.stdout.contains("echo /s.txt >> .gitignore"), "{}", ran.stdout);
}

#[test]
fn what_rules_say_of_one_place_is_shown_once_and_where_it_is() {
    let text = "services:\n  a:\n    image: x\n    environment: {TZ: Etc/UTC, DB_PASSWORD: postgres}\n";
    let ran = lint(text, &[]);
    insta::assert_snapshot!(ran.stdout, @"
    error[inline-password]: the value of DB_PASSWORD is written in the file; everyone who can read the file has it
     --> compose.yaml:4:45
      |
    4 |     environment: {TZ: ***, DB_PASSWORD: ***}
      |                                         ^^^ a literal secret
      |
      = help: put it in a file that git ignores, grant that as a secret, and set DB_PASSWORD_FILE if the image reads it
      = warning: the value of DB_PASSWORD is one of the passwords that are tried first [weak-password]
      = help: make a random one, for example with `openssl rand -hex 24`, and keep it in a secret's file

    1 error, 1 warning in 1 file
    `cosec explain inline-password` says why and what to do instead
    ");
    // Information about another file is said of that one.
    let project = Project::new();
    project.write("compose.yaml", "include: [part.yaml]\nservices: {}\n");
    project.write("part.yaml", "services: {a: {image: x, environment: {DB_PASSWORD: \"${PW}\"}}}\n");
    let ran = project.cosec(&["lint"]).succeeds();
    assert!(ran.stdout.contains("the environment: part.yaml line 1"), "{}", ran.stdout);
}
