//! Names that stand for a secret, judged by whole words.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Whether a variable's name says that its value is a secret: `POSTGRES_PASSWORD`, `apiToken`, `DBPASS`;
/// not `PASSWORD_FILE`, `FILE__PASSWORD`, `TOKEN_TTL` or `ALLOW_EMPTY_PASSWORD`.
pub fn is_secret_name(name: &str) -> bool {
    if KNOWN.contains(&name) {
        return true;
    }
    if !mentions_secret(name) || name.starts_with("FILE__") {
        return false;
    }
    let spaced = spaced(name);
    let mut words = words(&spaced);
    // How it is written or which of several it is does not change what it is.
    while words.len() > 1 && words.last().is_some_and(|last| MANNER.contains(last)) {
        words.pop();
    }
    if COOKIES.iter().any(|cookie| words.ends_with(cookie)) {
        return true;
    }
    let Some((last, before)) = words.split_last() else { return false };
    if HARMLESS_LAST.contains(last) || words.first().is_some_and(|first| HARMLESS_FIRST.contains(first)) {
        return false;
    }
    // `TOKEN_EXPIRES_IN`
    if *last == "in" && before.last().is_some_and(|before| HARMLESS_LAST.contains(before)) {
        return false;
    }
    // `MAX_TOKENS`, `TOKENS_PER_MINUTE`: what a language model counts.
    if words.iter().any(|word| *word == "tokens" || *word == "token")
        && words.iter().any(|word| COUNTED.contains(word))
        && !words.iter().any(|word| matches!(*word, "auth" | "access" | "api" | "secret" | "bot"))
    {
        return false;
    }
    if words
        .iter()
        .any(|word| SECRET_ANYWHERE.contains(word) || SECRET_ENDINGS.iter().any(|e| word.ends_with(e)))
    {
        return true;
    }
    if SECRET_LAST.contains(last)
        || (last.len() > 4 && last.ends_with("pass") && !NO_PASS.contains(last))
        || (last.len() > 3 && last.ends_with("pw"))
    {
        return true;
    }
    // `DB_PASS_REPLICA`; not `PASS_THROUGH`.
    if words.windows(2).enumerate().any(|(at, pair)| at > 0 && pair[0] == "pass" && pair[1] != "through") {
        return true;
    }
    match (before.last(), *last) {
        // One of the eight of WordPress.
        (Some(&"in"), "key") => words.contains(&"logged"),
        (Some(kind), "key" | "keys") if KEY_OF.contains(kind) => true,
        // `ENCRYPTION_PRIMARY_KEY`
        (Some(_), "key" | "keys") => {
            before.iter().any(|word| OF_CIPHERS.contains(word))
                && !before.iter().any(|word| OF_NO_SECRET.contains(word))
        }
        (Some(&"connection"), "string")
        | (Some(&"seed"), "phrase")
        | (Some(&("access" | "auth" | "pass")), "code") => true,
        _ => false,
    }
}

/// Whether any word that a secret's name needs is in the name, whole or not: most names have none, and are not taken
/// apart.
fn mentions_secret(name: &str) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let words = [
            SECRET_ANYWHERE,
            SECRET_ENDINGS,
            SECRET_LAST,
            &["key", "pass", "connection", "code", "phrase", "cookie"],
        ]
        .concat();
        AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
    });
    // Outside of ASCII a letter may have its lower case in it.
    !name.is_ascii() || WORDS.as_ref().is_none_or(|words| words.is_match(name))
}

/// Whether the name's last word is the secret's own: `DB_PASSWORD`, not `SECRET_SOMETHING`.
pub(super) fn ends_as_secret(name: &str) -> bool {
    let spaced = spaced(name);
    let words = words(&spaced);
    let last = words.iter().rev().find(|word| !MANNER.contains(word));
    last.is_some_and(|last| {
        *last == "key"
            || SECRET_ANYWHERE.contains(last)
            || SECRET_LAST.contains(last)
            || last.ends_with("pass")
            || last.ends_with("pw")
            || SECRET_ENDINGS.iter().any(|ending| last.ends_with(ending))
    })
}

/// Whether a secret is handed out by somebody else (`STRIPE_API_KEY`, `SMTP_PASSWORD`), so that a made-up one is none.
pub fn is_handed_out(name: &str) -> bool {
    let spaced = spaced(name);
    let by_others =
        ["api", "apikey", "bot", "client", "email", "licence", "license", "mail", "oauth", "smtp", "webhook"];
    words(&spaced).iter().any(|word| by_others.contains(word))
}

/// Whether a value says what the name of an authentication asks for: `SMTP_AUTH=login`, `--auth-token simple`.
pub(super) fn is_method(name: &str, value: &str) -> bool {
    let spaced = spaced(name);
    let words = words(&spaced);
    (words.ends_with(&["auth"]) || words == ["auth", "token"])
        && METHODS.iter().any(|method| value.trim().eq_ignore_ascii_case(method))
}

/// How something authenticates.
const METHODS: &[&str] = &[
    "login",
    "simple",
    "digest",
    "cram-md5",
    "ntlm",
    "oauth",
    "oauth2",
    "xoauth2",
    "ldap",
    "oidc",
    "saml",
    "htpasswd",
    "kerberos",
    "md5",
    "trust",
    "mysql_native_password",
    "caching_sha2_password",
    "sha256_password",
];

/// Whether a variable's value is likely to hold a secret among other things: a DSN, a JAAS line, `user:password`.
pub fn is_compound_name(name: &str) -> bool {
    if !["jaas", "dsn"].iter().any(|word| contains_ignoring_case(name, word)) {
        return is_user_info_name(name);
    }
    let spaced = spaced(name);
    let words = words(&spaced);
    words.contains(&"jaas") || words.contains(&"dsn") || words.ends_with(&["user", "info"])
}

/// Whether a variable's value is a user and a password: `BASIC_AUTH_USER_INFO=user:password`, `SFTP_USERS=user:password:1001`.
pub(super) fn is_user_info_name(name: &str) -> bool {
    if !["info", "users"].iter().any(|word| contains_ignoring_case(name, word)) {
        return false;
    }
    let spaced = spaced(name);
    let words = words(&spaced);
    words.ends_with(&["user", "info"])
        || (words.ends_with(&["users"])
            && words.iter().any(|word| matches!(*word, "ftp" | "sftp" | "auth" | "basicauth")))
}

/// Whether a name is that of HTTP's header for credentials: `AUTHORIZATION`, `Proxy-Authorization`.
pub(super) fn is_header_name(name: &str) -> bool {
    name.rsplit(['-', '_', '.']).next().is_some_and(|last| last.eq_ignore_ascii_case("authorization"))
}

/// Whether a name is that of a key of some kind. Its value decides then: `SOME_KEY=title` is none.
pub fn is_key_name(name: &str) -> bool {
    if !contains_ignoring_case(name, "key") {
        return false;
    }
    let spaced = spaced(name);
    let words = words(&spaced);
    let harmless = [
        "public",
        "publishable",
        "primary",
        "foreign",
        "sort",
        "partition",
        "cache",
        "index",
        "kms",
        "routing",
    ];
    words.last().is_some_and(|last| *last == "key") && !words.iter().any(|word| harmless.contains(word))
}

/// Whether a name says by its last word that its value is something else than a secret: `MINIO_ROOT_USER`.
pub fn is_harmless_name(name: &str) -> bool {
    words(&spaced(name)).last().is_some_and(|last| HARMLESS_LAST.contains(last))
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// `SOME_NAME`, `some-name`, `someName` as lower-case words with blanks between them, for [`words`].
fn spaced(name: &str) -> String {
    let mut spaced = String::with_capacity(name.len() + 8);
    let mut previous = ' ';
    let mut rest = name.chars().peekable();
    while let Some(character) = rest.next() {
        let starts_word = character.is_uppercase()
            && (previous.is_lowercase()
                || (previous.is_uppercase() && rest.peek().is_some_and(|next| next.is_lowercase())));
        if !character.is_alphanumeric() || starts_word {
            spaced.push(' ');
        }
        if character.is_ascii() && character.is_alphanumeric() {
            spaced.push(character.to_ascii_lowercase());
        } else if character.is_alphanumeric() {
            spaced.extend(character.to_lowercase());
        }
        previous = character;
    }
    spaced
}

/// The words of a [`spaced`] name; numbers at the end of a word fall away.
fn words(spaced: &str) -> Vec<&str> {
    spaced
        .split(' ')
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .collect()
}

/// Names whose words say otherwise: the token itself is called an id.
const KNOWN: &[&str] = &["VAULT_DEV_ROOT_TOKEN_ID"];

/// What clusters of Erlang's machines know each other by.
const COOKIES: &[&[&str]] = &[&["erlang", "cookie"], &["release", "cookie"]];

/// Last words that say how a secret is written, or which of several it is.
const MANNER: &[&str] = &[
    "hex",
    "base",
    "b",
    "pem",
    "raw",
    "value",
    "default",
    "string",
    "text",
    "plain",
    "plaintext",
    "env",
    "dev",
    "prod",
    "test",
    "testing",
    "staging",
    "local",
    "old",
    "new",
    "current",
    "previous",
    "next",
    "primary",
    "secondary",
    "v",
];

const SECRET_ANYWHERE: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "psw",
    "pswd",
    "pword",
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "credential",
    "credentials",
    "privatekey",
    "privkey",
    // In other languages.
    "contrasena",
    "kennwort",
    "motdepasse",
    "passwort",
    "senha",
    "wachtwoord",
];

/// Words run together: `PGPASSWORD`, `CLIENTSECRET`.
const SECRET_ENDINGS: &[&str] =
    &["password", "passwd", "pwd", "psw", "secret", "apikey", "secretkey", "authkey", "token"];

const SECRET_LAST: &[&str] =
    &["pass", "pw", "psk", "salt", "auth", "jwt", "cred", "creds", "bearer", "pepper", "mnemonic", "kek"];

/// What makes a `…_KEY` a secret one: ciphers, what a key does, whose it is.
const KEY_OF: &[&str] = &[
    "aes",
    "crypt",
    "decrypt",
    "decryption",
    "des",
    "dsa",
    "ecdsa",
    "nonce",
    "otp",
    "preshared",
    "rsa",
    "symmetric",
    "totp",
    "unseal",
    "client",
    "cipher",
    "openai",
    "anthropic",
    "stripe",
    "sendgrid",
    "mailgun",
    "twilio",
    "datadog",
    "crypto",
    "deploy",
    "gpg",
    "openssl",
    "secure",
    "security",
    "server",
    "ssh",
    "ssl",
    "tls",
    "api",
    "app",
    "access",
    "account",
    "admin",
    "auth",
    "cookie",
    "cron",
    "encryption",
    "encrypt",
    "enc",
    "fernet",
    "hmac",
    "jwt",
    "license",
    "master",
    "private",
    "root",
    "salt",
    "secret",
    "service",
    "session",
    "shared",
    "signing",
    "sign",
    "storage",
    "vault",
    "webhook",
    "write",
];

/// What makes a key a secret one wherever it stands before.
const OF_CIPHERS: &[&str] =
    &["encryption", "encrypt", "decryption", "crypto", "cipher", "signing", "jwt", "fernet", "aes", "hmac"];

/// Unless it is one of these: known to everybody, or the name of one that is kept elsewhere.
const OF_NO_SECRET: &[&str] = &["public", "publishable", "verification", "kms", "cache", "header"];

/// What makes tokens a quantity.
const COUNTED: &[&str] = &[
    "max",
    "maximum",
    "min",
    "minimum",
    "rate",
    "quota",
    "num",
    "number",
    "per",
    "total",
    "budget",
    "completion",
    "prompt",
    "context",
    "output",
    "input",
    "chunk",
    "used",
    "usage",
    "window",
];

const NO_PASS: &[&str] = &["bypass", "compass", "underpass", "overpass", "surpass"];

/// A last word that makes the value something else than the secret.
const HARMLESS_LAST: &[&str] = &[
    "file",
    "files",
    "notification",
    "notifications",
    "subject",
    "message",
    "text",
    "path",
    "paths",
    "dir",
    "directory",
    "folder",
    "name",
    "names",
    "id",
    "ids",
    "alias",
    "url",
    "uri",
    "urls",
    "endpoint",
    "host",
    "hostname",
    "port",
    "address",
    "domain",
    "ttl",
    "age",
    "length",
    "len",
    "size",
    "count",
    "min",
    "max",
    "limit",
    "policy",
    "version",
    "public",
    "provider",
    "source",
    "class",
    "mechanism",
    "mechanisms",
    "realm",
    "type",
    "kind",
    "algorithm",
    "alg",
    "algo",
    "expiry",
    "expiration",
    "expire",
    "expires",
    "exp",
    "duration",
    "timeout",
    "lifetime",
    "validity",
    "interval",
    "seconds",
    "minutes",
    "hours",
    "days",
    "enabled",
    "enable",
    "disabled",
    "disable",
    "required",
    "mode",
    "method",
    "methods",
    "format",
    "encoding",
    "encryption",
    "prefix",
    "header",
    "headers",
    "field",
    "column",
    "hint",
    "cost",
    "rounds",
    "iterations",
    "user",
    "users",
    "username",
    "usernames",
    "emails",
    "hosts",
    "domains",
    "origins",
    "login",
    "email",
    "issuer",
    "audience",
    "scope",
    "scopes",
    "region",
    "backend",
    "driver",
    "engine",
    "store",
    "manager",
    "location",
    "mount",
    "ref",
    "label",
    "strategy",
    "attempts",
    "retries",
    "history",
    "complexity",
    "strength",
    "reset",
    "change",
    "rotation",
    "refresh",
    "validator",
    "encoder",
    "hash",
    "hashed",
    "hasher",
    "hashers",
    "hashing",
    "bits",
    "check",
    "command",
    "cmd",
    "template",
    "title",
    "placeholder",
    "function",
    "query",
    "scheme",
    "factor",
    "language",
    "lang",
    "locale",
    "timezone",
    "theme",
    "color",
    "level",
    "status",
    "state",
    "index",
    "delimiter",
    "separator",
    "charset",
    "suffix",
    "pattern",
    "regex",
    "tag",
    "image",
    "script",
    "delay",
    "ms",
    "sec",
    "leeway",
    "tolerance",
    "verification",
    "authentication",
    "endpoints",
    "server",
    "servers",
    "service",
    "protocol",
    "namespace",
    "group",
    "role",
    "owner",
    "table",
    "topic",
    "queue",
    "bucket",
    "usage",
    "tool",
    "helper",
    "handler",
    "plugin",
    "plugins",
    "rule",
    "rules",
    "schema",
    "grant",
    "grants",
    "flow",
    "context",
    "env",
    "cache",
    "warning",
    "stdin",
    "cookie",
    "period",
    "page",
    "link",
    "frequency",
    "threshold",
    "redirect",
    "callback",
    "converter",
    "serializer",
    "deserializer",
    "generator",
    "resolver",
    "prompt",
];

/// A first word that makes the name a switch.
const HARMLESS_FIRST: &[&str] = &[
    "allow", "disable", "disabled", "disallow", "enable", "enabled", "nopasswd", "has", "hide", "ignore",
    "is", "no", "public", "require", "show", "skip", "use",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_seen() {
        for name in [
            "POSTGRES_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
            "PGPASSWORD",
            "DBPASS",
            "DB_PASS",
            "apiToken",
            "API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "SECRET_KEY_BASE",
            "JWT_SECRET",
            "APP_KEY",
            "FERNET_KEY",
            "clientSecret",
            "MYSQL_PWD",
            "PASSWORD1",
            "passwd",
            "REDIS_AUTH",
            "PASSWORD_SALT",
            "ADMIN_PASS",
            "DB_ROOT_PSW",
            "RCONPW",
            "DUCKTOKEN",
            "accessAuthCode",
            "AES_KEY",
            "AES_256_KEY",
            "dataEncryptionKey",
            "WORDPRESS_LOGGED_IN_KEY",
            "PRE_SHARED_KEY",
            "PASSWORD_PEPPER",
            "WALLET_SEED_PHRASE",
            "DB_PASSWORT",
            "APP_ENCRYPTION_PRIMARY_KEY",
            "ENCRYPTION_DETERMINISTIC_KEY",
            "ENCRYPTION_FIELD_KEY",
            "APP_CRON_KEY",
            "RABBITMQ_ERLANG_COOKIE",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_mention_a_secret_are_left_alone() {
        for name in [
            "POSTGRES_PASSWORD_FILE",
            "FILE__PASSWORD",
            "SECRET_NAME",
            "AWS_ACCESS_KEY_ID",
            "KMS_KEY_ALIAS",
            "TOKEN_TTL",
            "TOKEN_EXPIRES_IN",
            "PASSWORD_HASHER",
            "RATE_LIMIT_TOKENS",
            "MAX_REFRESH_TOKEN_AGE",
            "ALLOW_EMPTY_PASSWORD",
            "PASSWORD_POLICY",
            "COMPASS",
            "BYPASS",
            "PASSPORT",
            "KEY",
            "SORT_KEY",
            "PUBLIC_KEY",
            "GOPRIVATE",
            "NOPASSWD",
            "CHATGPT_MAX_TOKENS",
            "SECRET_FORCED_LANGUAGE",
            "TOKENS_PER_MINUTE",
            "AUTHOR",
            "MONKEY",
            "TOKEN_PROVIDER",
            "COUNTRY_CODE",
            "AUTH_CODE_TTL",
            "PW_SMTP_FROM",
            "PUBLIC_RSA",
            "RSA_PUBLIC_KEY",
            "AES_KEY_LENGTH",
            "PEPPERONI",
            "ORDERS_PRIMARY_KEY",
            "ENCRYPTION_PUBLIC_KEY",
            "ENCRYPTION_KMS_KEY",
            "CSRF_TOKEN_COOKIE",
            "AUTHENTICATION_APIKEY_USERS",
            "SESSION_COOKIE",
            "SECRET_ROTATION_PERIOD",
            "RESET_PASSWORD_PAGE",
            "PASSWORD_AUTHENTICATION",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
