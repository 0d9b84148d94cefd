//! Sizes in bytes as Docker writes them: `64m`, `1.5g`, `100`; units are powers of 1024.

/// Reads a size in bytes; `None` when it is not one.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit);
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let scale = 1024_i64.pow(power);
    match number.parse::<i64>() {
        Ok(whole) => whole.checked_mul(scale),
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as Docker rounds")]
        Err(_) => number.parse::<f64>().ok().map(|part| (part * scale as f64) as i64),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn docker_sizes() {
        let cases = [
            ("100", Some(100)),
            ("1k", Some(1024)),
            ("64M", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("2GiB", Some(2 << 30)),
            ("1 kb", Some(1024)),
            ("x", None),
            ("", None),
            ("1x", None),
            ("-1", None),
        ];
        for (text, size) in cases {
            assert_eq!(super::parse(text), size, "{text}");
        }
    }
}
