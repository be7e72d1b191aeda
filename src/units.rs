//! Times and sizes as the files write them, and the word that was probably meant.
//!
//! Does not know: files, keys.

use std::time::Duration;

/// "10m" and its like: digits and one of ms, s, m, h, d.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let n: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => return Some(Duration::from_millis(n)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    n.checked_mul(unit).map(Duration::from_secs)
}

/// A duration as the files write it.
pub fn human(d: Duration) -> String {
    let ms = d.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") }
}

/// What is left of a time, for people: its two largest units.
pub fn left(d: Duration) -> String {
    let s = d.as_secs();
    match (s / 86_400, s / 3600 % 24, s / 60 % 60) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

/// "64MiB" and its like, in bytes.
pub fn bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let n: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match text[digits..].trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    n.checked_mul(unit)
}

/// "100Mbit" and its like, by the second, in bytes a second.
pub fn line_rate(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let n: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match text[digits..].trim_start() {
        "kbit" => 1000,
        "Mbit" => 1_000_000,
        "Gbit" => 1_000_000_000,
        _ => return None,
    };
    n.checked_mul(unit).map(|bits| bits / 8)
}

/// The known name nearest to a mistyped one, if any is near.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let best = known.iter().map(|k| (distance(name, k), *k)).min()?;
    let length = name.chars().count();
    (best.0 <= 2.max(length / 3) && best.0 < length).then_some(best.1)
}

/// Levenshtein's edit distance, bounded by the length of what operators type.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (row[j + 1] + 1).min(row[j] + 1).min(diagonal + usize::from(x != *y));
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        assert_eq!(duration("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
        for bad in ["", "5", "m", "-5s", "5 s", "99999999999999999999s", "5é"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        assert_eq!(human(Duration::from_secs(5400)), "90m");
        assert_eq!(bytes("8MiB"), Some(8 << 20));
        assert_eq!(bytes("8MB"), None);
        assert_eq!(line_rate("100Mbit"), Some(12_500_000));
        assert_eq!(line_rate("100MiB"), None);
    }
}
