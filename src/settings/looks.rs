//! How a portal's pages look: its logo and its colours, held to what everybody can read.
//!
//! Does not know: the rest of the file.

use super::svg;
use crate::fault::Section;
use crate::portal::{Colour, Looks, Palette};

/// Contrast of text that everybody can read, in hundredths (WCAG 2.2, 1.4.3).
const READABLE: u32 = 450;

pub fn looks(s: &Section<'_>) -> Looks {
    let mut looks = Looks::default();
    if let Some(at) = s.string("logo", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 40\">…</svg>") {
        match svg::clean(&at.value) {
            Ok(logo) => looks.logo = logo,
            Err((message, help)) => s.fault(at.span, message, help),
        }
    }
    let Some(t) = s.section("colours") else { return looks };
    palette(&t, "", &mut looks.light);
    palette(&t, "_dark", &mut looks.dark);
    t.finish();
    looks
}

/// The colours of one scheme, over those of the house.
fn palette(t: &Section<'_>, scheme: &str, palette: &mut Palette) {
    let name = |part: &str| format!("{part}{scheme}");
    let read = |part: &str, colour: &mut Colour| {
        let Some(at) = t.string(&name(part), &colour.to_string()) else { return };
        match Colour::read(&at.value) {
            Some(read) => *colour = read,
            None => t.fault(
                at.span,
                format!("`colours.{}` is {:?}, which is no colour", name(part), at.value),
                format!("write six hexadecimal digits, such as {colour:?}"),
            ),
        }
    };
    read("ground", &mut palette.ground);
    read("ink", &mut palette.ink);
    read("accent", &mut palette.accent);
    if t.has(&name("ground")) || t.has(&name("ink")) {
        // What is fainter might not be read on a ground that is not the house's.
        palette.soft = palette.ink;
    }
    let own = |part: &str| t.string(&name(part), "");
    for (part, colour) in [("ink", palette.ink), ("accent", palette.accent)] {
        let contrast = colour.contrast(palette.ground);
        if contrast >= READABLE {
            continue;
        }
        // Where only the ground is the operator's it is the ground that does not fit.
        let Some(at) = own(part).or_else(|| own("ground")) else { continue };
        let what = if part == "ink" { "text needs" } else { "links and buttons need" };
        t.fault(
            at.span,
            format!(
                "`colours.{}` {colour} on `{}` {} has a contrast of {}.{:02}:1: {what} 4.5:1 (WCAG 2.2, 1.4.3)",
                name(part),
                name("ground"),
                palette.ground,
                contrast / 100,
                contrast % 100
            ),
            match readable(colour, palette.ground) {
                Some(better) => format!("write {} = \"{better}\", or another that differs more", name(part)),
                None => format!("write a {} that is lighter or darker", name("ground")),
            },
        );
    }
}

/// The nearest of its kind that can be read: darker step by step, or lighter where the ground is dark.
fn readable(colour: Colour, ground: Colour) -> Option<Colour> {
    let black = Colour([0; 3]).contrast(ground) >= Colour([255; 3]).contrast(ground);
    let towards = if black { 0 } else { 255 };
    (1..=50u32).map(|step| colour.towards(towards, step * 20)).find(|c| c.contrast(ground) >= READABLE)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::portal::Looks;
    use crate::settings;

    fn read(portal: &str) -> (Looks, Vec<String>) {
        let text = format!(
            "[[listen]]\naddress = \"127.0.0.1:80\"\n[[portal]]\nname = \"a\"\nhosts = [\"*\"]\norigins = [\"http://a\"]\n{portal}"
        );
        let read = settings::read("boma.toml", &text, Path::new("/"));
        (read.value.portals[0].looks.clone(), read.faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn colours_lie_over_those_of_the_house() {
        let (plain, faults) = read("");
        assert_eq!((plain, faults), (Looks::default(), vec![]));
        let (looks, faults) = read("colours = { accent = \"#a0183C\", ground_dark = \"#000\" }");
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(
            (looks.light.accent.to_string(), looks.dark.ground.to_string()),
            ("#a0183c".into(), "#000000".into())
        );
        assert_eq!((looks.light.ink, looks.dark.accent), (Looks::default().light.ink, Looks::default().dark.accent));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_ratio_and_what_would_do() {
        for (colours, says) in [
            (
                "accent = \"#7fd8bf\"",
                &[
                    "boma.toml:7:22",
                    "`colours.accent` #7fd8bf on `ground` #ffffff has a contrast of 1.68:1",
                    "links and buttons need 4.5:1",
                ][..],
            ),
            ("ink = \"#777777\"", &["`colours.ink` #777777", "4.47:1: text needs 4.5:1", "write ink = \"#"]),
            (
                "ground_dark = \"#888888\"",
                &["`colours.ink_dark` #f2f4f5 on `ground_dark` #888888", "`colours.accent_dark`"],
            ),
            (
                "accent = \"green\"",
                &[
                    "`colours.accent` is \"green\", which is no colour",
                    "write six hexadecimal digits, such as \"#0b5c4a\"",
                ],
            ),
            ("acent = \"#000\"", &["acent"]),
        ] {
            let (_, faults) = read(&format!("colours = {{ {colours} }}"));
            let all = faults.join("\n");
            assert!(says.iter().all(|s| all.contains(s)), "{colours}: {all}");
        }
        // What is written instead passes.
        let (_, faults) = read("colours = { accent = \"#7fd8bf\" }");
        let better = faults[0].split("write accent = ").nth(1).unwrap().split(',').next().unwrap();
        assert_eq!(read(&format!("colours = {{ accent = {better} }}")).1, Vec::<String>::new(), "{better}");
    }

    #[test]
    fn a_logo_is_the_svg_itself() {
        let (looks, faults) = read(
            "logo = '''\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 2 1\">\n<path d=\"M0 0\"/></svg>\n'''",
        );
        assert_eq!(faults, Vec::<String>::new());
        assert!(looks.logo.starts_with("<svg aria-hidden=\"true\"") && looks.logo.contains("<path d=\"M0 0\"/>"));
        let (looks, faults) = read("logo = \"logo.svg\"");
        assert!(faults[0].contains("boma.toml:7:8") && faults[0].contains("write the SVG itself"), "{faults:?}");
        assert_eq!(looks.logo, "");
    }
}
