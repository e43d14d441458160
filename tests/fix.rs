//! `cosec fix` on real projects: passwords move out of the file, all else stays, and it can be taken back.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod rig;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rig::Project;

const CANARY: &str = "canary-7Qx$z";

/// The canary as a Compose file writes it.
const WRITTEN: &str = "canary-7Qx$$z";

fn project(compose: &str) -> Project {
    let project = Project::new();
    project.write(".gitignore", "");
    project.write("compose.yaml", compose.replace("CANARY", WRITTEN));
    project
}

/// Fixes, and gives back the Compose file.
fn fixed(compose: &str) -> String {
    let project = project(compose);
    let ran = project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert!(!ran.stdout.contains("canary") && !ran.stderr.contains("canary"), "{}{}", ran.stdout, ran.stderr);
    project.text("compose.yaml")
}

#[test]
fn a_password_moves_to_an_ignored_file_and_its_neighbours_stay_byte_for_byte() {
    let compose = "# top\r\nservices:\r\n    db: # the database\r\n        image: postgres:17\r\n        environment:\r\n            POSTGRES_USER: 'äpp'\r\n            \"POSTGRES_PASSWORD\": \"CANARY\"   # why\r\n            # deeper\r\n        ports: [\"5432:5432\"]\r\n\r\n# last\r\n";
    let expected = "# top\r\nservices:\r\n    db: # the database\r\n        image: postgres:17\r\n        environment:\r\n            POSTGRES_USER: 'äpp'\r\n            \"POSTGRES_PASSWORD_FILE\": \"/run/secrets/postgres_password\"   # why\r\n            # deeper\r\n        secrets:\r\n          - postgres_password\r\n        ports: [\"5432:5432\"]\r\n\r\nsecrets:\r\n    postgres_password:\r\n        file: ./secrets/postgres_password\r\n\r\n# last\r\n";
    let project = project(compose);
    fs::remove_dir(project.directory().join("secrets")).unwrap();
    let shown = project.cosec(&["fix", "--unsafe"]).succeeds();
    assert!(
        shown.stdout.contains("POSTGRES_PASSWORD\": ***") && !shown.stdout.contains("canary"),
        "{}",
        shown.stdout
    );
    assert_eq!(project.text("compose.yaml"), compose.replace("CANARY", WRITTEN), "a diff writes nothing");
    project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert_eq!(project.text("compose.yaml"), expected);
    assert_eq!(project.text("secrets/postgres_password"), CANARY);
    let mode =
        |path: &str| fs::metadata(project.directory().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("secrets"), mode("secrets/postgres_password")), (0o700, 0o600));
    project.git(&["add", "--all"]);
    let tracked = Command::new("git").args(["ls-files"]).current_dir(project.directory()).output().unwrap();
    let tracked = String::from_utf8(tracked.stdout).unwrap();
    assert!(!tracked.contains("secrets/") && !tracked.contains(".cosec"), "git would take {tracked}");
    let again = project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert!(!again.stdout.contains(" fixed"), "{}", again.stdout);
}

#[test]
fn every_style_of_writing_is_kept() {
    let cases = [
        (
            "services:\n  db:\n    image: mysql\n    environment:\n    - MYSQL_USER=u\n    - 'MYSQL_PASSWORD=CANARY'\n",
            "services:\n  db:\n    image: mysql\n    environment:\n    - MYSQL_USER=u\n    - 'MYSQL_PASSWORD_FILE=/run/secrets/mysql_password'\n    secrets:\n    - mysql_password\n\nsecrets:\n  mysql_password:\n    file: ./secrets/mysql_password\n",
        ),
        (
            "services: {db: {image: mariadb, environment: {MARIADB_PASSWORD: CANARY, A: b}}}",
            "services: {db: {image: mariadb, environment: {MARIADB_PASSWORD_FILE: /run/secrets/mariadb_password, A: b}, secrets: [mariadb_password]}}, secrets: {mariadb_password: {file: ./secrets/mariadb_password}}",
        ),
        (
            "secrets:\n  old: {file: ./old}\nservices:\n  db:\n    image: postgres\n    secrets: [old]\n    environment: {POSTGRES_PASSWORD: CANARY}",
            "secrets:\n  old: {file: ./old}\n  postgres_password:\n    file: ./secrets/postgres_password\nservices:\n  db:\n    image: postgres\n    secrets: [old, postgres_password]\n    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password}",
        ),
        (
            "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: ${P:-CANARY}\n    secrets:\n      - source: old\n        target: x\nsecrets:\n  old:\n    file: ./old\n# end",
            "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password\n    secrets:\n      - source: old\n        target: x\n      - postgres_password\nsecrets:\n  old:\n    file: ./old\n  postgres_password:\n    file: ./secrets/postgres_password\n# end",
        ),
    ];
    for (before, after) in cases {
        // A file that starts as a flow mapping has braces around all of it, or none that could take more.
        if before.starts_with("services: {") {
            let whole = format!("{{{before}}}");
            assert_eq!(fixed(&whole), format!("{{{after}}}"));
        } else {
            assert_eq!(fixed(before), after);
        }
    }
}

#[test]
fn what_is_shared_or_half_a_variable_is_refused_with_the_reason() {
    let cases = [
        (
            "x-e: &e {POSTGRES_PASSWORD: CANARY}\nservices: {db: {image: postgres, environment: *e}}\n",
            "anchor",
        ),
        (
            "x-e: &e {POSTGRES_PASSWORD: CANARY}\nservices: {db: {image: postgres, environment: {<<: *e, A: b}}}\n",
            "anchor",
        ),
        (
            "services: {db: {image: postgres, environment: &e {POSTGRES_PASSWORD: CANARY}}, b: {image: postgres, environment: *e}}\n",
            "anchor",
        ),
        ("services: {db: {image: redis, environment: {REDIS_PASSWORD: CANARY}}}\n", "not known to read"),
        ("services: {db: {build: ., environment: {DB_PASSWORD: CANARY}}}\n", "built here"),
        (
            "services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: CANARY, POSTGRES_PASSWORD_FILE: /x}}}\n",
            "set already",
        ),
        (
            "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: |\n        CANARY\n",
            "ends with a line break",
        ),
    ];
    for (compose, reason) in cases {
        let project = project(compose);
        let ran = project.cosec(&["fix", "--unsafe", "--write", "--rule", "inline-password"]).succeeds();
        assert!(ran.stderr.contains(reason), "{reason} is not in: {}{}", ran.stdout, ran.stderr);
        assert!(!ran.stderr.contains("canary"));
        assert_eq!(project.text("compose.yaml"), compose.replace("CANARY", WRITTEN));
        assert!(!project.directory().join(".cosec").exists());
    }
}

/// Reads a report of `cosec lint`; it never fails here for what it finds.
fn report(project: &Project, format: &str) -> serde_json::Value {
    let ran = project.cosec(&["lint", "--format", format]);
    assert!(!ran.stdout.contains("canary") && !ran.stderr.contains("canary"), "{}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn lint_says_of_each_finding_what_fix_then_does() {
    let project = project(
        "services:\n  db:\n    image: postgres\n    environment: {POSTGRES_PASSWORD: CANARY}\n    secrets: [{source: s, mode: 400}]\n  q:\n    image: redis\n    environment: {REDIS_PASSWORD: CANARY}\nsecrets: {s: {file: ./s.txt}}\n",
    );
    project.write("s.txt", "canary");
    let found = report(&project, "json");
    let kind = |rule: &str, path: &str| {
        let findings = found["findings"].as_array().unwrap();
        findings.iter().find(|it| it["rule"] == rule && it["path"] == path).unwrap()["fix"].clone()
    };
    assert_eq!(kind("inline-password", "services.db.environment.POSTGRES_PASSWORD"), "unsafe");
    assert_eq!(kind("inline-password", "services.q.environment.REDIS_PASSWORD"), serde_json::Value::Null);
    assert_eq!(kind("secret-file-not-ignored", "secrets.s.file"), "safe");
    let with_fix = found["findings"].as_array().unwrap().iter().filter(|it| !it["fix"].is_null()).count();
    let ran = project.cosec(&["fix", "--unsafe"]).succeeds();
    assert!(ran.stdout.contains(&format!("{with_fix} can be fixed")), "{with_fix}: {}", ran.stdout);
}

#[test]
fn code_scanning_gets_the_changes_of_a_fix_but_never_half_of_one() {
    let project = project(
        "services:\n  db:\n    image: postgres\n    environment: {POSTGRES_PASSWORD: CANARY}\n    secrets: [{source: s, mode: 400}]\nsecrets: {s: {file: ./s.txt}}\n",
    );
    project.write("s.txt", "canary");
    let sarif = report(&project, "sarif");
    let change = |rule: &str| {
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let result = results.iter().find(|it| it["ruleId"] == rule).unwrap();
        result["fixes"][0]["artifactChanges"][0].clone()
    };
    let mode = &change("secret-mode-decimal")["replacements"][0];
    assert_eq!(mode["insertedContent"]["text"], "0");
    assert_eq!(
        (&mode["deletedRegion"]["startLine"], &mode["deletedRegion"]["startColumn"]),
        (&5.into(), &33.into())
    );
    let ignored = change("secret-file-not-ignored");
    assert_eq!(ignored["artifactLocation"]["uri"], ".gitignore");
    assert_eq!(ignored["replacements"][0]["insertedContent"]["text"], "/s.txt\n");
    // Without the file with the value the other changes would lose it.
    let moved = &change("inline-password")["replacements"][0];
    assert_eq!(moved["deletedRegion"]["startColumn"], moved["deletedRegion"]["endColumn"]);
    assert!(moved.get("insertedContent").is_none(), "{moved}");
}

#[test]
fn what_no_rule_has_flagged_is_not_shown_either() {
    let project = project(
        "# canary: ask me\nx-a: canary\nservices:\n  db:\n    image: postgres # canary\n    environment:\n      FAVOURITE: canary\n      POSTGRES_PASSWORD: ${PASSWORD}\n    labels:\n      - canary\n    command: |\n      canary\n      K=canary\n",
    );
    project.write(
        ".env",
        "# canary\nFAVOURITE=canary\nPASSWORD=canary-2\nKEY=\"canary\ncanary\nX=canary\"\ncanary\ncanary=\n",
    );
    project.write(".gitignore", "canary\n*.key");
    let outputs = [
        &["fix", "--unsafe"][..],
        &["fix", "--unsafe", "--interactive"],
        &["fix"],
        &["fix", "--unsafe", "--write"],
        &["fix", "--undo"],
    ];
    for arguments in outputs {
        let ran = project.cosec(arguments).succeeds();
        assert!(
            !ran.stdout.contains("canary") && !ran.stderr.contains("canary"),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        if arguments == ["fix", "--unsafe"] {
            assert_eq!(
                ran.stdout.split("compose.yaml:").next().unwrap(),
                "new file secrets/postgres_password (0600)\n--- .gitignore\n+++ .gitignore\n@@\n ***\n-*.key\n\\ no line break at the end\n+*.key\n+/.env\n+/secrets/\n--- compose.yaml\n+++ compose.yaml\n@@\n     environment:\n       FAVOURITE: ***\n-      POSTGRES_PASSWORD: ***\n+      POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password\n+    secrets:\n+      - postgres_password\n     labels:\n       - ***\n@@\n       ***\n ***\n+\n+secrets:\n+  postgres_password:\n+    file: ./secrets/postgres_password\n--- .env\n+++ .env\n@@\n # ***\n FAVOURITE=***\n-PASSWORD=***\n KEY=***\n ***\n"
            );
        }
    }
}

#[test]
fn a_value_that_others_may_know_is_to_be_rotated_and_a_rule_without_a_fix_is_named() {
    let compose =
        "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: changeme\n";
    let project = project(compose);
    let weak = project.cosec(&["fix", "--unsafe"]).succeeds().stdout;
    assert!(weak.contains("rotate it: the value is weak; change it"), "{weak}");
    project.git(&["add", "--all"]);
    project.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "x"]);
    project.write("compose.yaml", compose.replace("changeme", "q9Zt-41x"));
    let known = project.cosec(&["fix", "--unsafe"]).succeeds().stdout;
    assert!(
        known.contains("rotate it: git has compose.yaml, and keeps the value if it was ever committed"),
        "{known}"
    );
    assert!(known.contains("`cosec rotate postgres_password`"), "{known}");
    project.cosec(&["fix", "--rule", "weak-password"]).fails(2, &["no fix for `weak-password`"]);
    project.cosec(&["fix", "--rule", "inline-pasword"]).fails(2, &["no rule `inline-pasword`"]);
}

/// What Compose puts into each service's environment.
fn environments(project: &Project) -> serde_json::Value {
    let config = project.cosec(&["config", "--format", "json"]).succeeds().stdout;
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["services"].as_object().unwrap().values().map(|service| service["environment"].clone()).collect()
}

#[test]
fn a_variable_that_is_set_twice_is_set_once_after_the_fix_and_all_others_are_what_they_were() {
    let project = project(
        "services:\n  db:\n    image: postgres\n    env_file: [a.env, b.env]\n    environment:\n      POSTGRES_PASSWORD: CANARY\n  app:\n    image: redis\n    env_file: c.env\n    environment: {U: x}\n",
    );
    project.write("a.env", "POSTGRES_PASSWORD=canary-old\nTZ=UTC\n");
    project.write("b.env", "POSTGRES_PASSWORD=canary-older\n");
    project.write("c.env", "POSTGRES_PASSWORD_HINT=none\n");
    let (before, mut wanted) = (project.files(), environments(&project));
    assert_eq!(wanted[1]["POSTGRES_PASSWORD"], WRITTEN, "`environment:` wins");
    let db = wanted[1].as_object_mut().unwrap();
    db.remove("POSTGRES_PASSWORD");
    db.insert("POSTGRES_PASSWORD_FILE".into(), "/run/secrets/postgres_password".into());
    let ran = project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert!(
        ran.stdout.contains("POSTGRES_PASSWORD leaves a.env") && !ran.stdout.contains("canary"),
        "{}",
        ran.stdout
    );
    assert_eq!(environments(&project), wanted);
    assert_eq!(project.text("secrets/postgres_password"), CANARY);
    project.cosec(&["fix", "--undo"]).succeeds();
    assert_eq!(project.files(), before);
    // Who else reads a file from elsewhere is not known.
    fs::create_dir(project.path("shared")).unwrap();
    fs::rename(project.path("b.env"), project.path("shared/b.env")).unwrap();
    std::os::unix::fs::symlink("shared/b.env", project.path("b.env")).unwrap();
    let ran = project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert!(ran.stderr.contains("outside of the project directory"), "{}", ran.stderr);
    assert_eq!(project.text("compose.yaml").as_bytes(), before[Path::new("compose.yaml")]);
}

#[test]
fn a_secret_that_an_undone_change_has_left_is_used_again_and_another_one_is_not_touched() {
    let compose = "services:\n  db:\n    image: postgres\n    user: '999'\n    environment:\n      POSTGRES_PASSWORD: CANARY\n";
    let project = project(compose);
    let before = project.text("compose.yaml");
    project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    let fixed = project.text("compose.yaml");
    // As an editor or git takes it back: one file of it.
    project.write("compose.yaml", &before);
    let ran = project.cosec(&["fix", "--unsafe"]).succeeds();
    assert!(
        !ran.stdout.contains("new file") && ran.stdout.contains("is there with this value"),
        "{}",
        ran.stdout
    );
    project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert_eq!(project.text("compose.yaml"), fixed);
    project.cosec(&["fix", "--undo"]).succeeds();
    assert_eq!(
        (project.text("compose.yaml"), project.text("secrets/postgres_password")),
        (before, CANARY.into())
    );

    let secret = project.path("secrets/postgres_password");
    let others: [(&str, &dyn Fn()); 3] = [
        ("other bytes", &|| fs::write(&secret, format!("{CANARY}\n")).unwrap()),
        ("open to others", &|| fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap()),
        ("not ignored", &|| project.write(".gitignore", "")),
    ];
    for (which, make) in others {
        fs::write(&secret, CANARY).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        project.write(".gitignore", "/secrets/\n");
        make();
        let now = fs::read(&secret).unwrap();
        project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
        assert_eq!(project.text("secrets/db_postgres_password"), CANARY, "{which}");
        assert_eq!(fs::read(&secret).unwrap(), now, "{which}");
        project.cosec(&["fix", "--undo"]).succeeds();
    }
}

#[test]
fn services_share_a_secret_of_one_meaning_and_never_two_values() {
    let compose = fixed(
        "services:\n  db: {image: postgres, environment: {POSTGRES_PASSWORD: CANARY}}\n  wp: {image: wordpress, environment: {WORDPRESS_DB_PASSWORD: CANARY}}\n  other: {image: postgres, environment: {POSTGRES_PASSWORD: CANARY2}}\n  my: {image: mysql, environment: {MYSQL_ROOT_PASSWORD: CANARY, MYSQL_PASSWORD: CANARY}}\n",
    );
    assert!(compose.contains("/run/secrets/other_postgres_password}"), "{compose}");
    let shared = compose.matches("_FILE: /run/secrets/postgres_password").count();
    let own = compose.matches("_FILE: /run/secrets/mysql_").count();
    // A client has its database's password. Another database's user is another one, and so is root.
    assert_eq!((shared, own), (2, 2), "{compose}");
}

#[test]
fn a_value_leaves_env_where_nothing_else_uses_it_and_a_variable_from_outside_is_granted_as_such() {
    let project = project(
        "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: ${DB_PW}\n  a: {image: postgres, environment: {POSTGRES_PASSWORD: '${USED}'}, labels: {l: '${USED}'}}\n  b: {image: postgres, environment: {POSTGRES_PASSWORD: '${OUTSIDE}'}}\n",
    );
    project.write(".env", "# mine\nDB_PW=canary-7Qx\nUSED=canary-2\n");
    project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert_eq!(project.text(".env"), "# mine\nUSED=canary-2\n");
    assert_eq!(project.text("secrets/postgres_password"), "canary-7Qx");
    let compose = project.text("compose.yaml");
    assert!(compose.contains("environment: OUTSIDE"), "{compose}");
}

#[test]
fn files_named_with_f_are_fixed_as_the_one_project_that_they_are() {
    let project =
        project("services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: CANARY\n");
    let over = format!("services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: {WRITTEN}2\n");
    project.write("prod.yaml", &over);
    let before = project.text("compose.yaml");
    let ran =
        project.cosec(&["-f", "compose.yaml", "-f", "prod.yaml", "fix", "--unsafe", "--write"]).succeeds();
    // Moved in one of the two, both forms would be set, and PostgreSQL would not start.
    let all = project.text("compose.yaml") + &project.text("prod.yaml");
    let has_both = all.contains("POSTGRES_PASSWORD:") && all.contains("POSTGRES_PASSWORD_FILE:");
    assert!(!has_both, "{all}{}", ran.stderr);
    if project.text("compose.yaml") == before {
        assert!(ran.stderr.contains("left as it is"), "{}", ran.stderr);
    }
}

#[test]
fn the_files_that_compose_file_names_are_fixed_as_one_project() {
    let project = Project::new();
    project.write("a.yml", "services: {db: {image: postgres}}\n");
    project.write("b.yml", "services: {db: {environment: {POSTGRES_PASSWORD: canary-4x}}}\n");
    project.write(".env", "COMPOSE_FILE=a.yml:b.yml\n");
    project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert_eq!(project.text("secrets/postgres_password"), "canary-4x");
    project.cosec(&["fix", "--undo"]).succeeds();
    assert!(project.text("b.yml").contains("canary-4x"));
    project.cosec(&["-f", "a.yml", "fix", "b.yml"]).fails(2, &["one after the other"]);
}

#[test]
fn a_link_to_the_compose_file_is_no_other_file_that_it_is_read_with() {
    let project = project("services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: canary-4x}}}\n");
    std::os::unix::fs::symlink("compose.yaml", project.path("linked.yaml")).unwrap();
    for file in ["compose.yaml", "linked.yaml"] {
        let ran = project.cosec(&["fix", "--unsafe", file]).succeeds();
        assert!(ran.stdout.contains("1 can be fixed") && !ran.stdout.contains(", too"), "{}", ran.stdout);
    }
}

#[test]
fn a_broken_env_file_costs_only_the_fixes_that_want_its_variables() {
    let project = project(
        "services:\n  db: {image: postgres, environment: {POSTGRES_PASSWORD: CANARY}}\n  b: {image: mysql, environment: {MYSQL_PASSWORD: '${DB_PW}'}}\n",
    );
    project.write(".env", "DB_PW='canary\n");
    let ran = project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert!(ran.stderr.contains(".env:1") && ran.stderr.contains("left out"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("canary") && !ran.stdout.contains("canary"), "{}{}", ran.stdout, ran.stderr);
    let compose = project.text("compose.yaml");
    assert!(compose.contains("POSTGRES_PASSWORD_FILE") && compose.contains("${DB_PW}"), "{compose}");
}

#[test]
fn an_env_file_is_fixed_with_the_project_that_reads_it() {
    let project = project("services: {db: {image: postgres, env_file: db.env}}\n");
    project.write("db.env", "POSTGRES_PASSWORD=canary-7Qx\n");
    project.write(".env", "OTHER_PASSWORD=canary-8Qx\n");
    project.cosec(&["fix", "--unsafe", "--write", "db.env"]).succeeds();
    assert_eq!(project.text("db.env"), "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password\n");
    assert!(project.text("compose.yaml").contains("secrets: [postgres_password]"));
    assert!(!project.text(".gitignore").contains("/.env"), "only what was named is fixed");
    project.write("alone/.env", "OTHER_PASSWORD=canary-8Qx\n");
    let ran = project.cosec(&["fix", "--unsafe", "alone/.env"]).succeeds();
    assert!(ran.stderr.contains("no Compose file that reads it"), "{}", ran.stderr);
}

#[test]
fn a_dockerfile_is_fixed_with_the_project_that_builds_with_it() {
    let head = "services:\n  app:\n    build: {context: app, secrets: [npm]}\n";
    let project = project(&format!("{head}secrets: {{npm: {{environment: NPM}}}}\n"));
    let mount = "FROM node\nRUN --mount=type=secret,id=npm npm ci\n";
    project.write("app/Dockerfile", mount);
    let fix = ["fix", "--unsafe", "--write", "app/Dockerfile"];
    project.cosec(&fix).succeeds();
    assert!(project.text("app/Dockerfile").contains("id=npm,required=true"));
    project.cosec(&["fix", "--undo", "app/Dockerfile"]).succeeds();
    assert_eq!(project.text("app/Dockerfile"), mount);
    project.write("compose.yaml", head.replace(", secrets: [npm]", ""));
    let ran = project.cosec(&fix).succeeds();
    assert!(ran.stderr.contains("service app has no secret npm"), "{}", ran.stderr);
    fs::remove_file(project.path("compose.yaml")).unwrap();
    let ran = project.cosec(&fix).succeeds();
    assert!(ran.stderr.contains("no Compose file that builds with this"), "{}", ran.stderr);
    assert_eq!(project.text("app/Dockerfile"), mount);
}

#[test]
fn files_that_git_has_beside_the_secrets_are_not_ignored() {
    let project = project("services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: CANARY}}}\n");
    project.write("secrets/README.md", "how to fill this directory\n");
    project.git(&["add", "--all"]);
    project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert_eq!(project.text(".gitignore"), "/secrets/postgres_password\n");
    project.write("secrets/HOW.md", "more\n");
    let status =
        Command::new("git").args(["status", "--short", "secrets"]).current_dir(project.directory()).output();
    let status = String::from_utf8(status.unwrap().stdout).unwrap();
    assert!(status.contains("secrets/HOW.md") && !status.contains("postgres_password"), "{status}");
}

#[test]
fn the_last_line_says_what_there_is_to_do_and_what_is_held_back() {
    let project = project("services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: CANARY}}}\n");
    let said = project.cosec(&["fix"]).succeeds().stdout;
    assert!(said.contains("1 more finding has a fix that") && said.contains("--unsafe"), "{said}");
    let said = project.cosec(&["fix", "--unsafe", "--write"]).succeeds().stdout;
    assert!(said.ends_with("\n1 fixed\n"), "{said}");
    assert_eq!(project.cosec(&["fix", "--unsafe"]).succeeds().stdout, "nothing to fix\n");
    project.cosec(&["fix", "--undo", "--rule", "inline-password"]).fails(2, &["--rule"]);
    let other =
        crate::project("services: {r: {image: redis, command: redis-server --requirepass canary-5t}}\n");
    let ran = other.cosec(&["fix"]).succeeds();
    assert!(ran.stdout.contains("nothing to fix\n1 finding is of a rule that has no fix"), "{}", ran.stdout);
}

#[test]
fn a_secret_s_file_loses_its_line_break_and_its_other_readers_and_undo_gives_both_back() {
    let compose = "services:\n  a: {image: x, secrets: [s, t]}\n  b: {image: x, user: '4242', secrets: [closed]}\nsecrets: {s: {file: ./secrets/s}, t: {file: ./secrets/s}, closed: {file: ./secrets/c}}\n";
    let project = project(compose);
    let open = |path: &str, mode: u32| {
        fs::set_permissions(project.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    // Below a directory of one's own alone, modes open nothing.
    open("..", 0o755);
    open("secrets", 0o755);
    project.write(".gitignore", "/secrets/\n");
    project.write("secrets/s", "canary-7Qx\r\n\n");
    project.write("secrets/c", "canary-8Qx");
    open("secrets/s", 0o644);
    open("secrets/c", 0o644);
    let (before, mode) = (project.files(), |path: &str| {
        fs::metadata(project.path(path)).unwrap().permissions().mode() & 0o777
    });
    let ran = project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("canary"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("service b runs as another user"), "{}", ran.stderr);
    assert_eq!(
        (project.text("secrets/s").as_str(), mode("secrets/s"), mode("secrets/c")),
        ("canary-7Qx", 0o600, 0o644)
    );
    assert!(!project.cosec(&["fix", "--unsafe", "--write"]).succeeds().stdout.contains(" fixed"));
    project.cosec(&["fix", "--undo"]).succeeds();
    assert_eq!((project.files(), mode("secrets/s")), (before, 0o644));

    project.cosec(&["fix", "--unsafe", "--write", "--rule", "secret-file-mode"]).succeeds();
    open("secrets/s", 0o640);
    project.cosec(&["fix", "--undo"]).fails(2, &["has been changed since"]);
}

#[test]
fn slips_on_the_command_line_are_named_and_exit_codes_are_what_the_docs_say() {
    let project = project("services: {db: {image: redis, environment: {REDIS_PASSWORD: CANARY}}}\n");
    project.cosec(&["fix", "--only-service", "nosuch"]).fails(2, &["no service `nosuch`", "there are db"]);
    project.cosec(&["fix", "-"]).fails(2, &["standard input cannot be fixed; name a file"]);
    // What is left to be done by hand is no failure.
    project.cosec(&["fix", "--unsafe", "--only-service", "db"]).succeeds();
    project.write("compose.yaml", "services: [");
    project.cosec(&["fix"]).fails(2, &["cannot fix"]);
}

#[test]
fn a_file_that_git_has_is_not_said_to_be_mended_by_a_line_in_gitignore() {
    let project = project("services: {a: {image: x}}\n");
    project.write(".env", "DB_PASSWORD=canary-7Qx\n");
    project.git(&["add", "--force", ".env"]);
    let ran = project.cosec(&["fix", "--write", ".env"]).succeeds();
    assert!(ran.stderr.contains("git rm --cached .env"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(project.text(".gitignore"), "");
}

#[test]
fn the_env_file_and_the_project_directory_of_the_command_line_are_those_that_change() {
    let project = project(
        "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: ${DB_PW:?}\n",
    );
    project.write(".env", "OTHER_PW=canary-1\n");
    let fix = |env_file: &'static str| {
        let project = ["--env-file", env_file, "--project-directory", "run", "-f", "compose.yaml"];
        [&project, ["fix", "--unsafe", "--write"].as_slice()].concat()
    };
    project.write("prod.env", "DB_PW=canary-7Qx\n");
    project.write("run/prod.env", "DB_PW=canary-7Qx\n");
    let said = project.cosec(&fix("prod.env")).succeeds().stdout;
    assert!(said.contains("DB_PW stays in prod.env: the file lies outside"), "{said}");
    assert_eq!(project.text("prod.env"), "DB_PW=canary-7Qx\n", "others may read it");
    project.cosec(&["fix", "--undo"]).succeeds();
    project.cosec(&fix("run/prod.env")).succeeds();
    assert_eq!(project.text(".env"), "OTHER_PW=canary-1\n");
    assert_eq!(project.text("run/secrets/postgres_password"), "canary-7Qx");
    assert_eq!(project.text("run/prod.env"), "");
}

#[test]
fn a_service_s_findings_are_those_of_its_env_files_and_its_dockerfile_too() {
    let project = project(
        "services:\n  db: {image: postgres, env_file: db.env}\n  other: {image: postgres, env_file: other.env}\n  app: {build: .}\n",
    );
    project.write("db.env", "POSTGRES_PASSWORD=canary-7Qx\n");
    project.write("other.env", "POSTGRES_PASSWORD=canary-8Qx\n");
    project.write("Dockerfile", "FROM x\nARG NPM_TOKEN=canary-9Qx\nRUN test $NPM_TOKEN\n");
    project.cosec(&["fix", "--unsafe", "--write", "--only-service", "db"]).succeeds();
    assert!(project.text("db.env").contains("_FILE=") && !project.text("other.env").contains("_FILE="));
    assert!(project.text("Dockerfile").contains("ARG"));
    project.cosec(&["fix", "--unsafe", "--write", "--only-service", "app"]).succeeds();
    assert!(project.text("Dockerfile").contains("--mount=type=secret"));
}

#[test]
fn a_yes_for_one_env_file_is_none_for_another_that_sets_the_same_variable() {
    let project = project(
        "services:\n  db: {image: postgres, env_file: db.env}\n  other: {image: postgres, env_file: other.env}\n",
    );
    project.write("db.env", "POSTGRES_PASSWORD=canary-7Qx\n");
    project.write("other.env", "POSTGRES_PASSWORD=canary-8Qx\n");
    // The last two would add lines to .gitignore.
    let shown = answered(&project, "y\nn\nn\nn\ny\n");
    let moved = ["db.env", "other.env"].map(|name| project.text(name).contains("_FILE="));
    assert_eq!(moved.iter().filter(|moved| **moved).count(), 1, "{shown}");
}

/// Answers `cosec fix --interactive` at a terminal of its own; what the terminal showed.
fn answered(project: &Project, answers: &str) -> String {
    let mut command = Command::new("script");
    for (name, value) in project.command(&[]).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .args(["-q", "-e", "-c", concat!(env!("CARGO_BIN_EXE_cosec"), " fix --interactive"), "/dev/null"])
        .current_dir(project.directory())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // They wait in the terminal until they are asked for.
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !shown.contains("canary"), "{shown}");
    shown
}

#[test]
fn asked_one_by_one_what_gets_a_yes_is_done_and_no_value_is_shown() {
    let compose = "services:\n  a:\n    image: postgres\n    environment: {POSTGRES_PASSWORD: CANARY}\n  b:\n    image: mysql\n    environment: {MYSQL_PASSWORD: CANARY2}\n  c:\n    image: mariadb\n    environment: {MARIADB_PASSWORD: CANARY3}\n  d: {image: redis, environment: {REDIS_PASSWORD: CANARY4}}\n";
    let cases = [
        ("y\nn\ny\ny\n", &["POSTGRES", "MARIADB"][..]),
        ("n\na\ny\n", &["MYSQL", "MARIADB"]),
        ("y\nq\ny\n", &["POSTGRES"]),
        ("d\nwhat\ny\nn\nn\ny\n", &["POSTGRES"]),
        ("y\ny\ny\nn\n", &[]),
        ("q\n", &[]),
        ("n\nn\nn\n", &[]),
        ("y\n\u{4}", &[]),
    ];
    for (answers, moved) in cases {
        let project = project(compose);
        let shown = answered(&project, answers);
        assert!(shown.contains("(1 of 3)") && !shown.contains("of 4"), "only what can be done: {shown}");
        assert!(shown.contains("set POSTGRES_PASSWORD_FILE"), "{shown}");
        assert!(shown.contains("REDIS_PASSWORD from a file"), "{shown}");
        let after = project.text("compose.yaml");
        for name in ["POSTGRES", "MYSQL", "MARIADB"] {
            let is_moved = after.contains(&format!("{name}_PASSWORD_FILE"));
            assert_eq!(is_moved, moved.contains(&name), "{name} after {answers:?}: {shown}{after}");
        }
        assert_eq!(project.path(".cosec").exists(), !moved.is_empty());
    }
    let project = project(compose);
    let ran = project.cosec(&["fix", "--interactive", "--write"]).succeeds();
    assert!(ran.stderr.contains("standard input is none"), "{}", ran.stderr);
    assert!(!project.path(".cosec").exists());
}

#[test]
fn a_line_is_not_added_again_and_again_for_a_secret_behind_a_link() {
    let project = project("services: {db: {image: x, secrets: [pw]}}\nsecrets: {pw: {file: ./pw}}\n");
    project.write("real/pw", "canary");
    std::os::unix::fs::symlink("real/pw", project.path("pw")).unwrap();
    for file in ["./pw", "./linked/pw"] {
        project.write(
            "compose.yaml",
            format!("services: {{db: {{image: x, secrets: [pw]}}}}\nsecrets: {{pw: {{file: {file}}}}}\n"),
        );
        let ran = project.cosec(&["fix", "--write", "--rule", "secret-file-not-ignored"]).succeeds();
        assert!(ran.stderr.contains("is a link to"), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(project.text(".gitignore"), "");
        let _ = std::os::unix::fs::symlink("real", project.path("linked"));
    }
    project.write("real/env", "DB_PASSWORD=canary\n");
    std::os::unix::fs::symlink("real/env", project.path(".env")).unwrap();
    let ran = project.cosec(&["fix", "--write", "--rule", "dotenv-not-ignored"]).succeeds();
    assert!(ran.stderr.contains(".env is a link to"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_file_keeps_its_mode_for_whoever_has_it_as_a_volume_or_a_config() {
    let head = "services:\n  db: {image: x, secrets: [pw]}\n";
    let tail = "secrets: {pw: {file: ./keys/pw}}\n";
    for other in [
        "  web: {image: x, volumes: ['./keys/pw:/pw:ro']}\n",
        "  web: {image: x, volumes: ['./keys:/keys:ro']}\n",
        "  web: {image: x, configs: [pw]}\nconfigs: {pw: {file: ./keys/pw}}\n",
        "",
    ] {
        let project = project(&format!("{head}{other}{tail}"));
        project.write("keys/pw", "canary");
        let path = project.path("keys/pw");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(project.directory(), fs::Permissions::from_mode(0o755)).unwrap();
        let ran = project.cosec(&["fix", "--unsafe", "--write", "--rule", "secret-file-mode"]);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if other.is_empty() { 0o600 } else { 0o644 }, "{other}{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a_copied_file_that_a_service_mounts_keeps_its_mode() {
    let project = project("services:\n  a: {build: .}\n  b: {image: x, volumes: ['./id_rsa:/id_rsa']}\n");
    project.write("Dockerfile", "FROM node\nCOPY id_rsa /x/\nRUN ssh -i /x/id_rsa a && rm /x/id_rsa\n");
    project.write("id_rsa", "canary");
    fs::set_permissions(project.path("id_rsa"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(project.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = project.cosec(&["fix", "--unsafe", "--write", "--rule", "docker-copy-secret"]);
    // Open to all, it would be a secret that is none.
    assert!(ran.stderr.contains("secret-file-mode"), "{}{}", ran.stdout, ran.stderr);
    let mode = fs::metadata(project.path("id_rsa")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o644);
}
