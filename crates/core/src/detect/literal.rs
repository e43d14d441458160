//! Whether a value is written out, comes from outside, or is no secret at all.

use crate::compose::template::{self, Piece};

/// What a value in a secret's place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal {
    /// The secret itself, weak ones included.
    Secret,
    /// A variable gives it, wholly or in part.
    FromOutside,
    /// Empty, a truth value, a path, a placeholder: nothing to protect.
    Harmless,
}

/// Judges a value before interpolation.
pub fn literal(raw: &str) -> Literal {
    if raw.contains('$')
        && let Ok(pieces) = template::parse(raw)
        && pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }))
    {
        return Literal::FromOutside;
    }
    let value = raw.trim();
    // `NAME='x'` in a list keeps its quotes; what stands in them is judged.
    let unquoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let value = unquoted('\'').or_else(|| unquoted('"')).unwrap_or(value);
    if is_nothing(value) || is_path(value) || is_file_name(value) || is_placeholder(value) {
        Literal::Harmless
    } else {
        Literal::Secret
    }
}

/// A value that nobody would choose as a name: long, of one piece, letters and digits mixed.
pub fn looks_random(value: &str) -> bool {
    let of_one_piece = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte));
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    value.len() >= 16 && of_one_piece && digits >= 3 && digits < value.len() && !is_path(value)
}

/// Whether a value works as it stands and says that it should not be kept: `changeme`, `CHANGE-THIS!`, `please_replace`.
pub fn asks_for_change(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let others = ["changed", "changelog", "changes", "changing", "replaced", "replacement", "replaces"];
    lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        ["change", "replace", "fixme"].iter().any(|ask| word.starts_with(ask))
            && !others.iter().any(|other| word.starts_with(other))
    })
}

fn is_nothing(value: &str) -> bool {
    if value.len() > "requested".len() {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "" | "required"
            | "optional"
            | "requested"
            | "request"
            | "want"
            | "need"
            | "basic"
            | "plain"
            | "auto"
            | "{}"
            | "[]"
            | "true"
            | "false"
            | "yes"
            | "no"
            | "on"
            | "off"
            | "none"
            | "null"
            | "~"
            | "nil"
            | "0"
            | "1"
            | "disabled"
            | "trial"
            | "invalid"
            | "unset"
            | "undefined"
            | "enabled"
            | "''"
            | "\"\""
    )
}

/// `/run/secrets/x`, `./x`, `~/x`, `C:\x`; a base64 text that happens to start with `/` has no second `/` soon.
fn is_path(value: &str) -> bool {
    if value.starts_with("./")
        || value.starts_with("../")
        || value.starts_with("~/")
        || value.starts_with("file:")
    {
        return true;
    }
    value.starts_with('/')
        && value.len() > 1
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
        && value[1..].contains('/')
}

/// `server.key`, `kafka_keystore_creds`: the name of what holds the secret.
fn is_file_name(value: &str) -> bool {
    let endings =
        [".pem", ".key", ".crt", ".cer", ".jks", ".p12", ".pfx", ".json", ".txt", "_creds", "-creds"];
    let bytes = value.as_bytes();
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-/%".contains(byte))
        && endings.iter().any(|ending| {
            bytes.len() >= ending.len()
                && bytes[bytes.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
        })
}

/// `<your token>`, `{{ vault }}`, `%(pw)s`, `***`, `xxxx`
fn is_placeholder(value: &str) -> bool {
    let wrapped = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    wrapped("<", ">")
        || wrapped("{{", "}}")
        || wrapped("%(", ")s")
        || wrapped("[", "]")
        // What GitHub, SOPS, 1Password and Grafana put a secret in place of.
        || wrapped("${{", "}}")
        || wrapped("ENC[", "]")
        || value.starts_with("op://")
        // Who uses it brings it along.
        || value == "user_provided"
        // Names of what holds the secret: AWS, Vault, Symfony.
        || value.starts_with("arn:aws")
        || value.starts_with("vault:secret/")
        || wrapped("%env(", ")%")
        || wrapped("$$__file{", "}")
        || wrapped("$$__env{", "}")
        // The key of AWS's documentation.
        || value.ends_with("EXAMPLEKEY")
        || (wrapped("__", "__") && value.len() > 4)
        // `sk-`, and nothing behind it.
        || (value.len() < 6 && value.ends_with(['-', '_']))
        || value.chars().all(|c| c == '*')
        || (value.len() > 2 && value.chars().all(|c| matches!(c, 'x' | 'X')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_secrets() {
        for value in ["postgres", "changeme", "1234", "a$$b", "/x+9zQ=="] {
            assert_eq!(literal(value), Literal::Secret, "{value}");
        }
    }

    #[test]
    fn a_value_that_asks_for_another_is_known() {
        for value in [
            "changeme",
            "ChangeMe_ChangeMe",
            "CHANGE-THIS! NOW!",
            "please-replace",
            "changeme123",
            "changePassword",
        ] {
            assert!(asks_for_change(value), "{value}");
        }
        for value in ["exchange", "changelog", "your_key_here", "replacement"] {
            assert!(!asks_for_change(value), "{value}");
        }
    }

    #[test]
    fn what_protects_nothing_is_left_alone() {
        for value in ["", "true", "/run/secrets/db", "./db.txt", "<your key>", "{{ pw }}", "none", "xxxx"] {
            assert_eq!(literal(value), Literal::Harmless, "{value}");
        }
        for value in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "op://vault/item/field",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db",
            "vault:secret/data/db#password",
            "%env(DB_PASSWORD)%",
            "ENC[AES256_GCM,data:p673w==,type:str]",
            "$$__file{/etc/secrets/x}",
            "${{ secrets.X }}",
        ] {
            assert_eq!(literal(value), Literal::Harmless, "{value}");
        }
        assert_eq!(literal("${PW:-x}"), Literal::FromOutside);
    }
}
