//! Tokens that show by their form whose they are: a prefix, then so many characters of an alphabet.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// The characters after a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    /// `0-9a-f`
    Hex,
    /// `A-Z0-9`
    Upper,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Url,
    /// The same and `.`, `=`, `+`, `/`.
    Wide,
}

/// A provider's format: prefix, alphabet, fewest and most characters after the prefix.
struct Format(&'static str, &'static str, Alphabet, usize, usize);

use Alphabet::{Alnum, Hex, Upper, Url, Wide};

/// Each from its provider's documentation of token formats or of secret scanning.
const FORMATS: &[Format] = &[
    Format("Adafruit", "aio_", Alnum, 28, 28),
    Format("age", "AGE-SECRET-KEY-1", Upper, 58, 58),
    Format("Airtable", "patk", Wide, 60, 90),
    Format("Anthropic", "sk-ant-api03-", Url, 80, 120),
    Format("Anthropic", "sk-ant-admin01-", Url, 80, 120),
    Format("Atlassian", "ATATT3", Wide, 150, 250),
    Format("AWS", "AKIA", Upper, 16, 16),
    Format("AWS", "ASIA", Upper, 16, 16),
    Format("Bitbucket", "ATBB", Wide, 30, 60),
    Format("Brevo", "xkeysib-", Url, 60, 90),
    Format("Buildkite", "bkua_", Hex, 40, 40),
    Format("CircleCI", "CCIPAT_", Url, 40, 80),
    Format("Clojars", "CLOJARS_", Alnum, 60, 60),
    Format("Cloudflare", "v1.0-", Url, 140, 200),
    Format("Contentful", "CFPAT-", Url, 43, 43),
    Format("crates.io", "cio", Alnum, 32, 32),
    Format("Databricks", "dapi", Hex, 32, 34),
    Format("DigitalOcean", "dop_v1_", Hex, 64, 64),
    Format("DigitalOcean", "doo_v1_", Hex, 64, 64),
    Format("DigitalOcean", "dor_v1_", Hex, 64, 64),
    Format("Discord", "discord.com/api/webhooks/", Wide, 80, 100),
    Format("Discord", "discordapp.com/api/webhooks/", Wide, 80, 100),
    Format("Docker Hub", "dckr_pat_", Url, 27, 27),
    Format("Docker Hub", "dckr_oat_", Url, 27, 40),
    Format("Doppler", "dp.pt.", Alnum, 40, 44),
    Format("Doppler", "dp.st.", Wide, 40, 60),
    Format("Duffel", "duffel_live_", Url, 43, 43),
    Format("Dynatrace", "dt0c01.", Wide, 85, 95),
    Format("EasyPost", "EZAK", Alnum, 54, 54),
    Format("EasyPost", "EZTK", Alnum, 54, 54),
    Format("ElevenLabs", "sk_", Hex, 48, 48),
    Format("Figma", "figd_", Url, 38, 45),
    Format("Flutterwave", "FLWSECK-", Url, 32, 45),
    Format("Fly.io", "fo1_", Url, 40, 60),
    Format("Frame.io", "fio-u-", Url, 64, 64),
    Format("GitHub", "ghp_", Alnum, 36, 36),
    Format("GitHub", "gho_", Alnum, 36, 36),
    Format("GitHub", "ghu_", Alnum, 36, 36),
    Format("GitHub", "ghs_", Alnum, 36, 36),
    Format("GitHub", "ghr_", Alnum, 36, 76),
    Format("GitHub", "github_pat_", Url, 82, 82),
    Format("GitLab", "glpat-", Url, 20, 50),
    Format("GitLab", "gldt-", Url, 20, 50),
    Format("GitLab", "glrt-", Url, 20, 50),
    Format("GitLab", "glptt-", Hex, 40, 40),
    Format("GitLab", "glagent-", Url, 50, 50),
    Format("GitLab", "gloas-", Hex, 64, 64),
    Format("GitLab", "glsoat-", Url, 20, 50),
    Format("Google", "AIza", Url, 35, 35),
    Format("Google", "GOCSPX-", Url, 28, 28),
    Format("Google", "ya29.", Url, 40, 400),
    Format("Grafana", "glsa_", Url, 41, 41),
    Format("Grafana", "glc_", Wide, 32, 400),
    Format("Groq", "gsk_", Alnum, 52, 52),
    Format("HashiCorp Vault", "hvs.", Url, 24, 150),
    Format("HashiCorp Vault", "hvb.", Url, 100, 250),
    Format("Heroku", "HRKU-", Url, 36, 70),
    Format("Hugging Face", "hf_", Alnum, 34, 37),
    Format("LangSmith", "lsv2_pt_", Url, 40, 60),
    Format("LangSmith", "lsv2_sk_", Url, 40, 60),
    Format("Linear", "lin_api_", Alnum, 40, 40),
    Format("Mailgun", "key-", Hex, 32, 32),
    Format("Microsoft Teams", "webhook.office.com/webhookb2/", Url, 36, 36),
    Format("Neon", "napi_", Alnum, 60, 70),
    Format("Netlify", "nfp_", Alnum, 36, 44),
    Format("New Relic", "NRAK-", Upper, 27, 27),
    Format("Notion", "ntn_", Alnum, 40, 50),
    Format("Notion", "secret_", Alnum, 43, 43),
    Format("npm", "npm_", Alnum, 36, 36),
    Format("OpenAI", "sk-", Alnum, 48, 48),
    Format("OpenAI", "sk-proj-", Url, 40, 200),
    Format("OpenAI", "sk-svcacct-", Url, 40, 200),
    Format("OpenAI", "sk-admin-", Url, 40, 200),
    Format("OpenRouter", "sk-or-v1-", Hex, 64, 64),
    Format("OpenShift", "sha256~", Url, 43, 43),
    Format("1Password", "ops_eyJ", Wide, 200, 1200),
    Format("Perplexity", "pplx-", Alnum, 48, 56),
    Format("Pinecone", "pcsk_", Url, 60, 80),
    Format("PlanetScale", "pscale_pw_", Url, 32, 64),
    Format("PlanetScale", "pscale_tkn_", Url, 32, 64),
    Format("PlanetScale", "pscale_oauth_", Url, 32, 64),
    Format("Postman", "PMAK-", Url, 59, 59),
    Format("Prefect", "pnu_", Alnum, 36, 36),
    Format("Pulumi", "pul-", Hex, 40, 40),
    Format("PyPI", "pypi-AgEIcHlwaS5vcmc", Url, 50, 250),
    Format("ReadMe", "rdme_", Alnum, 70, 70),
    Format("Render", "rnd_", Alnum, 28, 40),
    Format("Replicate", "r8_", Alnum, 37, 37),
    Format("RubyGems", "rubygems_", Hex, 48, 48),
    Format("SendGrid", "SG.", Wide, 66, 66),
    Format("Sentry", "sntryu_", Hex, 64, 64),
    Format("Sentry", "sntrys_", Wide, 100, 300),
    Format("Shopify", "shpat_", Hex, 32, 32),
    Format("Shopify", "shpca_", Hex, 32, 32),
    Format("Shopify", "shppa_", Hex, 32, 32),
    Format("Shopify", "shpss_", Hex, 32, 32),
    Format("Slack", "hooks.slack.com/services/", Wide, 40, 60),
    Format("Slack", "hooks.slack.com/workflows/", Wide, 40, 120),
    Format("Slack", "xoxa-", Url, 40, 90),
    Format("Slack", "xoxr-", Url, 40, 90),
    Format("Slack", "xoxs-", Url, 40, 90),
    Format("Slack", "xoxb-", Url, 40, 80),
    Format("Slack", "xoxp-", Url, 60, 90),
    Format("Slack", "xoxe-", Url, 100, 200),
    Format("Slack", "xapp-", Url, 60, 120),
    Format("Sourcegraph", "sgp_", Url, 40, 60),
    Format("Square", "sq0atp-", Url, 22, 22),
    Format("Square", "sq0csp-", Url, 43, 43),
    Format("Stripe", "sk_live_", Alnum, 24, 110),
    Format("Stripe", "sk_test_", Alnum, 24, 110),
    Format("Stripe", "rk_live_", Alnum, 24, 110),
    Format("Stripe", "rk_test_", Alnum, 24, 110),
    Format("Stripe", "whsec_", Wide, 32, 64),
    Format("Supabase", "sbp_", Hex, 40, 40),
    Format("Supabase", "sb_secret_", Url, 30, 50),
    Format("Tailscale", "tskey-auth-", Url, 30, 60),
    Format("Tailscale", "tskey-api-", Url, 30, 60),
    Format("Tailscale", "tskey-client-", Url, 30, 60),
    Format("Typeform", "tfp_", Wide, 59, 59),
    Format("xAI", "xai-", Alnum, 70, 90),
];

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Alnum => byte.is_ascii_alphanumeric(),
            Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Wide => byte.is_ascii_alphanumeric() || b"_-.=+/".contains(&byte),
        }
    }
}

/// A token in a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub provider: &'static str,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

/// Tokens of known providers in a text, JSON Web Tokens among them.
pub fn tokens(text: &str) -> Vec<Token> {
    // No token of any provider is shorter, and none has blanks.
    if !text.split_ascii_whitespace().any(|word| word.len() >= 20) {
        return Vec::new();
    }
    let Some(prefixes) = &*PREFIXES else { return Vec::new() };
    let bytes = text.as_bytes();
    let mut found: Vec<Token> = Vec::new();
    for prefix in prefixes.find_overlapping_iter(text) {
        let (at, body) = (prefix.start(), prefix.end());
        if prefix.pattern().as_usize() == FORMATS.len() + 1 {
            found.extend(telegram(text, at));
            continue;
        }
        if at > 0 && is_word(bytes[at - 1]) {
            continue;
        }
        let Some(Format(provider, _, alphabet, fewest, most)) = FORMATS.get(prefix.pattern().as_usize())
        else {
            found.extend(web_token(text, at));
            continue;
        };
        let length = bytes[body..].iter().take_while(|byte| alphabet.has(**byte)).count();
        let token = &text[at..body + length];
        if (*fewest..=*most).contains(&length)
            && is_live(&text[body..body + length])
            && (*provider != "GitHub" || github_checksum(token))
        {
            found.push(Token { provider, range: at..body + length });
        }
    }
    found.sort_by_key(|token| token.range.start);
    found.dedup_by_key(|token| token.range.start);
    found
}

/// Where a token can start, all formats in one pass; behind those of [`FORMATS`] come a web token's and a bot's.
static PREFIXES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let prefixes = FORMATS.iter().map(|format| format.1).chain([WEB_TOKEN, BOT]);
    // An automaton of few bytes: a run on one file must not wait for a large table.
    AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(prefixes).ok()
});

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Not the documentation's example and no row of one letter.
fn is_live(body: &str) -> bool {
    let upper = body.to_ascii_uppercase();
    let mut seen: Vec<u8> = body.bytes().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() > 5
        && !["EXAMPLE", "XXXXX", "12345678", "YOUR", "PLACEHOLDER"].iter().any(|word| upper.contains(word))
}

/// `header.payload.signature`, the first two JSON objects in base64.
fn web_token(text: &str, at: usize) -> Option<Token> {
    let part = |text: &str| text.bytes().take_while(|byte| Url.has(*byte)).count();
    let header = part(&text[at..]);
    let payload = text[at + header..].strip_prefix('.').filter(|rest| rest.starts_with(WEB_TOKEN))?;
    let payload = part(payload);
    let signature = part(text[at + header + 1 + payload..].strip_prefix('.')?);
    let end = at + header + payload + signature + 2;
    (header > 15 && payload > 15 && signature > 20)
        .then_some(Token { provider: "JSON Web Token", range: at..end })
}

/// `8123456789:AA…`: the number of a bot of Telegram, and 35 characters.
fn telegram(text: &str, colon: usize) -> Option<Token> {
    let digits = text[..colon].bytes().rev().take_while(u8::is_ascii_digit).count();
    let start = colon - digits;
    let length = text[colon + 1..].bytes().take_while(|byte| Url.has(*byte)).count();
    // Its URL has `bot` before it.
    let before = text[..start].strip_suffix("bot").unwrap_or(&text[..start]);
    let is_whole = !before.bytes().next_back().is_some_and(is_word);
    let (body, end) = (colon + 1, colon + 1 + length);
    ((8..=10).contains(&digits) && length == 35 && is_whole && is_live(&text[body..end]))
        .then_some(Token { provider: "Telegram", range: start..end })
}

/// What stands between the two parts of a bot's token.
const BOT: &str = ":AA";

/// `{"` in base64.
const WEB_TOKEN: &str = "eyJ";

/// The last six characters of a classic GitHub token are the CRC32 of those before, in base 62.
fn github_checksum(token: &str) -> bool {
    let Some(body) = token.get(4..40).filter(|_| token.len() == 40) else { return true };
    let (random, checksum) = body.split_at(30);
    let mut crc = u32::MAX;
    for byte in random.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    base62(!crc) == checksum
}

fn base62(mut number: u32) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up body: no token stands in this file.
    fn body(alphabet: Alphabet, length: usize) -> String {
        let letters: Vec<u8> = (33..127).filter(|byte| alphabet.has(*byte)).collect();
        (0..length).map(|at| char::from(letters[(at * 7 + 3) % letters.len()])).collect()
    }

    fn token(format: &Format) -> String {
        let Format(provider, prefix, alphabet, fewest, _) = format;
        let body = body(*alphabet, *fewest);
        if *provider == "GitHub" && *fewest == 36 {
            let mut crc = u32::MAX;
            for byte in body[..30].bytes() {
                crc ^= u32::from(byte);
                for _ in 0..8 {
                    crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
                }
            }
            return format!("{prefix}{}{}", &body[..30], base62(!crc));
        }
        format!("{prefix}{body}")
    }

    #[test]
    fn each_providers_tokens_are_found_in_a_text_and_not_inside_a_word() {
        for format in FORMATS {
            let token = token(format);
            let found = tokens(&format!("use {token} here"));
            assert!(
                found.iter().any(|found| found.provider == format.0 && found.range == (4..4 + token.len())),
                "{} {}: {found:?}",
                format.0,
                format.1
            );
            assert!(!tokens(&format!("x{token}")).iter().any(|found| found.range.start == 1), "{}", format.0);
        }
        let providers: std::collections::BTreeSet<&str> = FORMATS.iter().map(|format| format.0).collect();
        assert!(providers.len() >= 60, "{}", providers.len());
    }

    #[test]
    fn webhooks_and_bots_are_found_in_urls() {
        let found = |text: &str| tokens(text).iter().map(|token| token.provider).collect::<Vec<_>>();
        let bot = format!("https://api.telegram.org/bot8123456789:AA{}/sendMessage", body(Url, 33));
        assert_eq!(found(&bot), ["Telegram"]);
        assert_eq!(found(&format!("x 8123456789:AA{}", body(Url, 34))), Vec::<&str>::new());
        let hook = format!("https://hooks.slack.com/services/T12AB34CD/B12AB34CD/{}", body(Alnum, 24));
        assert_eq!(found(&hook), ["Slack"]);
        let example = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
        assert_eq!(found(example), Vec::<&str>::new());
        let hook = format!("https://discord.com/api/webhooks/921840275519283746/{}", body(Url, 68));
        assert_eq!(found(&hook), ["Discord"]);
    }

    #[test]
    fn a_github_token_with_a_wrong_checksum_is_none() {
        let format = FORMATS.iter().find(|format| format.1 == "ghp_").unwrap();
        let good = token(format);
        let bad = format!("{}{}", &good[..39], if good.ends_with('0') { '1' } else { '0' });
        assert_eq!((tokens(&good).len(), tokens(&bad).len()), (1, 0));
    }

    #[test]
    fn examples_and_placeholders_are_left_alone() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
            "glpat-your-token-goes-here-please",
            "eyJhbGciOiJIUzI1NiJ9",
            "key-value pairs of some length",
        ] {
            assert_eq!(tokens(text), [], "{text}");
        }
    }
}
