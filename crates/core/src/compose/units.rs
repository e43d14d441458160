//! Sizes and durations as Compose writes them. (docker/go-units `size.go`, xhit/go-str2duration, go `time`)

/// Bytes from `64m`, `1.5GiB`, `100`. (`RAMInBytes`)
pub(super) fn bytes(text: &str) -> Option<i64> {
    let end = text.rfind(|character: char| character.is_ascii_digit() || matches!(character, '.' | ' '))?;
    let (number, suffix) = match text.as_bytes()[end] {
        b' ' => (&text[..end], &text[end + 1..]),
        _ => text.split_at(end + 1),
    };
    let size: f64 = number.parse().ok().filter(|size: &f64| *size >= 0.0 && size.is_finite())?;
    let suffix = suffix.to_lowercase();
    let factor = match suffix.as_str() {
        "" | "b" => 1.0,
        suffix => {
            let power = "kmgtp".find(suffix.chars().next()?)? as i32 + 1;
            if !matches!(&suffix[1..], "" | "b" | "ib") {
                return None;
            }
            1024f64.powi(power)
        }
    };
    Some((size * factor) as i64)
}

const SECOND: f64 = 1e9;

/// Nanoseconds from `1m30s`, `1.5h`, `2d`.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number = &rest[..end];
        rest = &rest[end..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..unit_end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => SECOND,
            "m" => 60.0 * SECOND,
            "h" => 3600.0 * SECOND,
            "d" => 24.0 * 3600.0 * SECOND,
            "w" => 7.0 * 24.0 * 3600.0 * SECOND,
            _ => return None,
        };
        rest = &rest[unit_end..];
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        if !whole.is_empty() {
            total = total.checked_add(whole.parse::<i128>().ok()?.checked_mul(unit as i128)?)?;
        }
        if !fraction.is_empty() {
            total = total.checked_add((format!("0.{fraction}").parse::<f64>().ok()? * unit) as i128)?;
        }
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// A duration as go prints it: `1m30s`, `1.5ms`, `0s`.
pub(super) fn duration(nanoseconds: i64) -> String {
    let magnitude = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let decimal = |unit: u64| {
        let fraction = format!("{:0width$}", magnitude % unit, width = unit.ilog10() as usize);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}", magnitude / unit)
    };
    match magnitude {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{magnitude}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(1_000_000)),
        _ => {
            let seconds = magnitude / 1_000_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let fraction = format!("{:09}", magnitude % 1_000_000_000);
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            let below = format!("{}{point}{fraction}s", seconds % 60);
            match (hours, minutes) {
                (0, 0) => format!("{sign}{below}"),
                (0, minutes) => format!("{sign}{minutes}m{below}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{below}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        let cases = [
            ("100", Some(100)),
            ("64m", Some(64 << 20)),
            ("1.5gb", Some(3 << 29)),
            ("1 KiB", Some(1024)),
            ("2b", Some(2)),
            ("2bb", None),
            ("-1", None),
            ("x", None),
            ("1kx", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_read_and_printed_as_go_does() {
        let cases = [
            ("90s", "1m30s"),
            ("1.5h", "1h30m0s"),
            ("1500ms", "1.5s"),
            ("1500us", "1.5ms"),
            ("2d", "48h0m0s"),
            ("0", "0s"),
            ("1m0.25s", "1m0.25s"),
            ("7ns", "7ns"),
        ];
        for (text, expected) in cases {
            assert_eq!(nanoseconds(text).map(duration).as_deref(), Some(expected), "{text}");
        }
        for wrong in ["", "10", "1x", "s", "1.2.3s"] {
            assert_eq!(nanoseconds(wrong), None, "{wrong}");
        }
    }
}
