//! Durations as Go writes them: `1h2m3.5s`, `300ms`, `-1.5h`.

/// Reads a duration in nanoseconds; `None` when it is not one or does not fit.
pub(super) fn parse(text: &str) -> Option<i64> {
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
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, tail) = rest.split_at_checked(number)?;
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit)?;
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || digits.len() > 20 {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let denominator = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        total += whole * scale + part * scale / denominator;
        rest = tail;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// Writes a duration as Go does: `1h2m3.5s`, `300ms`, `0s`.
pub(crate) fn format(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let with_fraction = |value: u64, unit: u64, name: &str| {
        let digits = unit.to_string().len() - 1;
        let fraction = format!("{:0digits$}", value % unit);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{}{dot}{fraction}{name}", value / unit)
    };
    let text = match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => with_fraction(total, 1_000, "µs"),
        1_000_000..1_000_000_000 => with_fraction(total, 1_000_000, "ms"),
        _ => {
            let (hours, minutes) = (total / 3_600_000_000_000, total / 60_000_000_000 % 60);
            let seconds = with_fraction(total % 60_000_000_000, 1_000_000_000, "s");
            match (hours, minutes) {
                (0, 0) => seconds,
                (0, _) => format!("{minutes}m{seconds}"),
                _ => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        let cases = [
            ("0", Some(0), "0s"),
            ("30s", Some(30_000_000_000), "30s"),
            ("1m30s", Some(90_000_000_000), "1m30s"),
            ("1.5h", Some(5_400_000_000_000), "1h30m0s"),
            ("500ms", Some(500_000_000), "500ms"),
            (".5s", Some(500_000_000), "500ms"),
            ("-2us", Some(-2_000), "-2µs"),
            ("1.25s", Some(1_250_000_000), "1.25s"),
            ("7ns", Some(7), "7ns"),
        ];
        for (text, value, written) in cases {
            assert_eq!(parse(text), value, "{text}");
            assert_eq!(value.map(format).as_deref(), Some(written), "{text}");
        }
        for wrong in ["", "1", "s", "1x", "1.2.3s", "99999999999999999999h", "--1s"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
