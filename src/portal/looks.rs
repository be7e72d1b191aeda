//! The colours and the logo of a portal's pages.
//!
//! Does not know: pages, what else a portal is.

use std::fmt;

/// How its pages look.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    /// As it stands in pages; empty: none.
    pub logo: String,
    pub light: Palette,
    pub dark: Palette,
}

impl Default for Looks {
    fn default() -> Looks {
        let palette = |colours: [[u8; 3]; 4]| {
            let [ground, ink, soft, accent] = colours.map(Colour);
            Palette { ground, ink, soft, accent }
        };
        Looks {
            logo: String::new(),
            light: palette([[255; 3], [0x14, 0x17, 0x1a], [0x4a, 0x51, 0x57], [0x0b, 0x5c, 0x4a]]),
            dark: palette([[0x14, 0x17, 0x1a], [0xf2, 0xf4, 0xf5], [0xb9, 0xc1, 0xc7], [0x7f, 0xd8, 0xbf]]),
        }
    }
}

/// What text stands on, text and small print; links and buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    pub ground: Colour,
    pub ink: Colour,
    pub soft: Colour,
    pub accent: Colour,
}

/// Red, green and blue of sRGB.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// `#rrggbb` or `#rgb`.
    pub fn read(text: &str) -> Option<Colour> {
        let digits = text.strip_prefix('#').filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        match digits.len() {
            6 => Some(Colour([16, 8, 0].map(|at| (number >> at) as u8))),
            3 => Some(Colour([8, 4, 0].map(|at| (number >> at & 15) as u8 * 17))),
            _ => None,
        }
    }

    /// The contrast of two, in hundredths and rounded down (WCAG 2.2, "contrast ratio").
    pub fn contrast(self, other: Colour) -> u32 {
        let (one, other) = (self.luminance(), other.luminance());
        ((one.max(other) + 0.05) / (one.min(other) + 0.05) * 100.0) as u32
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| match f64::from(part) / 255.0 {
            c if c <= 0.04045 => c / 12.92,
            c => ((c + 0.055) / 1.055).powf(2.4),
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// So many thousandths of the way to black (0) or white (255).
    pub fn towards(self, end: u8, thousandths: u32) -> Colour {
        let (end, way) = (u32::from(end), thousandths.min(1000));
        Colour(self.0.map(|part| ((u32::from(part) * (1000 - way) + end * way) / 1000) as u8))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Debug for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        let contrast = |a: &str, b: &str| Colour::read(a).unwrap().contrast(Colour::read(b).unwrap());
        // The grey that is known to fail by a hair, and the one that passes.
        assert_eq!((contrast("#777777", "#fff"), contrast("#fff", "#767676")), (447, 454));
        assert_eq!((contrast("#000", "#ffffff"), contrast("#123456", "#123456")), (2100, 100));
        for odd in ["", "#", "#12", "#1234", "#12345g", "123456", "#+12345", "#ééé"] {
            assert_eq!(Colour::read(odd), None, "{odd}");
        }
        let house = Looks::default();
        for palette in [house.light, house.dark] {
            assert!(palette.ink.contrast(palette.ground) >= 450 && palette.accent.contrast(palette.ground) >= 450);
        }
    }
}
