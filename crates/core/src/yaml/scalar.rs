//! What type a scalar has for Compose: go-yaml's table, measured, not YAML 1.1 nor 1.2.
//!
//! `0400` is 256, `yes` is text, `1_000` is 1000, `2001-12-14` is a time; quotes make text.

use super::event::Style;

/// A resolved scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `~`, `null`, nothing.
    Null,
    /// `true`, `True`, `TRUE` and their opposites; not `yes`.
    Bool(bool),
    /// A whole number that fits 64 bits, signed or not.
    Int(i128),
    /// A number.
    Float(f64),
    /// A date or a date with a time, as go prints it.
    Time(String),
    /// `<<` without quotes.
    Merge,
    /// Anything else: the text itself.
    Text,
    /// No value of the type that its tag names.
    Misfit,
}

/// Resolves a scalar by its text, style and explicit tag.
pub fn resolve(text: &str, style: Style, tag: Option<&str>) -> Scalar {
    match tag {
        Some(tag @ ("!!null" | "!!bool" | "!!int" | "!!float" | "!!timestamp")) => return tagged(text, tag),
        Some("!!merge") if text == "<<" => return Scalar::Merge,
        // Compose's own tags are gone before it looks at the value. Under any other, text is text.
        None | Some("!reset" | "!override") => {}
        Some(_) => return Scalar::Text,
    }
    if style == Style::Plain { plain(text) } else { Scalar::Text }
}

/// What a tag asks for, in whatever style it is written. A date is none where another tag stands.
fn tagged(text: &str, tag: &str) -> Scalar {
    match (tag, plain(text)) {
        ("!!float", Scalar::Int(number)) if i64::try_from(number).is_ok() => Scalar::Float(number as f64),
        ("!!null", fitting @ Scalar::Null)
        | ("!!bool", fitting @ Scalar::Bool(_))
        | ("!!int", fitting @ Scalar::Int(_))
        | ("!!float", fitting @ Scalar::Float(_))
        | ("!!timestamp", fitting @ Scalar::Time(_)) => fitting,
        _ => Scalar::Misfit,
    }
}

fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        "<<" => return Scalar::Merge,
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return Scalar::Text;
    }
    if let Some(time) = timestamp(text) {
        return Scalar::Time(time);
    }
    let digits: String = text.chars().filter(|digit| *digit != '_').collect();
    if let Some(number) = integer(&digits) {
        return Scalar::Int(number);
    }
    if is_float(&digits)
        && let Ok(number) = digits.parse::<f64>()
        // go's `ParseFloat` refuses what is too large, and go-yaml takes it for a text then.
        && number.is_finite()
    {
        return Scalar::Float(number);
    }
    Scalar::Text
}

/// go's `strconv.ParseInt(…, 0, 64)`, then its unsigned sister: a leading `0` is octal.
fn integer(text: &str) -> Option<i128> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &rest[2..]),
        [b'0', b'o' | b'O', ..] => (8, &rest[2..]),
        [b'0', b'b' | b'B', ..] => (2, &rest[2..]),
        [b'0', _, ..] => (8, &rest[1..]),
        _ => (10, rest),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = i128::from_str_radix(digits, radix).ok()?;
    let number = if negative { -number } else { number };
    (number >= i128::from(i64::MIN) && number <= i128::from(u64::MAX)).then_some(number)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|part| digits(part.strip_prefix(['-', '+']).unwrap_or(part)))
}

/// The four layouts go-yaml knows; printed as go prints a time in UTC, or with the given offset.
fn timestamp(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let (date, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((bytes[at], &text[at + 1..]))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year: u32 = parts.next()?.parse().ok()?;
    let month = short_number(parts.next()?, 12)?;
    let day = short_number(parts.next()?, days_in(year, month))?;
    if parts.next().is_some() || month == 0 || day == 0 {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some((separator, rest)) = rest else { return Some(format!("{date} 00:00:00 +0000 UTC")) };
    let zone_at = rest.find(['Z', '+', '-']);
    let (clock, zone) = match (separator, zone_at) {
        (b' ', None) => (rest, ""),
        (b' ', Some(_)) | (_, None) => return None,
        (_, Some(at)) => (&rest[..at], &rest[at..]),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || fraction.len() > 9 {
        return None;
    }
    let mut units = clock.split(':');
    let hour = short_number(units.next()?, 23)?;
    let minute = short_number(units.next()?, 59)?;
    let second = short_number(units.next()?, 59)?;
    if units.next().is_some() {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    let zone = match zone {
        "" | "Z" => "+0000 UTC".to_owned(),
        zone => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            if hours.len() != 2 || minutes.len() != 2 {
                return None;
            }
            format!("{}{hours}{minutes} {}{hours}{minutes}", &zone[..1], &zone[..1])
        }
    };
    Some(format!("{date} {hour:02}:{minute:02}:{second:02}{dot}{fraction} {zone}"))
}

fn short_number(text: &str, largest: u32) -> Option<u32> {
    if text.is_empty() || text.len() > 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= largest)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_types_that_compose_gives_them() {
        let cases = [
            ("0400", Scalar::Int(256)),
            ("0o400", Scalar::Int(256)),
            ("400", Scalar::Int(400)),
            ("1e3", Scalar::Float(1000.0)),
            ("3.10", Scalar::Float(3.1)),
            ("12e45678", Scalar::Text),
            ("-1e400", Scalar::Text),
            ("1e-400", Scalar::Float(0.0)),
            ("2001-12-14", Scalar::Time("2001-12-14 00:00:00 +0000 UTC".into())),
            ("2001-12-14T21:59:43.10-05:00", Scalar::Time("2001-12-14 21:59:43.1 -0500 -0500".into())),
            ("1_000", Scalar::Int(1000)),
            ("0x1F", Scalar::Int(31)),
            ("08", Scalar::Float(8.0)),
            ("yes", Scalar::Text),
            ("on", Scalar::Text),
            ("22:22", Scalar::Text),
            ("1.2.3", Scalar::Text),
            ("-", Scalar::Text),
            ("+", Scalar::Text),
            ("0x", Scalar::Text),
            ("18446744073709551615", Scalar::Int(18_446_744_073_709_551_615)),
            ("", Scalar::Null),
            ("NULL", Scalar::Null),
            ("True", Scalar::Bool(true)),
            ("<<", Scalar::Merge),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text, Style::Plain, None), expected, "{text}");
            assert_eq!(resolve(text, Style::Double, None), Scalar::Text, "quoted {text}");
        }
        assert_eq!(resolve("12", Style::Plain, Some("!!str")), Scalar::Text);
    }
}
