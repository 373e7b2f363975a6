//! Numbers and names as the page shows them.

/// A share as per cent with two decimals.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// A difference of shares in points of a per cent, with its sign; none that is nothing but rounding is
/// negative.
pub(crate) fn points(difference: f64) -> String {
    signed(100.0 * difference)
}

/// A number with its sign and two decimals.
pub(crate) fn signed(value: f64) -> String {
    match format!("{value:+.2}").as_str() {
        "-0.00" => "+0.00".to_string(),
        text => text.replace('-', "\u{2212}"),
    }
}

/// A loss: three significant decimals, whatever its size.
pub(crate) fn loss(value: f64) -> String {
    match value.abs() {
        size if size != 0.0 && size < 1e-3 => format!("{value:.2e}"),
        _ => format!("{value:.4}"),
    }
}

/// A name without characters that no page can show.
pub(crate) fn shown(name: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_signs_and_digits() {
        assert_eq!(percent(0.828125), "82.81");
        assert_eq!(points(-0.081), "\u{2212}8.10");
        assert_eq!(points(-0.00001), "+0.00");
        assert_eq!(
            (loss(0.0), loss(1.25), loss(0.00012)),
            ("0.0000".into(), "1.2500".into(), "1.20e-4".into())
        );
        assert_eq!(shown("a\u{1b}[31mb\0"), "a\u{fffd}[31mb\u{fffd}");
    }
}
