//! Fixes of whole files: what they become, byte for byte, and what is refused.

use super::*;
use crate::files::{MemoryFiles, parent};

/// What the files become, new ones among them, and why what is left is left.
fn fixed(given: &[(&str, &str)], path: &str, rules: &[&str]) -> (BTreeMap<String, String>, Vec<String>) {
    let mut files = MemoryFiles::default();
    for (path, text) in given {
        files.insert(*path, *text);
    }
    let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
    let mut environment = Environment::default();
    read_dotenv(&files, &mut Sources::default(), parent(path), &mut environment).unwrap();
    let options = FixOptions {
        lint: LintOptions::default(),
        environment: &environment,
        include_unsafe: true,
        rules: &rules,
        services: &[],
        accept: &|_, _| true,
    };
    let plan = plan(&files, path, &options).unwrap();
    let changed = plan.changed.iter().map(|file| (file.path.clone(), file.after.clone()));
    let made = plan.new_files.iter().map(|file| (file.path.clone(), file.content.0.clone()));
    let all: BTreeMap<String, String> = changed.chain(made).collect();
    let refused = plan.refused.iter().map(|refusal| refusal.reason.clone()).collect();
    // What is fixed stays fixed.
    for (path, text) in &all {
        files.insert(path.as_str(), text.as_str());
    }
    let again = super::plan(&files, path, &options).unwrap();
    assert!(again.fixes.is_empty(), "a second run does more: {:?}", again.fixes);
    (all, refused)
}

/// What one file becomes by the fixes of one rule; nothing is refused.
fn becomes(path: &str, before: &str, rule: &str) -> String {
    let (files, refused) = fixed(&[(path, before)], path, &[rule]);
    assert_eq!(refused, [""; 0]);
    files.get(path).cloned().unwrap_or_default()
}

/// Nothing is changed, for this reason.
fn is_refused(given: &[(&str, &str)], path: &str, rule: &str, why: &str) {
    let (files, refused) = fixed(given, path, &[rule]);
    assert!(
        files.is_empty() && refused.iter().any(|reason| reason.contains(why)),
        "{given:?}: {why}: {refused:?}"
    );
}

#[test]
fn a_secret_that_nobody_gets_goes_and_its_neighbours_stay() {
    let rule = "secret-unused";
    let head = "services:\n  a: {image: x, secrets: [b]}\n";
    let cases = [
        (
            "# all\nsecrets:\n  # the first\n  a:\n    file: ./a # why\n  b: {file: ./b}\n  c:\n    file: ./c\n# end\n",
            "# all\nsecrets:\n  # the first\n  b: {file: ./b}\n# end\n",
        ),
        ("secrets: {a: {file: ./a}, b: {file: ./b}, c: {file: ./c}}\n", "secrets: {b: {file: ./b}}\n"),
        ("secrets: {b: {file: ./b}, c: {file: ./c}, d: {file: ./d}}\n", "secrets: {b: {file: ./b}}\n"),
    ];
    for (before, after) in cases {
        let text = becomes("compose.yaml", &format!("{head}{before}"), rule);
        assert_eq!(text, format!("{head}{after}"));
    }
    let all = "services:\r\n  a: {image: x}\r\nsecrets:\r\n  a:\r\n    file: ./a\r\nvolumes: {}\r\n";
    assert_eq!(becomes("compose.yaml", all, rule), "services:\r\n  a: {image: x}\r\nvolumes: {}\r\n");
    let flow = "{services: {a: {image: x}}, secrets: {a: {file: ./a}}}";
    assert_eq!(becomes("compose.yaml", flow, rule), "{services: {a: {image: x}}}");
    let anchored = "services: {a: {image: x}}\nsecrets:\n  a: &it\n    file: ./a\nx-b: *it\n";
    is_refused(&[("compose.yaml", anchored)], "compose.yaml", rule, "anchor");
}

#[test]
fn a_secret_goes_and_another_comes_at_the_same_place() {
    let text = "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: x1y2\nsecrets:\n  old:\n    file: ./old\n";
    let (files, refused) = fixed(&[("compose.yaml", text)], "compose.yaml", &[]);
    assert_eq!(refused, [""; 0]);
    let expected = "secrets:\n  postgres_password:\n    file: ./secrets/postgres_password\n";
    assert!(files["compose.yaml"].ends_with(expected), "{}", files["compose.yaml"]);
}

#[test]
fn a_lost_dollar_is_kept_where_nobody_can_have_meant_a_variable() {
    let rule = "dollar-mangled";
    let file = |value: &str| {
        format!(
            "services:\n  a:\n    image: x\n    labels:\n      t.users: {value}\n    environment:\n      - \"DB_PASSWORD=pa$sword\" # c\n"
        )
    };
    let (hash, kept) = ("u:$apr1$H6us$IgXL", "u:$$apr1$$H6us$$IgXL");
    let after = becomes("compose.yaml", &file(hash), rule);
    assert_eq!(after, file(kept).replace("pa$sword", "pa$$sword"));
    assert_eq!(
        becomes("a.env", "A=1\nDB_PASSWORD=pa$sword # c\n", rule),
        "A=1\nDB_PASSWORD='pa$sword' # c\n"
    );
    assert_eq!(becomes("a.env", "DB_PASSWORD=\"pa$sword\"\n", rule), "DB_PASSWORD='pa$sword'\n");
    let set = [("compose.yaml", file("x")), (".env", "sword=1\n".to_owned())];
    let set: Vec<(&str, &str)> = set.iter().map(|(path, text)| (*path, text.as_str())).collect();
    is_refused(&set, "compose.yaml", rule, "is set");
    let block = "services: {a: {image: x, environment: {DB_PASSWORD: \"a\\x41$b\"}}}\n";
    is_refused(&[("compose.yaml", block)], "compose.yaml", rule, "escapes");
    is_refused(&[("a.env", "DB_PASSWORD=\"it's$b\"\n")], "a.env", rule, "quotes");
}

#[test]
fn a_mounted_secret_is_required_however_the_mount_is_written() {
    let rule = "docker-mount-unrequired";
    let before = "FROM a\nRUN --mount=type=secret,id=x --mount=\"type=secret,id=y\" \\\n  --mount=type=secret,id=x,env=Z echo # x\n";
    let after = "FROM a\nRUN --mount=type=secret,id=x,required=true --mount=\"type=secret,id=y,required=true\" \\\n  --mount=type=secret,id=x,env=Z,required=true echo # x\n";
    // Whether a build without it is meant, only the project can tell.
    is_refused(&[("Dockerfile", before)], "Dockerfile", rule, "no Compose file that builds with this");
    let (files, _) = fixed(
        &[
            (
                "compose.yaml",
                "services: {a: {build: {context: ., secrets: [x, y]}}}\nsecrets: {x: {file: x}, y: {file: y}}\n",
            ),
            ("Dockerfile", before),
        ],
        "compose.yaml",
        &[rule],
    );
    assert_eq!(files["Dockerfile"], after);
}

const NODE: &str =
    "FROM node\nARG NPM_TOKEN=q9Zt-41x\nRUN npm config set t $NPM_TOKEN && npm ci # ok\nRUN ls\n";

#[test]
fn a_secret_of_a_build_is_mounted_where_it_is_named_and_nowhere_else() {
    let cases = [
        (
            "services:\n  a:\n    build: . # here\n    image: x\n",
            "services:\n  a:\n    build:\n      context: .\n      secrets:\n        - npm_token # here\n    image: x\n\nsecrets:\n  npm_token:\n    file: ./secrets/npm_token\n",
            "q9Zt-41x",
        ),
        (
            "services:\n  a: {build: .}\n  b: {build: {context: ., secrets: [s]}}\nsecrets: {s: {file: ./s}}\n",
            "services:\n  a: {build: {context: ., secrets: [npm_token]}}\n  b: {build: {context: ., secrets: [s, npm_token]}}\nsecrets: {s: {file: ./s}, npm_token: {file: ./secrets/npm_token}}\n",
            "q9Zt-41x",
        ),
        (
            "services:\n  a:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: z8-41x$$q\n",
            "services:\n  a:\n    build:\n      context: .\n      secrets:\n        - npm_token\n\nsecrets:\n  npm_token:\n    file: ./secrets/npm_token\n",
            "z8-41x$q",
        ),
        (
            "services:\n  a:\n    build:\n      args:\n        - A=b\n        - NPM_TOKEN=z8-41x\n      context: .\n      secrets: [s]\nsecrets:\n  s: {file: ./s}\n",
            "services:\n  a:\n    build:\n      args:\n        - A=b\n      context: .\n      secrets: [s, npm_token]\nsecrets:\n  s: {file: ./s}\n  npm_token:\n    file: ./secrets/npm_token\n",
            "z8-41x",
        ),
        (
            "services:\n  a:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n",
            "services:\n  a:\n    build:\n      context: .\n      secrets:\n        - npm_token\n\nsecrets:\n  npm_token:\n    environment: NPM_TOKEN\n",
            "",
        ),
    ];
    for (compose, after, value) in cases {
        let given = [("compose.yaml", compose), ("Dockerfile", NODE)];
        let (files, refused) = fixed(&given, "compose.yaml", &["docker-arg-secret", "secret-in-build-arg"]);
        assert_eq!(refused, [""; 0], "{compose}");
        assert_eq!(files["compose.yaml"], after);
        assert_eq!(
            files["Dockerfile"],
            "FROM node\nRUN --mount=type=secret,id=npm_token,env=NPM_TOKEN,required=true npm config set t $NPM_TOKEN && npm ci # ok\nRUN ls\n"
        );
        assert_eq!(files.get("secrets/npm_token").map_or("", String::as_str), value);
    }
}

#[test]
fn several_secrets_of_one_build_go_together_and_other_variables_stay() {
    let dockerfile = "FROM node\nARG A=1 NPM_TOKEN=q9Zt-41x B\nENV X=1 \\\n  DB_PASSWORD=z8-41x \\\n  Y=2\nRUN <<E\necho ${NPM_TOKEN} $DB_PASSWORD\nE\n";
    let given = [("compose.yaml", "services: {a: {build: .}}\n"), ("Dockerfile", dockerfile)];
    let (files, refused) = fixed(&given, "compose.yaml", &["docker-arg-secret", "docker-env-secret"]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        files["Dockerfile"],
        "FROM node\nARG A=1 B\nENV X=1 \\\n  Y=2\nRUN --mount=type=secret,id=npm_token,env=NPM_TOKEN,required=true --mount=type=secret,id=db_password,env=DB_PASSWORD,required=true <<E\necho ${NPM_TOKEN} $DB_PASSWORD\nE\n"
    );
    assert!(
        files["compose.yaml"]
            .starts_with("services: {a: {build: {context: ., secrets: [npm_token, db_password]}}}")
    );
    assert_eq!(files["secrets/db_password"], "z8-41x");
}

#[test]
fn what_a_mounted_secret_does_not_reach_is_refused_with_the_reason() {
    let compose = "services: {a: {build: .}}\n";
    let cases = [
        ("FROM a\nARG NPM_TOKEN=q9Zt-41x\nENV T=$NPM_TOKEN\nRUN echo $NPM_TOKEN\n", "ENV uses NPM_TOKEN"),
        ("FROM a\nARG NPM_TOKEN=q9Zt-41x\nRUN npm ci\n", "no RUN names NPM_TOKEN"),
        ("ARG NPM_TOKEN=q9Zt-41x\nFROM a\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN\n", "more than once"),
        (
            "FROM a\nARG NPM_TOKEN=q9Zt-41x\nRUN echo $NPM_TOKEN\nFROM b\nRUN echo $NPM_TOKEN\n",
            "does not reach",
        ),
        ("FROM a\nONBUILD ARG NPM_TOKEN=q9Zt-41x\nRUN echo $NPM_TOKEN\n", "ONBUILD"),
        ("# syntax=docker/dockerfile:1.4\nFROM a\nARG NPM_TOKEN=q9Zt-41x\nRUN echo $NPM_TOKEN\n", "syntax"),
        ("FROM a\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN\n", "by hand"),
        ("FROM a\nENV A=1 \\\n NPM_TOKEN=q9Zt-41x\nRUN echo $NPM_TOKEN\n", "one of its own"),
    ];
    for (dockerfile, why) in cases {
        let rule = if dockerfile.contains("ENV A") { "docker-env-secret" } else { "docker-arg-secret" };
        is_refused(&[("compose.yaml", compose), ("Dockerfile", dockerfile)], "compose.yaml", rule, why);
    }
    let known = "# syntax=docker/dockerfile:1.12-labs\n";
    let (files, _) =
        fixed(&[("compose.yaml", compose), ("Dockerfile", &format!("{known}{NODE}"))], "compose.yaml", &[]);
    assert!(files["Dockerfile"].starts_with(&format!("{known}FROM node\nRUN --mount")));
    is_refused(&[("Dockerfile", NODE)], "Dockerfile", "docker-arg-secret", "no Compose file");
    let kept = NODE.replace("npm config set t $NPM_TOKEN", "echo $NPM_TOKEN > x");
    let given = [("compose.yaml", compose), ("Dockerfile", kept.as_str())];
    is_refused(&given, "compose.yaml", "docker-arg-secret", "docker-mount-leak");
    let merged = "x-b: &b {context: .}\nservices: {a: {build: *b}}\n";
    is_refused(
        &[("compose.yaml", merged), ("Dockerfile", NODE)],
        "compose.yaml",
        "docker-arg-secret",
        "anchor",
    );
}

#[test]
fn a_value_of_an_env_file_moves_for_all_services_that_read_it() {
    let compose = "services:\n  db:\n    image: postgres\n    env_file: [db.env]\n  other:\n    image: postgres\n    env_file: db.env\n    environment: {POSTGRES_USER: x}\n    secrets: [s]\nsecrets:\n  s: {file: ./s}\n";
    let env = "# mine\nPOSTGRES_USER=u\nexport POSTGRES_PASSWORD=\"x1y2z\" # why\n";
    let given = [("compose.yaml", compose), ("db.env", env)];
    let (files, refused) = fixed(&given, "compose.yaml", &["env-file-secret"]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        files["db.env"],
        "# mine\nPOSTGRES_USER=u\nexport POSTGRES_PASSWORD_FILE=\"/run/secrets/postgres_password\" # why\n"
    );
    assert_eq!(
        files["compose.yaml"],
        "services:\n  db:\n    image: postgres\n    env_file: [db.env]\n    secrets:\n      - postgres_password\n  other:\n    image: postgres\n    env_file: db.env\n    environment: {POSTGRES_USER: x}\n    secrets: [s, postgres_password]\nsecrets:\n  s: {file: ./s}\n  postgres_password:\n    file: ./secrets/postgres_password\n"
    );
    assert_eq!(files["secrets/postgres_password"], "x1y2z");
    let cases = [
        (compose.replacen("image: postgres", "image: redis", 1), env.to_owned(), "service db reads the file"),
        (compose.replace("POSTGRES_USER: x", "POSTGRES_PASSWORD: $$"), env.to_owned(), "in `environment:`"),
        (compose.to_owned(), env.replace("x1y2z", "x1${y}z"), "variables"),
        (compose.to_owned(), format!("{env}POSTGRES_PASSWORD=b1c2\n"), "more than once"),
        (compose.replace("db.env", "c.env"), env.to_owned(), "no service reads it"),
        (
            compose.replace(
                "POSTGRES_USER: x}",
                "POSTGRES_USER: x}\n  last:\n    environment: [POSTGRES_PASSWORD]",
            ),
            env.to_owned(),
            "uses it elsewhere",
        ),
    ];
    for (compose, env, why) in cases {
        let path = if why == "no service reads it" { ".env" } else { "db.env" };
        let given = [("compose.yaml", compose.as_str()), (path, env.as_str()), ("c.env", "")];
        is_refused(&given, "compose.yaml", "env-file-secret", why);
    }
}

#[test]
fn moves_of_one_service_share_its_grants_wherever_the_values_come_from() {
    let compose = "services:\n  db:\n    image: mysql\n    env_file: db.env\n    environment:\n      MYSQL_ROOT_PASSWORD: x1y2z\n";
    let given = [("compose.yaml", compose), ("db.env", "MYSQL_PASSWORD=q9zt41\n")];
    let (files, refused) = fixed(&given, "compose.yaml", &[]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(files["compose.yaml"].matches("secrets:\n").count(), 2, "{}", files["compose.yaml"]);
    assert_eq!(
        (files["secrets/mysql_root_password"].as_str(), files["secrets/mysql_password"].as_str()),
        ("x1y2z", "q9zt41")
    );
}

#[test]
fn a_variable_that_something_else_in_the_container_needs_stays() {
    let rule = "inline-password";
    let compose = "services:\n  db:\n    image: mysql\n    environment: {MYSQL_ROOT_PASSWORD: x1y2z}\n    healthcheck: {test: mysqladmin ping -p$$MYSQL_ROOT_PASSWORD}\n";
    is_refused(&[("compose.yaml", compose)], "compose.yaml", rule, "`healthcheck` reads");
    let file = [
        ("compose.yaml", "services: {db: {image: mysql, environment: {MYSQL_PASSWORD: x1y2z}}}\n"),
        ("secrets", ""),
    ];
    is_refused(&file, "compose.yaml", rule, "is a file");
}

/// What is made of these files, `variables` read from the file that `--env-file` names.
fn planned(
    given: &[(&str, &str)],
    lint: LintOptions,
    env_file: &str,
) -> (BTreeMap<String, String>, Vec<String>) {
    let mut files = MemoryFiles::default();
    for (path, text) in given {
        files.insert(*path, *text);
    }
    let (mut sources, mut environment) = (Sources::default(), Environment::default());
    if let Ok(text) = files.read(env_file) {
        let file = sources.add(env_file, text);
        add_env_files(&sources, &[file], &mut environment, Missing::Allow).unwrap();
    }
    let options = FixOptions {
        lint,
        environment: &environment,
        include_unsafe: true,
        rules: &[],
        services: &[],
        accept: &|_, finding| finding.path.starts_with("services."),
    };
    let plan = plan(&files, "compose.yaml", &options).unwrap();
    let changed = plan.changed.iter().map(|file| (file.path.clone(), file.after.clone()));
    let made = plan.new_files.iter().map(|file| (file.path.clone(), file.content.0.clone()));
    let notes = plan.fixes.iter().flat_map(|fix| fix.notes.clone()).collect();
    (changed.chain(made).collect(), notes)
}

const ASKING: &str =
    "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: ${PW:?}\n";

#[test]
fn a_value_leaves_the_env_file_that_has_it_and_no_other() {
    let given = [("compose.yaml", ASKING), (".env", "OTHER=q9zt41\nA=b\n"), ("prod.env", "PW=x1y2z\nB=c\n")];
    let (files, _) = planned(&given, LintOptions::default(), "prod.env");
    assert_eq!(files["prod.env"], "B=c\n");
    assert!(!files.contains_key(".env"), "another file lost a line");
    assert_eq!(files["secrets/postgres_password"], "x1y2z");
}

#[test]
fn a_variable_that_another_file_beside_it_names_stays_in_env() {
    for (other, stays) in [("compose.backup.yaml", true), ("dump.sh", true), ("notes.md", false)] {
        let given = [("compose.yaml", ASKING), (".env", "PW=x1y2z\n"), (other, "a: ${PW:?}\n")];
        let (files, notes) = planned(&given, LintOptions::default(), ".env");
        assert_eq!(files.get(".env").map(String::as_str), (!stays).then_some(""), "{other}");
        assert_eq!(notes.iter().any(|note| note.contains(&format!("{other} names it"))), stays, "{notes:?}");
    }
}

#[test]
fn secrets_lie_where_compose_looks_for_them_under_another_project_directory() {
    let lint = LintOptions { directory: Some("run".to_owned()), ..LintOptions::default() };
    let text = ASKING.replace("${PW:?}", "x1y2z");
    let (files, _) = planned(&[("compose.yaml", &text)], lint, "");
    assert_eq!(files["run/secrets/postgres_password"], "x1y2z");
    assert!(files["compose.yaml"].contains("file: ./secrets/postgres_password"));
    assert_eq!(files["run/.gitignore"], "/secrets/\n");
}

#[test]
fn equal_values_of_two_meanings_are_two_secrets() {
    let shared = |left: (&str, &str), right: (&str, &str)| {
        let service = |name: &str, (image, variable): (&str, &str)| {
            format!("  {name}:\n    image: {image}\n    environment: {{{variable}: x1y2z}}\n")
        };
        let text = format!("services:\n{}{}", service("a", left), service("b", right));
        let (files, refused) = fixed(&[("compose.yaml", &text)], "compose.yaml", &["inline-password"]);
        assert_eq!(refused, [""; 0]);
        files.keys().filter(|path| path.starts_with("secrets/")).count() == 1
    };
    let (mysql, root) = (("mysql", "MYSQL_PASSWORD"), ("mysql", "MYSQL_ROOT_PASSWORD"));
    let (postgres, client) = (("postgres", "POSTGRES_PASSWORD"), ("wordpress", "WORDPRESS_DB_PASSWORD"));
    assert!(shared(mysql, client) && shared(client, postgres) && shared(root, root));
    assert!(!shared(root, ("grafana/grafana", "GF_SECURITY_ADMIN_PASSWORD")));
    assert!(!shared(root, client) && !shared(mysql, postgres));
}

#[test]
fn a_file_that_is_json_stays_json() {
    let cases = [
        "{\"services\": {\"db\": {\"image\": \"postgres\", \"environment\": {\"POSTGRES_PASSWORD\": \"x1y2z\"}}}}",
        "{\"services\": {\"db\": {\"image\": \"postgres\", \"environment\": [\"POSTGRES_PASSWORD=x1y2z\"], \"secrets\": []}}, \"secrets\": {}}",
        "{\"services\": {\"db\": {\"image\": \"postgres\", \"environment\": {\"POSTGRES_PASSWORD\": 123456}, \"secrets\": [\"s\"]}}, \"secrets\": {\"s\": {\"file\": \"./s\"}}}",
    ];
    for text in cases {
        let (files, refused) = fixed(&[("compose.yaml", text)], "compose.yaml", &["inline-password"]);
        assert_eq!(refused, [""; 0], "{text}");
        let after: serde_json::Value = serde_json::from_str(&files["compose.yaml"]).unwrap();
        let own = &after["secrets"]["postgres_password"]["file"];
        assert_eq!(own, "./secrets/postgres_password");
    }
    let mode = "{\"services\": {\"a\": {\"image\": \"x\", \"secrets\": [{\"source\": \"s\", \"mode\": 400}]}}, \"secrets\": {\"s\": {\"file\": \"./s\"}}}";
    let after = becomes("compose.yaml", mode, "secret-mode-decimal");
    assert_eq!(after, mode.replace("400", "\"0400\""));
    let builds = [
        "{\"services\": {\"a\": {\"build\": \".\"}}}",
        "{\n  \"services\": {\n    \"a\": {\n      \"build\": \".\",\n      \"image\": \"x\"\n    }\n  }\n}\n",
        "{\"services\": {\"a\": {\"build\": {\"context\": \".\", \"args\": {\"NPM_TOKEN\": \"q9Zt-41x\"}}}}}",
        "{\"services\": {\"a\": {\"build\": {\"args\": [\"NPM_TOKEN=q9Zt-41x\", \"A=b\"], \"context\": \".\", \"secrets\": []}}}}",
    ];
    for text in builds {
        let given = [("compose.yaml", text), ("Dockerfile", NODE)];
        let (files, refused) = fixed(&given, "compose.yaml", &["docker-arg-secret", "secret-in-build-arg"]);
        assert_eq!(refused, [""; 0], "{text}");
        let after: serde_json::Value = serde_json::from_str(&files["compose.yaml"]).unwrap();
        let build = &after["services"]["a"]["build"];
        assert_eq!((&build["context"], &build["secrets"][0]), (&".".into(), &"npm_token".into()), "{after}");
    }
    let quoted =
        "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: 'x1y2z'\n";
    let after = becomes("compose.yaml", quoted, "inline-password");
    assert!(after.contains("POSTGRES_PASSWORD_FILE: '/run/secrets/postgres_password'"), "{after}");
}

#[test]
fn a_number_reaches_the_file_as_compose_writes_it() {
    let text = ASKING.replace("${PW:?}", "1e9");
    let (files, _) = fixed(&[("compose.yaml", &text)], "compose.yaml", &["inline-password"]);
    assert_eq!(files["secrets/postgres_password"], "1e+09");
}

#[test]
fn git_does_not_take_a_new_secret_though_a_line_takes_the_ignoring_back() {
    let text = ASKING.replace("${PW:?}", "x1y2z");
    let given = [("compose.yaml", text.as_str()), (".gitignore", "/secrets/\n!/secrets/\n")];
    let (files, refused) = fixed(&given, "compose.yaml", &["inline-password"]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(files[".gitignore"], "/secrets/\n!/secrets/\n/secrets/\n");
}

#[test]
fn a_refusal_says_what_is_wrong_and_says_it_once() {
    let rule = "inline-password";
    let empty = ASKING.replace("${PW:?}", "x1y2z\n    secrets:");
    is_refused(&[("compose.yaml", &empty)], "compose.yaml", rule, "is there and empty");
    let bare = "services: {db: {environment: {POSTGRES_PASSWORD: x1y2z}}}\n";
    let (_, refused) = fixed(&[("compose.yaml", bare)], "compose.yaml", &[]);
    assert!(!refused.iter().any(|reason| reason.contains("built here")), "{refused:?}");
    let once: HashSet<&String> = refused.iter().collect();
    assert_eq!(once.len(), refused.len(), "{refused:?}");
}

#[test]
fn a_default_that_others_share_is_said_to_part_from_them() {
    let text = ASKING.replace("${PW:?}", "${PW:-x1y2z}") + "  a: {image: x, labels: {l: '${PW:-x1y2z}'}}\n";
    let (_, notes) = planned(&[("compose.yaml", &text)], LintOptions::default(), "");
    assert!(notes.iter().any(|note| note.contains("no longer follows PW")), "{notes:?}");
}

#[test]
fn a_diff_shows_names_that_people_check_and_no_name_that_is_a_password() {
    let text = "services:\n  db:\n    image: postgres:16\n    environment:\n      canary7xq: b\n      POSTGRES_PASSWORD: canary7xq\n    ports: ['5432:5432']\n  app:\n    build: canary7xq\n  flow: {build: canary7xq}\n";
    let mut files = MemoryFiles::default();
    files.insert("compose.yaml", text);
    files.insert("canary7xq/Dockerfile", NODE);
    let options = FixOptions {
        lint: LintOptions::default(),
        environment: &Environment::default(),
        include_unsafe: true,
        rules: &[],
        services: &[],
        accept: &|_, _| true,
    };
    let plan = plan(&files, "compose.yaml", &options).unwrap();
    let (before, after) = &plan.changed.iter().find(|file| file.path == "compose.yaml").unwrap().shown;
    for shown in [before, after] {
        assert!(shown.contains("image: postgres:16") && shown.contains("5432:5432"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert_eq!(after.matches("- npm_token\n").count() + after.matches("[npm_token]").count(), 2, "{after}");
}

/// A project whose `environment:` wins over a line of an env file.
const SHADOWING: &str = "services:\n  db:\n    image: postgres\n    env_file: [db.env]\n    environment:\n      POSTGRES_PASSWORD: x1y2z\n";

#[test]
fn the_value_that_wins_moves_and_the_line_that_it_won_over_does_not_come_alive_again() {
    let rule = "inline-password";
    let env = "# mine\nPOSTGRES_USER=u\nexport POSTGRES_PASSWORD=\"q9zt41\" # old\nTZ=UTC\n";
    let (files, refused) = fixed(&[("compose.yaml", SHADOWING), ("db.env", env)], "compose.yaml", &[rule]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(files["secrets/postgres_password"], "x1y2z", "what `environment:` says wins");
    assert_eq!(files["db.env"], "# mine\nPOSTGRES_USER=u\nTZ=UTC\n");
    let given = [("compose.yaml", SHADOWING), ("db.env", env)];
    is_refused(&given, "compose.yaml", "env-file-secret", "which wins over it");
    let all = fixed(&given, "compose.yaml", &[]);
    assert_eq!((&all.0, all.1), (&files, refused), "both findings are mended by the one move");

    // Where all who read the file win over it, and all who ask for the variable move.
    let both = "services:\n  db:\n    image: postgres\n    env_file: [.env]\n    environment:\n      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}\n  app:\n    image: wordpress\n    env_file: .env\n    environment:\n      POSTGRES_PASSWORD: \"\"\n      WORDPRESS_DB_PASSWORD: ${POSTGRES_PASSWORD}\n";
    let given = [("compose.yaml", both), (".env", "POSTGRES_PASSWORD=x1y2z\nTZ=UTC\n")];
    let (files, notes) = planned(&given, LintOptions::default(), ".env");
    assert_eq!(files[".env"], "TZ=UTC\n", "{notes:?}");
    assert_eq!(files["secrets/postgres_password"], "x1y2z");
    assert_eq!(files["compose.yaml"].matches("_FILE: /run/secrets/postgres_password\n").count(), 2);
}

#[test]
fn a_line_that_environment_wins_over_stays_where_anyone_may_need_it_and_so_does_the_variable() {
    let env = "POSTGRES_PASSWORD=q9zt41\n";
    let more = |text: &str| format!("{SHADOWING}{text}");
    let cases = [
        (more("  app:\n    image: redis\n    env_file: db.env\n"), env, "service app has it from there"),
        (
            more("  app:\n    image: redis\n    labels: {l: '${POSTGRES_PASSWORD}'}\n"),
            env,
            "uses it elsewhere",
        ),
        (more("  app:\n    image: redis\n    environment: [POSTGRES_PASSWORD]\n"), env, "uses it elsewhere"),
        (SHADOWING.to_owned(), "POSTGRES_PASSWORD=${OTHER}\n", "variables, escapes"),
        (SHADOWING.to_owned(), "POSTGRES_PASSWORD=\"a\nb\"\n", "several lines"),
        (SHADOWING.to_owned(), "POSTGRES_PASSWORD\n", "uses POSTGRES_PASSWORD"),
        (SHADOWING.to_owned(), "POSTGRES_PASSWORD=q9zt41\nBAD='\n", "for certain"),
        (SHADOWING.replace("[db.env]", "[{path: db.env, format: raw}]"), env, "for certain"),
        (SHADOWING.to_owned(), "POSTGRES_PASSWORD_FILE=/x\n", "sets POSTGRES_PASSWORD_FILE already"),
        (SHADOWING.replace("db.env", "../db.env"), env, "outside"),
    ];
    for (compose, env, why) in &cases {
        let path = if *why == "outside" { "../db.env" } else { "db.env" };
        let given = [("compose.yaml", compose.as_str()), (path, env)];
        is_refused(&given, "compose.yaml", "inline-password", why);
    }
    for (other, text) in
        [("compose.dev.yaml", "a: {env_file: ./db.env}\n"), ("dump.sh", "pg_dump $POSTGRES_PASSWORD")]
    {
        let given = [("compose.yaml", SHADOWING), ("db.env", env), (other, text)];
        is_refused(&given, "compose.yaml", "inline-password", &format!("{other} names it"));
    }
}

#[test]
fn a_value_that_an_env_file_makes_with_a_variable_keeps_it() {
    let url = "URL=postgres://u:${POSTGRES_PASSWORD}@db\n";
    let given = [("compose.yaml", SHADOWING), ("db.env", url)];
    is_refused(&given, "compose.yaml", "inline-password", "db.env of `env_file:` uses POSTGRES_PASSWORD");
    let alone = SHADOWING.replace("    environment:\n      POSTGRES_PASSWORD: x1y2z\n", "");
    let env = format!("POSTGRES_PASSWORD=q9zt41\n{url}");
    let given = [("compose.yaml", alone.as_str()), ("db.env", env.as_str())];
    is_refused(&given, "compose.yaml", "env-file-secret", "db.env of `env_file:` uses it");
    for section in ["secrets", "configs"] {
        let more = format!("{ASKING}{section}:\n  s: {{environment: PW}}\n");
        let (files, _) =
            planned(&[("compose.yaml", &more), (".env", "PW=x1y2z\n")], LintOptions::default(), ".env");
        assert!(files.contains_key("secrets/postgres_password") && !files.contains_key(".env"), "{section}");
    }
    // Compose takes it from `.env`, too.
    let app = format!("{ASKING}  app:\n    image: redis\n    env_file: app.env\n");
    let given = [("compose.yaml", app.as_str()), (".env", "PW=x1y2z\n"), ("app.env", "URL=redis://:$PW@r\n")];
    let (files, notes) = planned(&given, LintOptions::default(), ".env");
    assert!(!files.contains_key(".env") && notes.iter().any(|note| note.contains("app.env")), "{notes:?}");
}

const DATABASE: &str =
    "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: q9zt41\n";

#[test]
fn a_password_stays_where_the_image_s_own_entry_point_may_not_be_what_runs() {
    for (line, why) in [
        ("    build: ./db\n", "built here"),
        ("    entrypoint: [/app/start]\n", "`entrypoint` takes the place"),
        ("    labels: {job: 'sh -c \"pg_dump $$POSTGRES_PASSWORD\"'}\n", "`labels` reads POSTGRES_PASSWORD"),
    ] {
        let text = format!("{DATABASE}{line}");
        is_refused(&[("compose.yaml", &text)], "compose.yaml", "inline-password", why);
    }
}

#[test]
fn a_file_that_others_extend_keeps_its_password_since_its_secrets_do_not_come_along() {
    let other = "services:\n  web:\n    extends:\n      file: base.yaml\n      service: db\n";
    let given = [("base.yaml", DATABASE), ("compose.yaml", other)];
    is_refused(&given, "base.yaml", "inline-password", "compose.yaml extends services of this file");
}

#[test]
fn a_line_of_dotenv_stays_for_files_in_directories_below_that_name_it() {
    for other in
        ["ops/dev/compose.yaml", "scripts/deep/backup.sh", ".envrc", "package.json", "docker-bake.hcl"]
    {
        let given = [("compose.yaml", ASKING), (".env", "PW=x1y2z\n"), (other, "a: ${PW}\n")];
        let (files, notes) = planned(&given, LintOptions::default(), ".env");
        let said = format!("{other} names it, too");
        assert!(!files.contains_key(".env") && notes.iter().any(|note| note.contains(&said)), "{notes:?}");
    }
    let given = [
        ("compose.yaml", ASKING),
        (".env", "PW=x1y2z\n"),
        ("src/settings.py", "PW"),
        ("node_modules/a/b.sh", "PW"),
    ];
    let (files, _) = planned(&given, LintOptions::default(), ".env");
    assert!(files.contains_key(".env"), "what runs in containers, and other people's files, need no line");
}

#[test]
fn a_weak_value_is_said_to_be_weak_wherever_it_stands() {
    for value in ["${PW:-changeme}", "password"] {
        let text = DATABASE.replace("q9zt41", value);
        let (_, notes) = planned(&[("compose.yaml", &text)], LintOptions::default(), ".env");
        assert!(notes.iter().any(|note| note.contains("rotate it: the value is weak")), "{value}: {notes:?}");
    }
}

#[test]
fn one_env_file_that_is_read_as_it_stands_does_not_keep_the_others() {
    let compose = "services:\n  db:\n    image: postgres\n    env_file: db.env\n  raw:\n    image: redis\n    env_file: [{path: raw.env, format: raw}]\n";
    let given = [("compose.yaml", compose), ("db.env", "POSTGRES_PASSWORD=x1y2z\n"), ("raw.env", "A=b\n")];
    let (files, refused) = fixed(&given, "compose.yaml", &["env-file-secret"]);
    assert_eq!(
        (refused.len(), files["db.env"].as_str()),
        (0, "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password\n")
    );
    let raw = compose.replace("path: raw.env", "path: db.env");
    is_refused(
        &[("compose.yaml", &raw), ("db.env", given[1].1)],
        "compose.yaml",
        "env-file-secret",
        "format: raw",
    );
}

#[test]
fn nothing_is_called_left_that_goes() {
    let env = [("compose.yaml", ASKING), (".env", "PW=x1y2z\nA=b\n")];
    let (files, refused) = fixed(&env, "compose.yaml", &[]);
    assert_eq!((files[".env"].as_str(), refused.as_slice()), ("A=b\n", &[][..]));
    let given = "services: {a: {build: {context: ., args: {NPM_TOKEN: '${NPM_TOKEN}'}}}}\n";
    let (_, refused) = fixed(&[("compose.yaml", given), ("Dockerfile", NODE)], "compose.yaml", &[]);
    assert_eq!(refused, [""; 0]);
}

#[test]
fn what_extends_brings_within_a_file_moves_from_all_services_or_from_none() {
    let more = "  other:\n    extends: {service: db}\n    environment: {A: b}\n";
    let text = format!("{DATABASE}{more}");
    let (files, refused) = fixed(&[("compose.yaml", &text)], "compose.yaml", &["inline-password"]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        files["compose.yaml"].matches("_FILE: /run/secrets/postgres_password\n    secrets:\n").count(),
        1
    );
    assert!(files["compose.yaml"].contains(more), "{}", files["compose.yaml"]);
    let list = text.replace("POSTGRES_PASSWORD: q9zt41", "- POSTGRES_PASSWORD=q9zt41");
    let (files, refused) = fixed(&[("compose.yaml", &list)], "compose.yaml", &["inline-password"]);
    assert_eq!((refused.len(), files.contains_key("secrets/postgres_password")), (0, true));
    let unknown = text.replace("{A: b}", "{A: b}\n    image: redis");
    is_refused(
        &[("compose.yaml", &unknown)],
        "compose.yaml",
        "inline-password",
        "service other has it from here",
    );
    // It would be granted the other's secret, too.
    let own = text.replace("{A: b}", "{POSTGRES_PASSWORD: z8t7q6}");
    is_refused(&[("compose.yaml", &own)], "compose.yaml", "inline-password", "something else");
}

#[test]
fn a_mode_of_a_config_is_written_in_base_8_too() {
    let text = "services: {a: {image: x, configs: [{source: c, mode: 444}]}}\nconfigs: {c: {file: ./c}}\n";
    assert_eq!(becomes("compose.yaml", text, "secret-mode-decimal"), text.replace("444", "0444"));
}

#[test]
fn the_dockerfile_s_own_list_is_what_keeps_a_secret_out_of_the_image() {
    let compose = "services: {a: {build: {context: ., dockerfile: web.Dockerfile}, secrets: [s]}}\nsecrets: {s: {file: ./s}}\n";
    let mut given = vec![("compose.yaml", compose), ("web.Dockerfile", "FROM a\nCOPY . .\n"), ("s", "x")];
    let rule = &["secret-file-in-context"];
    assert_eq!(fixed(&given, "compose.yaml", rule).0[".dockerignore"], "s\n");
    given.push(("web.Dockerfile.dockerignore", "target"));
    let (files, refused) = fixed(&given, "compose.yaml", rule);
    assert_eq!((files["web.Dockerfile.dockerignore"].as_str(), refused.len()), ("target\ns\n", 0));
    assert!(!files.contains_key(".dockerignore"), "Docker does not read it");
}

#[test]
fn a_run_keeps_a_variable_that_what_it_starts_may_look_for() {
    let compose = "services: {a: {build: .}}\n";
    let dockerfile = "FROM node\nARG NPM_TOKEN=q9Zt-41x\nRUN apt-get update && mkdir -p /x\nRUN npm ci\nRUN test \"$NPM_TOKEN\"\n";
    let given = [("compose.yaml", compose), ("Dockerfile", dockerfile)];
    let (files, refused) = fixed(&given, "compose.yaml", &["docker-arg-secret"]);
    assert_eq!(refused, [""; 0]);
    let mount = "--mount=type=secret,id=npm_token,env=NPM_TOKEN,required=true";
    let after = format!(
        "FROM node\nRUN apt-get update && mkdir -p /x\nRUN {mount} npm ci\nRUN {mount} test \"$NPM_TOKEN\"\n"
    );
    assert_eq!(files["Dockerfile"], after);
    let child = "FROM node AS base\nARG NPM_TOKEN=q9Zt-41x\nRUN test $NPM_TOKEN\nFROM base\nRUN npm ci\n";
    let given = [("compose.yaml", compose), ("Dockerfile", child)];
    is_refused(&given, "compose.yaml", "docker-arg-secret", "built on its stage");
}

#[test]
fn a_build_that_does_without_an_unset_variable_goes_on_doing_so() {
    let compose = "services: {a: {build: {context: ., args: [NPM_TOKEN]}}}\n";
    let dockerfile = "FROM node\nARG NPM_TOKEN\nRUN npm config set t $NPM_TOKEN\n";
    let mut given = vec![("compose.yaml", compose), ("Dockerfile", dockerfile)];
    is_refused(&given, "compose.yaml", "docker-arg-secret", "NPM_TOKEN is not set here");
    given.push((".env", "NPM_TOKEN=x1y2z\n"));
    let (files, _) = fixed(&given, "compose.yaml", &["docker-arg-secret"]);
    assert!(
        files["compose.yaml"].contains("npm_token: \n")
            || files["compose.yaml"].contains("environment: NPM_TOKEN")
    );
}

#[test]
fn a_mark_at_the_top_of_a_file_outlives_its_first_line() {
    let given = [("compose.yaml", ASKING), (".env", "\u{feff}PW=x1y2z\nA=b\n")];
    let (files, _) = planned(&given, LintOptions::default(), ".env");
    assert_eq!(files[".env"], "\u{feff}A=b\n");
    let text = "\u{feff}secrets:\n  s: {file: ./s}\nservices: {a: {image: x}}\n";
    assert_eq!(becomes("compose.yaml", text, "secret-unused"), "\u{feff}services: {a: {image: x}}\n");
}

#[test]
fn a_path_in_a_password_s_place_gets_the_name_that_the_image_reads_paths_by() {
    let rule = "path-in-plain-key";
    let file = |entry: &str, more: &str| {
        format!(
            "services:\n  db:\n    image: postgres\n    environment:\n      {entry} # c\n    secrets: [pw{more}]\nsecrets: {{pw: {{file: ./pw}}, own: {{file: ./own}}}}\n"
        )
    };
    for entry in [
        "POSTGRES_PASSWORD: /run/secrets/pw",
        "'POSTGRES_PASSWORD': \"/run/secrets/pw\"",
        "- POSTGRES_PASSWORD=/run/secrets/pw",
        "- \"POSTGRES_PASSWORD=/run/secrets/pw\"",
    ] {
        let text = file(entry, ", own");
        assert_eq!(becomes("compose.yaml", &text, rule), text.replace("PASSWORD", "PASSWORD_FILE"));
    }
    let refused = |text: &str, why: &str| is_refused(&[("compose.yaml", text)], "compose.yaml", rule, why);
    refused(&file("POSTGRES_PASSWORD: /run/secrets/own", ""), "grant it first");
    let entry = "POSTGRES_PASSWORD: /run/secrets/pw";
    refused(&file(entry, "").replace("image: postgres", "image: redis"), "not known to read");
    refused(&file(&format!("{entry}\n      POSTGRES_PASSWORD_FILE: /x"), ""), "set already");
    refused(&file(entry, "]\n    labels: ['$$POSTGRES_PASSWORD'"), "`labels` reads");
}

#[test]
fn a_token_whose_variable_is_not_named_for_it_moves_as_a_password_does() {
    let token = "rk_test_q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6";
    for entry in ["MB_DB_CONNECTION_URI: ", "- MB_DB_CONNECTION_URI="] {
        let text = format!(
            "services:\n  a:\n    image: metabase/metabase\n    environment:\n      {entry}{token}\n"
        );
        let (files, refused) = fixed(&[("compose.yaml", &text)], "compose.yaml", &["known-token"]);
        assert_eq!(refused, [""; 0]);
        assert_eq!(files["secrets/mb_db_connection_uri"], token);
    }
    let label = format!("services: {{a: {{image: x, labels: {{l: {token}}}}}}}\n");
    is_refused(&[("compose.yaml", &label)], "compose.yaml", "known-token", "no variable of `environment:`");
}

#[test]
fn an_image_that_wants_a_mark_before_the_path_keeps_its_variable() {
    let text = "services:\n  a:\n    image: ghcr.io/goauthentik/server:2025.10\n    env_file: a.env\n    environment:\n      - AUTHENTIK_SECRET_KEY=x1y2z3\n      - 'AUTHENTIK_BOOTSTRAP_PASSWORD=q9zt41'\n";
    let given = [("compose.yaml", text), ("a.env", "AUTHENTIK_EMAIL__PASSWORD=z8t7q6\n")];
    let (files, refused) = fixed(&given, "compose.yaml", &["inline-password", "env-file-secret"]);
    assert!(refused.len() == 1 && refused[0].contains("AUTHENTIK_BOOTSTRAP_PASSWORD"), "{refused:?}");
    let after = &files["compose.yaml"];
    assert!(after.contains("- AUTHENTIK_SECRET_KEY=file:///run/secrets/authentik_secret_key\n"), "{after}");
    assert_eq!(files["a.env"], "AUTHENTIK_EMAIL__PASSWORD=file:///run/secrets/authentik_email__password\n");
    assert_eq!(files["secrets/authentik_secret_key"], "x1y2z3");
    let outside =
        "services: {a: {image: ghcr.io/goauthentik/server, environment: {AUTHENTIK_SECRET_KEY: '${KEY}'}}}\n";
    let after = becomes("compose.yaml", outside, "prefer-file-variant");
    assert!(after.contains("'file:///run/secrets/authentik_secret_key'"), "{after}");
}

#[test]
fn a_config_with_a_password_becomes_a_secret_at_the_same_path() {
    let rule = "secret-in-config";
    let text = "services:\n  a:\n    image: x\n    configs:\n      - plain\n      - source: my.conf\n        target: /etc/my.conf # c\nconfigs:\n  # the first\n  plain: {file: ./plain}\n  my.conf:\n    content: |\n      host: db # $$1\n      password: hunter2x\nvolumes: {}\n";
    let after = "services:\n  a:\n    image: x\n    configs:\n      - plain\n    secrets:\n      - source: my_conf_config\n        target: /etc/my.conf\nconfigs:\n  # the first\n  plain: {file: ./plain}\nvolumes: {}\n\nsecrets:\n  my_conf_config:\n    file: ./secrets/my_conf_config\n";
    let (files, refused) = fixed(&[("compose.yaml", text)], "compose.yaml", &[rule]);
    assert_eq!((files["compose.yaml"].as_str(), refused.len()), (after, 0));
    assert_eq!(files["secrets/my_conf_config"], "host: db # $1\npassword: hunter2x\n");
    let flow = "services: {a: {image: x, configs: [c], secrets: [s]}}\nconfigs: {c: {environment: DB_PASSWORD}}\nsecrets: {s: {file: ./s}}\n";
    assert_eq!(
        becomes("compose.yaml", flow, rule),
        "services: {a: {image: x, secrets: [s, {source: c_config, target: /c}]}}\nsecrets: {s: {file: ./s}, c_config: {environment: DB_PASSWORD}}\n"
    );
    let refused = |text: &str, why: &str| is_refused(&[("compose.yaml", text)], "compose.yaml", rule, why);
    refused(
        &text.replace("volumes: {}", "x: {a: &a 1}").replace("  my.conf:\n", "  my.conf: &c\n"),
        "anchor",
    );
    refused(&text.replace("host: db", "host: ${DB}"), "comes from a variable");
    refused(&text.replace("target: /etc/my.conf", "mode: 0440"), "an owner or a mode");
    refused(
        &format!("{text}  b:\n")
            .replace("volumes: {}\n  b:\n", "")
            .replace("services:\n", "services:\n  b: {image: x, configs: [my.conf]}\n"),
        "not just one service",
    );
}

#[test]
fn a_file_that_a_build_copies_uses_and_removes_is_mounted_for_that_command() {
    let rule = "docker-copy-secret";
    let compose = "services:\n  a:\n    build: ./app\n";
    let dockerfile = "FROM node\nRUN mkdir /x\n# for the clone\nCOPY id_rsa /root/.ssh/\nRUN git clone git@example.com:x \\\n    && rm -f /root/.ssh/id_rsa\nCOPY src /src\n";
    let given = |dockerfile: &str| {
        fixed(
            &[("compose.yaml", compose), ("app/Dockerfile", dockerfile), ("app/id_rsa", "x")],
            "compose.yaml",
            &[rule],
        )
    };
    let (files, refused) = given(dockerfile);
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        files["app/Dockerfile"],
        "FROM node\nRUN mkdir /x\n# for the clone\nRUN --mount=type=secret,id=id_rsa,target=/root/.ssh/id_rsa,required=true git clone git@example.com:x\nCOPY src /src\n"
    );
    assert_eq!(
        files["compose.yaml"],
        "services:\n  a:\n    build:\n      context: ./app\n      secrets:\n        - id_rsa\n\nsecrets:\n  id_rsa:\n    file: ./app/id_rsa\n"
    );
    for (from, to, why) in [
        (" \\\n    && rm -f /root/.ssh/id_rsa", "", "may need it later"),
        ("RUN git", "RUN chmod 600 /root/.ssh/id_rsa && git", "the RUN changes"),
        ("RUN git", "RUN umask 77 && chown -R root /root/.ssh && git", "the RUN changes"),
        ("RUN git", "RUN sudo -u node git", "the RUN changes"),
        ("RUN git", "RUN su-exec node git", "the RUN changes"),
        ("RUN git", "RUN cat ~/.ssh/id_rsa && git", "in other ways"),
        ("RUN git", "RUN ls /root/.ssh && git", "in other ways"),
        ("RUN git", "RUN cat /root/.ssh/id_rsa.pub && git", "in other ways"),
        (" \\\n    &&", " \\\n    # why\n    &&", "a comment"),
        ("RUN mkdir /x", "USER node", "USER node cannot"),
        ("FROM node\n", "FROM node AS base\nUSER 1000:1000\nFROM base\n", "USER 1000:1000 cannot"),
        ("COPY src /src", "CMD cat /root/.ssh/id_rsa", "CMD may need it"),
        ("COPY src /src", "FROM b\nCOPY id_rsa /y", "COPY may need it"),
        ("COPY src /src", "COPY . /src", "secret-file-in-context"),
        ("/root/.ssh/\n", ".ssh/id_rsa\n", "depends on others"),
        ("COPY id_rsa", "COPY --chmod=600 id_rsa", "more than a plain COPY"),
    ] {
        let (files, refused) = given(&dockerfile.replace(from, to));
        assert!(files.is_empty() && refused.iter().any(|reason| reason.contains(why)), "{why}: {refused:?}");
    }
}

#[test]
fn a_variable_that_names_a_file_already_is_not_moved_into_another() {
    let compose = "services:\n  a:\n    image: linuxserver/mariadb\n    environment:\n      MYSQL_ROOT_PASSWORD: x1y2z3w4\n";
    // A second run finds nothing to do.
    let (files, refused) = fixed(&[("compose.yaml", compose)], "compose.yaml", &[]);
    assert!(files["compose.yaml"].contains("FILE__MYSQL_ROOT_PASSWORD: /run/secrets/"), "{files:?}");
    assert_eq!(refused, [""; 0]);
    for value in ["x1y2z3w4", "${FROM_OUTSIDE}", "/run/secrets/other"] {
        let compose = compose.replace("MYSQL_ROOT", "FILE__MYSQL_ROOT").replace("x1y2z3w4", value);
        let (files, _) = fixed(&[("compose.yaml", &compose)], "compose.yaml", &[]);
        assert!(files.is_empty(), "{files:?}");
    }
}

#[test]
fn a_value_that_the_base_file_alone_has_from_an_env_file_stays_there() {
    let base = "services:\n  db:\n    image: postgres\n    env_file: db.env\n";
    let over = "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: x1y2z\n";
    let given =
        [("compose.yaml", base), ("compose.override.yaml", over), ("db.env", "POSTGRES_PASSWORD=q9zt41\n")];
    is_refused(&given, "compose.yaml", "inline-password", "where it is used alone");
}

#[test]
fn a_line_of_dotenv_stays_for_the_base_file_whose_value_another_replaces() {
    let web = [
        ("  web:\n    image: x\n    environment:\n      PW_COPY: ${PW:-changeme}\n", true),
        ("  web:\n    image: x\n    environment: [\"PW_COPY=${PW:-changeme}\"]\n", true),
        ("  web:\n    image: x\n    environment:\n      PW_COPY: other\n", false),
    ];
    for (web, stays) in web {
        let given = [
            ("compose.yaml", &*format!("{ASKING}{web}")),
            ("compose.override.yaml", "services:\n  web:\n    environment:\n      PW_COPY: dev\n"),
            (".env", "PW=x1y2z\n"),
        ];
        let (files, notes) = planned(&given, LintOptions::default(), ".env");
        assert_eq!(files.get(".env").map(String::as_str), (!stays).then_some(""), "{web}");
        assert_eq!(notes.iter().any(|note| note.contains("when read alone")), stays, "{notes:?}");
        assert_eq!(files["secrets/postgres_password"], "x1y2z");
    }
}

#[test]
fn an_empty_variable_is_no_unset_one_where_its_default_says_so() {
    let compose = |value: &str| ASKING.replace("${PW:?}", value);
    let (dash, colon) = (compose("${PW-x1y2z}"), compose("${PW:-x1y2z}"));
    let rule = "password-default";
    is_refused(&[("compose.yaml", &dash), (".env", "PW=\n")], "compose.yaml", rule, "set and empty");
    for given in
        [[("compose.yaml", dash.as_str()), (".env", "")], [("compose.yaml", &colon), (".env", "PW=\n")]]
    {
        let (files, refused) = fixed(&given, "compose.yaml", &[rule]);
        assert_eq!((files["secrets/postgres_password"].as_str(), refused), ("x1y2z", Vec::new()));
    }
}

#[test]
fn a_copied_file_is_mounted_where_root_reads_it_in_all_stages() {
    let dockerfile = "FROM node AS base\nUSER root\nFROM other AS alien\nUSER node\nFROM base\nCOPY id_rsa /x/\nRUN ssh -i /x/id_rsa a && rm /x/id_rsa\nUSER node\n";
    let given =
        [("compose.yaml", "services: {a: {build: .}}\n"), ("Dockerfile", dockerfile), ("id_rsa", "x")];
    let (files, refused) = fixed(&given, "compose.yaml", &["docker-copy-secret"]);
    assert_eq!(refused, [""; 0]);
    assert!(files["Dockerfile"].contains("target=/x/id_rsa,required=true ssh -i /x/id_rsa a\nUSER node\n"));
}

#[test]
fn a_line_break_at_the_end_of_a_quoted_value_is_asked_about() {
    let compose = ASKING.replace("${PW:?}", r#""x1y2z\n""#);
    is_refused(&[("compose.yaml", &compose)], "compose.yaml", "inline-password", "ends with a line break");
}

#[test]
fn a_secret_is_required_where_every_build_has_it() {
    let rule = "docker-mount-unrequired";
    let dockerfile = "FROM node\nRUN --mount=type=secret,id=npm npm ci\n";
    let with = "services:\n  a:\n    build: {context: ., secrets: [npm]}\nsecrets: {npm: {file: ./npm}}\n";
    let (files, refused) =
        fixed(&[("compose.yaml", with), ("Dockerfile", dockerfile)], "compose.yaml", &[rule]);
    assert!(files["Dockerfile"].contains("id=npm,required=true") && refused.is_empty(), "{refused:?}");
    for without in [with.replace("npm]", "]"), with.replace("npm]", "{source: npm, target: other}]")] {
        is_refused(
            &[("compose.yaml", &without), ("Dockerfile", dockerfile)],
            "compose.yaml",
            rule,
            "would fail",
        );
    }
}

#[test]
fn the_documentation_says_of_every_rule_what_its_fix_does() {
    let (done, left) = include_str!("../../../../docs/fix.md").split_once("Rules without a fix").unwrap();
    let rows = |text: &str| -> Vec<String> {
        let first = |line: &str| line.strip_prefix("| ")?.split(" |").next().map(str::to_owned);
        text.lines()
            .filter_map(first)
            .flat_map(|rules| rules.split(", ").map(str::to_owned).collect::<Vec<_>>())
            .collect()
    };
    for rule in crate::rules::ALL {
        let id = rule.id.to_owned();
        assert_eq!(rows(done).contains(&id), rule.fix.is_some(), "{id}");
        assert!(rule.fix.is_none() || !rows(left).contains(&id), "{id}");
    }
}

#[test]
fn a_key_of_several_lines_moves_with_all_of_its_bytes() {
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
    let block = key.replace('\n', "\n        ");
    let text = format!(
        "services:\n  a:\n    image: healthchecks/healthchecks\n    environment:\n      GITHUB_PRIVATE_KEY: |\n        {}\n      # next\n      A: b\n",
        block.trim_end()
    );
    let (files, refused) =
        fixed(&[("compose.yaml", &text)], "compose.yaml", &["private-key", "inline-password"]);
    assert_eq!(refused, [""; 0]);
    assert_eq!(files["secrets/github_private_key"], key);
    let after = "environment:\n      GITHUB_PRIVATE_KEY_FILE: /run/secrets/github_private_key\n      # next\n      A: b\n    secrets:\n";
    assert!(files["compose.yaml"].contains(after), "{}", files["compose.yaml"]);
    let commented = text.replace("KEY: |", "KEY: | # why");
    is_refused(&[("compose.yaml", &commented)], "compose.yaml", "private-key", "a comment at its mark");
}

/// The notes of all fixes of a Compose file.
fn notes(given: &[(&str, &str)]) -> String {
    let mut files = MemoryFiles::default();
    for (path, text) in given {
        files.insert(*path, *text);
    }
    let mut environment = Environment::default();
    read_dotenv(&files, &mut Sources::default(), "", &mut environment).unwrap();
    let options = FixOptions {
        lint: LintOptions::default(),
        environment: &environment,
        include_unsafe: true,
        rules: &[],
        services: &[],
        accept: &|_, _| true,
    };
    let plan = super::plan(&files, "compose.yaml", &options).unwrap();
    assert!(!plan.fixes.is_empty(), "{given:?}");
    plan.fixes.iter().flat_map(|fix| fix.notes.clone()).collect::<Vec<_>>().join("; ")
}

const BASE: &str = "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: q9Zt-41x\n  web: {image: x}\n";

/// Two files that set one variable are no project once it has moved: images refuse both.
#[test]
fn a_file_that_is_read_over_the_project_keeps_working() {
    let rule = "inline-password";
    let env = ("db.env", "POSTGRES_PASSWORD=a\n");
    let over = |service: &str| format!("services:\n  db:\n    {service}\n");
    for (service, why) in [
        ("environment: {POSTGRES_PASSWORD: \"${PW}\"}", "sets POSTGRES_PASSWORD of service db, too"),
        ("environment: [POSTGRES_PASSWORD]", "sets POSTGRES_PASSWORD of service db, too"),
        ("env_file: db.env", "read an env file that sets POSTGRES_PASSWORD"),
    ] {
        let over = over(service);
        is_refused(&[("compose.yaml", BASE), ("compose.prod.yaml", &over), env], "compose.yaml", rule, why);
        // Which file it is for is not known of one that lies elsewhere, or has an image of its own.
        let said = notes(&[("compose.yaml", BASE), ("deploy/prod.yml", &over), env]);
        assert!(said.starts_with("deploy/prod.yml ") && said.contains(why), "{said}");
        let whole = over.replace("  db:\n", "  db:\n    image: postgres:16\n");
        let said = notes(&[("compose.yaml", BASE), ("compose.prod.yaml", &whole), env]);
        assert!(said.starts_with("compose.prod.yaml ") && said.contains(why), "{said}");
        assert_eq!(notes(&[("compose.yaml", BASE), ("examples/compose.yaml", &whole), env]), "");
    }
    for (service, why) in [
        ("entrypoint: [postgres]", "is not known to read"),
        ("image: bitnami/postgresql", "is not known to read"),
        ("healthcheck: {test: echo $$POSTGRES_PASSWORD}", "read POSTGRES_PASSWORD in the container"),
    ] {
        let said = notes(&[("compose.yaml", BASE), ("compose.prod.yaml", &over(service))]);
        assert!(said.contains(why), "{service}: {said}");
    }
    for kept in
        ["ports: [\"1:1\"]", "environment: {POSTGRES_PASSWORD: !reset null}", "environment: {PGDATA: /x}"]
    {
        assert_eq!(notes(&[("compose.yaml", BASE), ("compose.prod.yaml", &over(kept))]), "", "{kept}");
    }
}

#[test]
fn a_variable_that_two_files_of_a_project_set_is_said_to_be_in_both() {
    let base = "services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: q9Zt-41x}}}\n";
    let over = "services: {db: {environment: [POSTGRES_PASSWORD=q9Zt-41y]}}\n";
    let given = [("compose.yaml", base), ("compose.override.yaml", over)];
    let why = "compose.yaml sets POSTGRES_PASSWORD, and compose.override.yaml, which wins";
    is_refused(&given, "compose.yaml", "inline-password", why);
}

/// A file that its service cannot read stops that service: who starts it has to know.
#[test]
fn who_cannot_read_the_new_file_under_plain_compose_is_told() {
    let file = |image: &str, user: &str| {
        format!(
            "services:\n  a:\n    image: {image}\n{user}    environment:\n      GF_SECURITY_ADMIN_PASSWORD: q9Zt-41x\n      WORDPRESS_DB_PASSWORD: q9Zt-41y\n      LLDAP_JWT_SECRET: q9Zt-41z\n      UID: 1234\n      POSTGRES_PASSWORD: q9Zt-41x\n"
        )
    };
    let told = |text: &str| {
        let all = notes(&[("compose.yaml", text)]);
        all.split("; service ").filter(|note| note.contains("closed to all")).collect::<Vec<_>>().join("; ")
    };
    for (image, user, who) in [
        ("grafana/grafana", "", "as user 472,"),
        ("wordpress:6", "", "as user www-data,"),
        ("lldap/lldap", "", "as user 1234,"),
        ("postgres", "    user: '999:999'\n", "as user 999,"),
        ("postgres", "    user: app\n", "as user app,"),
    ] {
        let said = told(&file(image, user));
        assert_eq!(said.matches(who).count(), 1, "{image} {user}: {said}");
    }
    for (image, user) in
        [("postgres", ""), ("postgres", "    user: root\n"), ("grafana/grafana", "    user: '0'\n")]
    {
        assert_eq!(told(&file(image, user)), "", "{image} {user}");
    }
}

/// An image that is built here on a known one starts as that does, and reads files as that does.
#[test]
fn an_image_built_on_a_known_one_moves_its_secrets_unless_the_build_may_read_them() {
    let compose = |build: &str| {
        format!("services:\n  db:\n    build: {build}\n    environment:\n      POSTGRES_PASSWORD: q9Zt-41x\n")
    };
    let rule = "inline-password";
    let plain =
        "ARG V=16\nFROM postgres:${V}-alpine\nCOPY init/*.sh /docker-entrypoint-initdb.d/\nRUN apk add x\n";
    let stages = "FROM golang AS tools\nENTRYPOINT [x]\nFROM docker.io/library/postgres:17 AS base\nCOPY --from=tools /t /t\nFROM base\nUSER postgres\n";
    let target = "FROM postgres AS db\nRUN x\nFROM node\n";
    for (build, dockerfile) in [
        ("./db", plain),
        ("{context: db, args: {V: 15}}", plain),
        ("db", stages),
        ("{context: db, target: db}", target),
    ] {
        let text = compose(build);
        let given = [
            ("compose.yaml", text.as_str()),
            ("db/Dockerfile", dockerfile),
            ("db/init/a.sh", "psql -c 'create table a'\n"),
            ("db/README.md", "set POSTGRES_PASSWORD\n"),
        ];
        let (files, refused) = fixed(&given, "compose.yaml", &[rule]);
        assert_eq!(refused, [""; 0], "{dockerfile}");
        assert!(files["compose.yaml"].contains("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password"));
        assert_eq!(files["secrets/postgres_password"], "q9Zt-41x");
    }
    let text = compose("db");
    for (dockerfile, why) in [
        ("FROM node\n", "built here, and whether"),
        ("FROM postgres:17 AS db\nRUN x\nFROM scratch\n", "built here, and whether"),
        ("FROM ${BASE}\n", "built here, and whether"),
        ("FROM postgres\nENTRYPOINT [\"/x\"]\n", "changes how it starts"),
        (
            "FROM postgres\nCOPY my-entrypoint.sh /usr/local/bin/docker-entrypoint.sh\n",
            "changes how it starts",
        ),
        ("FROM postgres\nENV POSTGRES_PASSWORD=a\n", "ENV of the Dockerfile uses"),
        ("FROM postgres\nHEALTHCHECK CMD psql $POSTGRES_PASSWORD\n", "HEALTHCHECK of the Dockerfile uses"),
        ("FROM postgres\nCOPY . /x\n", "db/init/a.py, which goes into the image"),
        ("FROM postgres\nCOPY init/a.py /x\n", "db/init/a.py, which goes into the image"),
    ] {
        let given = [
            ("compose.yaml", text.as_str()),
            ("db/Dockerfile", dockerfile),
            ("db/init/a.py", "os.environ['POSTGRES_PASSWORD']\n"),
        ];
        is_refused(&given, "compose.yaml", rule, why);
    }
}

#[test]
fn a_variable_that_nobody_sets_is_said_to_be_wanted_from_then_on() {
    let file = |value: &str| {
        format!("services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: {value}\n")
    };
    let wanted = "POSTGRES_PASSWORD_FROM is not set here";
    assert!(notes(&[("compose.yaml", &file("${POSTGRES_PASSWORD_FROM}"))]).contains(wanted));
    assert!(!notes(&[("compose.yaml", &file("${POSTGRES_PASSWORD_FROM:?set it}"))]).contains(wanted));
    let set = (".env", "POSTGRES_PASSWORD_FROM=q9Zt-41x\n");
    assert!(!notes(&[("compose.yaml", &file("${POSTGRES_PASSWORD_FROM}")), set]).contains(wanted));
}

#[test]
fn a_date_is_not_moved_as_what_go_prints_of_it() {
    let file = "services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: 2020-01-31}}}\n";
    is_refused(&[("compose.yaml", file)], "compose.yaml", "inline-password", "a date to YAML");
    let quoted = file.replace("2020-01-31", "'2020-01-31'");
    let (files, _) = fixed(&[("compose.yaml", &quoted)], "compose.yaml", &["inline-password"]);
    assert_eq!(files["secrets/postgres_password"], "2020-01-31");
}

#[test]
fn secrets_of_two_documents_of_a_file_move_at_once() {
    let one = |name: &str, value: &str| {
        format!(
            "services:\n  {name}:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: {value}\n"
        )
    };
    let file = format!("{}---\n{}", one("a", "q9Zt-41x"), one("b", "q9Zt-41y"));
    let (files, refused) = fixed(&[("compose.yaml", &file)], "compose.yaml", &["inline-password"]);
    assert_eq!(refused, [""; 0]);
    let second = files["compose.yaml"].split("---").nth(1).unwrap();
    assert!(second.contains("  b_postgres_password:\n    file: ./secrets/b_postgres_password\n"), "{second}");
}

#[test]
fn what_a_mounted_file_reads_stays_and_what_the_entry_point_runs_need_not() {
    let compose = |target: &str| {
        format!(
            "services:\n  wp:\n    image: wordpress\n    volumes: ['./own.php:{target}:ro', 'data:/data']\n    environment: {{WORDPRESS_DB_PASSWORD: q9Zt-41x}}\nvolumes: {{data: }}\n"
        )
    };
    let file = compose("/var/www/html/wp-config.php");
    let reads = ("own.php", "<?php getenv('WORDPRESS_DB_PASSWORD');\n");
    let rule = "inline-password";
    is_refused(&[("compose.yaml", &file), reads], "compose.yaml", rule, "own.php, which service wp mounts");
    let init = compose("/docker-entrypoint-initdb.d/x.sh");
    for (file, own) in [(&file, ("own.php", "<?php\n")), (&init, reads)] {
        let (files, refused) = fixed(&[("compose.yaml", file), own], "compose.yaml", &[rule]);
        assert!(refused.is_empty() && files.contains_key("secrets/wordpress_db_password"), "{refused:?}");
    }
}

/// A file whose services another one extends would lose what its secrets need at its top.
#[test]
fn services_that_are_extended_from_a_directory_above_or_beside_stay() {
    let base = "services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: q9Zt-41x}}}\n";
    let rule = "inline-password";
    let extends =
        |file: &str| format!("services:\n  db:\n    extends:\n      file: {file} # why\n      service: db\n");
    let above = extends("'common/base.yaml'");
    let given = [("common/base.yaml", base), ("compose.yaml", above.as_str())];
    is_refused(&given, "common/base.yaml", rule, "compose.yaml extends services of this file");
    is_refused(&given, "compose.yaml", rule, "it comes by `extends` from common/base.yaml");
    let flow = "services: {db: {extends: {file: ../base.yaml, service: db}}}\n";
    is_refused(
        &[("base.yaml", base), ("app/x.yaml", flow)],
        "base.yaml",
        rule,
        "app/x.yaml extends services",
    );
    let other = extends("other/base.yaml");
    let given = [("common/base.yaml", base), ("compose.yaml", other.as_str())];
    let (files, refused) = fixed(&given, "common/base.yaml", &[rule]);
    assert!(refused.is_empty() && files.contains_key("common/secrets/postgres_password"), "{refused:?}");
}

#[test]
fn a_secret_or_a_config_that_another_file_may_grant_stays() {
    let base = "services: {db: {image: x}}\nsecrets: {pw: {file: ./pw}}\n";
    let over = "services: {db: {secrets: [pw]}}\n";
    let rule = "secret-unused";
    let why = |path: &str| format!("{path} names it, and may grant it");
    is_refused(&[("compose.yaml", base), ("prod.yaml", over)], "compose.yaml", rule, &why("prod.yaml"));
    let above = "include: [db/compose.yaml]\nservices: {web: {image: x, secrets: [pw]}}\n";
    let given = [("db/compose.yaml", base), ("compose.yaml", above)];
    is_refused(&given, "db/compose.yaml", rule, &why("compose.yaml"));
    let other = [("db/compose.yaml", base), ("compose.yaml", "services: {web: {image: x, secrets: [pw]}}\n")];
    let (files, _) = fixed(&other, "db/compose.yaml", &[rule]);
    assert!(!files["db/compose.yaml"].contains("secrets"));
    let config = "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {content: password=q9Zt-41x}}\n";
    let over = "services: {b: {image: x, configs: [c]}}\n";
    let given = [("compose.yaml", config), ("prod.yaml", over)];
    is_refused(&given, "compose.yaml", "secret-in-config", &why("prod.yaml"));
}

#[test]
fn a_dockerfile_that_another_compose_file_builds_with_keeps_building_there() {
    let compose = "services: {a: {build: {context: app, secrets: [npm]}}}\nsecrets: {npm: {file: npm}}\n";
    let dockerfile =
        "FROM node\nARG TOKEN=q9Zt-41x\nRUN --mount=type=secret,id=npm npm config set t $TOKEN\n";
    let given = |other: &'static str| {
        [("compose.yaml", compose), ("app/Dockerfile", dockerfile), ("compose.dev.yaml", other)]
    };
    let other = "services: {b: {build: ./app}}\n";
    for rule in ["docker-arg-secret", "docker-mount-unrequired"] {
        is_refused(&given(other), "compose.yaml", rule, "compose.dev.yaml builds with this Dockerfile, too");
        let (files, refused) = fixed(&given("services: {b: {build: ./other}}\n"), "compose.yaml", &[rule]);
        assert!(
            refused.is_empty() && files["app/Dockerfile"].contains("required=true"),
            "{rule}: {refused:?}"
        );
    }
}

#[test]
fn a_secret_takes_no_name_that_a_file_read_together_with_the_project_has() {
    let own = "services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: q9Zt-41x}}}\n";
    let over = "services: {db: {ports: ['1:1']}}\nsecrets: {postgres_password: {file: ./other}}\n";
    let above = "include: [db/compose.yaml]\nsecrets: {postgres_password: {file: ./other}}\n";
    for (path, given) in [
        ("compose.yaml", [("compose.yaml", own), ("compose.prod.yaml", over)]),
        ("db/compose.yaml", [("db/compose.yaml", own), ("compose.yaml", above)]),
    ] {
        let (files, _) = fixed(&given, path, &["inline-password"]);
        assert!(files[path].contains("  db_postgres_password:\n"), "{}", files[path]);
    }
}

#[test]
fn json_on_lines_of_its_own_stays_on_lines_of_its_own() {
    let before = "{\r\n\t\"services\": {\r\n\t\t\"db\": {\r\n\t\t\t\"image\": \"postgres\",\r\n\t\t\t\"environment\": {\"POSTGRES_PASSWORD\": \"q9Zt-41x\"}\r\n\t\t}\r\n\t}\r\n}\r\n";
    let after = "{\r\n\t\"services\": {\r\n\t\t\"db\": {\r\n\t\t\t\"image\": \"postgres\",\r\n\t\t\t\"environment\": {\"POSTGRES_PASSWORD_FILE\": \"/run/secrets/postgres_password\"},\r\n\t\t\t\"secrets\": [\"postgres_password\"]\r\n\t\t}\r\n\t},\r\n\t\"secrets\": {\"postgres_password\": {\"file\": \"./secrets/postgres_password\"}}\r\n}\r\n";
    assert_eq!(becomes("compose.yaml", before, "inline-password"), after);
}

#[test]
fn a_variable_stays_where_a_secret_made_of_it_would_not_arrive() {
    for more in ["read_only: true", "tmpfs: [/run]"] {
        let file = format!(
            "services:\n  db:\n    image: postgres\n    {more}\n    environment: [POSTGRES_PASSWORD]\n"
        );
        is_refused(&[("compose.yaml", &file)], "compose.yaml", "prefer-file-variant", "would not arrive");
    }
}
