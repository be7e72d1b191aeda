//! Whether a text fits into one short message: 160 septets of GSM 03.38 (3GPP TS 23.038), or 70 UTF-16 units where one
//! character is not in that alphabet. Longer ones go out, and are paid for, as several.
//!
//! Does not know: what a text says.

use serde::Serialize;

/// Characters of a text that staff copy.
pub const MOST: usize = 160;
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Each takes two septets.
const EXTENDED: &str = "^{}\\[~]|€";

/// A text, and what sending it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sms {
    pub text: String,
    pub characters: usize,
    pub encoding: &'static str,
    /// Messages that it goes out as.
    pub parts: usize,
    /// The characters for which it cannot go out in GSM-7.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub because: String,
}

/// Joins as many of the pieces as fit; the first one is cut where it alone does not.
pub fn fit(pieces: &[&str]) -> Sms {
    let mut text = String::new();
    for piece in pieces.iter().filter(|p| !p.is_empty()) {
        let room = MOST.saturating_sub(text.chars().count() + usize::from(!text.is_empty()));
        if piece.chars().count() <= room {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(piece);
        } else if text.is_empty() {
            let head: String = piece.chars().take(MOST - 3).collect();
            text = head.rsplit_once(' ').map_or(head.as_str(), |(words, _)| words).to_owned() + "...";
        }
    }
    measure(text)
}

fn measure(text: String) -> Sms {
    let mut because = String::new();
    let mut septets = 0;
    for c in text.chars() {
        match () {
            () if BASIC.contains(c) => septets += 1,
            () if EXTENDED.contains(c) => septets += 2,
            () if because.contains(c) => {}
            () => because.push(c),
        }
    }
    let (encoding, units, one, of_several) =
        if because.is_empty() { ("GSM-7", septets, 160, 153) } else { ("UCS-2", text.encode_utf16().count(), 70, 67) };
    let parts = if units <= one { 1 } else { usize::div_ceil(units, of_several) };
    Sms { characters: text.chars().count(), text, encoding, parts, because }
}
