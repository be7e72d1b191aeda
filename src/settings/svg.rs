//! A logo as SVG, made fit to stand within boma's pages: shapes, gradients and their colours are kept, what an editor leaves
//! beside them falls away, and what could act, fetch or restyle a page is refused.
//!
//! What is kept is listed; whatever else browsers may learn to do stays out.
//!
//! Does not know: where the logo stands.

use std::fmt::Write as _;

use roxmltree::{Document, Node};

use crate::bounds;

const SVG: &str = "http://www.w3.org/2000/svg";
#[rustfmt::skip]
const SHAPES: [&str; 13] = [
    "circle", "clipPath", "defs", "ellipse", "g", "line", "linearGradient", "path", "polygon", "polyline", "radialGradient",
    "rect", "stop",
];
/// They say something of the picture; the portal's name stands beside it.
const SAYINGS: [&str; 3] = ["title", "desc", "metadata"];
/// What others refer to.
const NAMED: [&str; 3] = ["clipPath", "linearGradient", "radialGradient"];
#[rustfmt::skip]
const ATTRIBUTES: [&str; 45] = [
    "clip-path", "clip-rule", "clipPathUnits", "color", "cx", "cy", "d", "display", "fill", "fill-opacity", "fill-rule", "fr",
    "fx", "fy", "gradientTransform", "gradientUnits", "height", "offset", "opacity", "paint-order", "points", "r", "rx", "ry",
    "spreadMethod", "stop-color", "stop-opacity", "stroke", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap",
    "stroke-linejoin", "stroke-miterlimit", "stroke-opacity", "stroke-width", "transform", "vector-effect", "visibility",
    "width", "x", "x1", "x2", "y", "y1", "y2",
];
const FUNCTIONS: [&str; 11] =
    ["hsl", "hsla", "matrix", "rgb", "rgba", "rotate", "scale", "skewX", "skewY", "translate", "url"];
/// Its own names begin with this, so that they are none of a page's.
const OWN: &str = "logo-";
/// How high it is shown, and how wide at most, in pixels: a phone of 320 less its margins.
const HEIGHT: f64 = 48.0;
const WIDEST: f64 = 288.0;
/// Groups within groups: editors make a handful.
const DEEPEST: usize = 32;

/// What is wrong, and what to write instead.
pub type Wrong = (String, String);

/// The logo as it stands in pages.
///
/// # Errors
/// What cannot stand there.
pub fn clean(text: &str) -> Result<String, Wrong> {
    let small = |bytes: usize, most: usize, what: &str| match bytes > most {
        true => Err((
            format!("the logo has {bytes} bytes{what}, more than {most}"),
            "draw it with fewer points, so that pages come through on a slow line".to_owned(),
        )),
        false => Ok(()),
    };
    small(text.len(), bounds::LOGO_WRITTEN_BYTES, "")?;
    let document = Document::parse(text.trim()).map_err(|e| {
        let help = "write the SVG itself, from <svg to </svg>, between ''' and '''";
        (format!("the logo is no SVG: line {} of it: {e}", e.pos().row), help.to_owned())
    })?;
    let root = document.root_element();
    if !root.has_tag_name((SVG, "svg")) {
        return Err((
            format!("the logo begins with <{}>, not with <svg> of its own namespace", root.tag_name().name()),
            format!("write <svg xmlns=\"{SVG}\" viewBox=\"0 0 40 40\"> and what it draws"),
        ));
    }
    let [x, y, width, height] = view(&root)?;
    let shown = (HEIGHT * width / height).min(WIDEST);
    let tall = (shown * height / width).max(1.0);
    let mut out = format!(
        "<svg aria-hidden=\"true\" focusable=\"false\" width=\"{:.0}\" height=\"{tall:.0}\" viewBox=\"{x} {y} {width} {height}\"",
        shown.max(1.0)
    );
    let cleaner = Cleaner { document: &document };
    for (name, value) in cleaner.attributes(&root)? {
        if !matches!(name, "width" | "height" | "x" | "y") {
            let _ = write!(out, " {name}=\"{value}\"");
        }
    }
    out.push('>');
    for child in root.children() {
        cleaner.node(&child, 0, &mut out)?;
    }
    out.push_str("</svg>");
    small(out.len(), bounds::LOGO_BYTES, " without what is not needed")?;
    Ok(out)
}

/// What part of the plane it shows.
fn view(root: &Node<'_, '_>) -> Result<[f64; 4], Wrong> {
    let number = |text: &str| text.trim().trim_end_matches("px").parse::<f64>().ok().filter(|n| n.is_finite());
    let box_of = |text: &str| {
        let parts = text.split([' ', ',', '\n', '\t']).filter(|p| !p.is_empty()).map(number);
        <[f64; 4]>::try_from(parts.collect::<Option<Vec<f64>>>()?).ok()
    };
    let side = |name: &str| root.attribute(name).and_then(number);
    let found = match root.attribute("viewBox") {
        Some(text) => box_of(text),
        None => side("width").zip(side("height")).map(|(w, h)| [0.0, 0.0, w, h]),
    };
    found.filter(|[.., w, h]| *w > 0.0 && *h > 0.0 && *w / *h > 0.02).ok_or_else(|| {
        ("the logo does not say how large it is drawn".to_owned(), "write viewBox=\"0 0 40 40\" into <svg>".to_owned())
    })
}

struct Cleaner<'d, 'i> {
    document: &'d Document<'i>,
}

impl<'i> Cleaner<'_, 'i> {
    fn line(&self, node: &Node<'_, '_>) -> u32 {
        self.document.text_pos_at(node.range().start).row
    }

    fn node(&self, node: &Node<'_, 'i>, depth: usize, out: &mut String) -> Result<(), Wrong> {
        let (name, line) = (node.tag_name().name(), self.line(node));
        let foreign = node.tag_name().namespace() != Some(SVG);
        if !node.is_element() || foreign || SAYINGS.contains(&name) {
            return if foreign && name.eq_ignore_ascii_case("script") { Err(refused(name, line)) } else { Ok(()) };
        }
        if !SHAPES.contains(&name) {
            return Err(refused(name, line));
        }
        if depth >= DEEPEST {
            let help = "take out the groups that do nothing".to_owned();
            return Err((format!("line {line} of the logo lies in {depth} groups"), help));
        }
        let _ = write!(out, "<{name}");
        for (name, value) in self.attributes(node)? {
            let _ = write!(out, " {name}=\"{value}\"");
        }
        if !node.has_children() {
            out.push_str("/>");
            return Ok(());
        }
        out.push('>');
        for child in node.children() {
            self.node(&child, depth + 1, out)?;
        }
        let _ = write!(out, "</{name}>");
        Ok(())
    }

    /// Those that are kept, fit to stand between quotes. A `style` becomes what it sets: the pages' policy admits none.
    fn attributes(&self, node: &Node<'_, 'i>) -> Result<Vec<(&'static str, String)>, Wrong> {
        let (element, line) = (node.tag_name().name(), self.line(node));
        let mut all: Vec<(&'static str, String)> = Vec::new();
        let mut keep = |name: &'static str, value: String| {
            all.retain(|(known, _)| *known != name);
            all.push((name, value));
        };
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value().trim());
            match name {
                _ if name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case("on")) => {
                    let help = "take it out: a logo does nothing".to_owned();
                    return Err((format!("line {line} of the logo has an event handler, {name}"), help));
                }
                "href" if element.ends_with("Gradient") && value.starts_with('#') => {
                    keep("href", format!("#{OWN}{}", own(&value[1..], line)?));
                }
                "href" | "src" => {
                    let help = "a page of boma's fetches nothing: draw it into the logo itself".to_owned();
                    return Err((format!("line {line} of the logo refers to {:?}", short(value)), help));
                }
                _ if attribute.namespace().is_some() => {}
                "id" if NAMED.contains(&element) => keep("id", format!("{OWN}{}", own(value, line)?)),
                _ => {
                    if let Some(known) = known(name) {
                        keep(known, fit(known, value, line)?);
                    }
                }
            }
        }
        // What a style sets goes before what stands beside it.
        for set in node.attribute("style").into_iter().flat_map(|s| s.split(';')) {
            let Some((name, value)) = set.split_once(':') else { continue };
            if let Some(known) = known(name.trim()) {
                keep(known, fit(known, value.trim().trim_end_matches("!important").trim(), line)?);
            }
        }
        Ok(all)
    }
}

fn known(name: &str) -> Option<&'static str> {
    ATTRIBUTES.into_iter().find(|known| *known == name)
}

/// A name that others refer to.
fn own(name: &str, line: u32) -> Result<&str, Wrong> {
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    plain.then_some(name).ok_or_else(|| {
        (format!("line {line} of the logo names something {:?}", short(name)), "name it with letters and digits".into())
    })
}

/// A value of nothing but numbers, words, colours and the functions that make these.
fn fit(name: &str, value: &str, line: u32) -> Result<String, Wrong> {
    let wrong = || {
        let help = "write a colour, numbers, or url(#name) of a gradient in the logo".to_owned();
        (format!("line {line} of the logo has {name}={:?}", short(value)), help)
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"#.,+-%()/_".contains(&b);
    let value = value.replace(['"', '\''], "");
    if !value.bytes().all(plain) {
        return Err(wrong());
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value.as_str();
    while let Some((before, after)) = rest.split_once('(') {
        let function = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if !FUNCTIONS.contains(&function) {
            return Err(wrong());
        }
        let _ = write!(out, "{before}(");
        rest = after;
        if function == "url" {
            let name = after.trim_start().strip_prefix('#').ok_or_else(wrong)?;
            let (name, after) = name.split_once(')').ok_or_else(wrong)?;
            let _ = write!(out, "#{OWN}{})", own(name.trim(), line)?);
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

fn refused(name: &str, line: u32) -> Wrong {
    let help = match name.to_ascii_lowercase().as_str() {
        "style" => "write colours as attributes, such as fill=\"#0b5c4a\": editors call that presentation attributes",
        "text" | "tspan" => "turn the letters into paths: pages bring no fonts",
        "use" | "symbol" => "write the shape itself where it is used",
        "image" => "draw it as shapes: pages hold no pictures",
        "script" | "foreignobject" | "a" | "animate" | "set" => "take it out: a logo does nothing",
        _ => "draw it with paths, plain shapes and gradients",
    };
    (format!("line {line} of the logo is a <{}>, which pages do not hold", short(name)), help.to_owned())
}

/// As much as a message needs.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(drawn: &str) -> Result<String, Wrong> {
        clean(&format!(
            "<svg xmlns=\"{SVG}\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" viewBox=\"0 0 40 20\">{drawn}</svg>"
        ))
    }

    /// As an editor leaves it.
    #[test]
    fn shapes_and_gradients_stay_and_the_editors_own_falls_away() {
        let logo = r##"<?xml version="1.0" encoding="UTF-8"?>
<!-- Made by hand -->
<svg xmlns="http://www.w3.org/2000/svg" xmlns:sodipodi="http://sodipodi.example" xmlns:xlink="http://www.w3.org/1999/xlink"
  width="40px" height="20" version="1.1" id="svg8" sodipodi:docname="a.svg">
  <title>Ours</title><metadata><rdf xmlns="http://rdf.example">x</rdf></metadata><sodipodi:namedview zoom="2"/>
  <defs id="defs2"><linearGradient id="wait"><stop offset="0" stop-color="#0b5c4a"/></linearGradient>
  <linearGradient id="b" xlink:href="#wait" gradientUnits="userSpaceOnUse"/></defs>
  <g id="layer1" style="fill:#f00; stroke-width:2 !important;-inkscape-font:'x'" fill="#00f">
    <path class="x" id="path4" d="M 0,0
      L 1,1 z"/><rect x="1" y="2" width="3" height="4" y2="0" fill="url('#b')" transform="rotate( 45 )"/>
  </g>
</svg>"##;
        let cleaned = clean(logo).unwrap();
        assert_eq!(
            cleaned,
            "<svg aria-hidden=\"true\" focusable=\"false\" width=\"96\" height=\"48\" viewBox=\"0 0 40 20\">\
<defs><linearGradient id=\"logo-wait\"><stop offset=\"0\" stop-color=\"#0b5c4a\"/></linearGradient>\
<linearGradient id=\"logo-b\" href=\"#logo-wait\" gradientUnits=\"userSpaceOnUse\"/></defs>\
<g fill=\"#f00\" stroke-width=\"2\"><path d=\"M 0,0 L 1,1 z\"/>\
<rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" y2=\"0\" fill=\"url(#logo-b)\" transform=\"rotate( 45 )\"/></g></svg>"
        );
        let again = format!("<svg xmlns=\"{SVG}\"{}", cleaned.strip_prefix("<svg").unwrap());
        assert!(clean(&again).is_ok(), "what was cleaned is clean");
        let wide = clean(&format!("<svg xmlns='{SVG}' viewBox='0 0 1000 50'><path d='M0 0'/></svg>")).unwrap();
        assert!(wide.contains("width=\"288\" height=\"14\""), "{wide}");
    }

    #[test]
    fn what_could_act_fetch_or_restyle_is_refused_with_its_line() {
        for (drawn, said) in [
            ("<script>alert(1)</script>", "a <script>"),
            ("<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>", "a <script>"),
            ("<g><foreignObject><p>x</p></foreignObject></g>", "a <foreignObject>"),
            ("<image href='data:image/png;base64,AA=='/>", "a <image>"),
            ("<use href='#a'/>", "a <use>"),
            ("<style>*{display:none}</style>", "presentation attributes"),
            ("<text>Huduma</text>", "into paths"),
            ("<a href='https://evil.example'/>", "a <a>"),
            ("<animate attributeName='d'/>", "a <animate>"),
            ("<g onload='x()'/>", "event handler, onload"),
            ("<g ONCLICK='x()'/>", "event handler, ONCLICK"),
            ("<g xlink:href='https://evil.example/a.svg#x'/>", "refers to"),
            ("<linearGradient href='https://evil.example/a.svg#x'/>", "refers to"),
            ("<rect fill='url(https://evil.example/#x)'/>", "has fill="),
            ("<rect fill='u\\72l(https://evil.example)'/>", "has fill="),
            ("<rect style='fill:url(//evil.example#x)'/>", "has fill="),
            ("<rect fill='image-set(x)'/>", "has fill="),
            ("<rect fill='src(x)'/>", "has fill="),
            ("<clipPath id='a&quot;&gt;'/>", "names something"),
            ("<path d='M0 0\"/><x'/>", "is no SVG"),
            ("<path d='expression(x)'/>", "has d="),
        ] {
            let (message, help) = inside(&format!("<g>\n{drawn}</g>")).expect_err(drawn);
            assert!(message.contains(said) || help.contains(said), "{drawn}: {message}; {help}");
            assert!(message.contains("line 2 of"), "{drawn}: {message}");
        }
    }

    #[test]
    fn what_is_no_logo_or_too_much_of_one_is_refused() {
        let points = |n: usize| format!("<path d=\"M0 0{}\"/>", " L12.5 7.25".repeat(n));
        for (text, said) in [
            ("logo.svg".to_owned(), "is no SVG"),
            ("<!DOCTYPE svg [<!ENTITY a \"b\">]><svg/>".to_owned(), "is no SVG"),
            ("<html/>".to_owned(), "begins with <html>"),
            (format!("<svg xmlns='{SVG}'/>"), "how large"),
            (format!("<svg xmlns='{SVG}' viewBox='0 0 0 1'/>"), "how large"),
            (format!("<svg xmlns='{SVG}' viewBox='0 0 1 NaN'/>"), "how large"),
            (
                format!("<svg xmlns='{SVG}' viewBox='0 0 9 9'>{}</svg>", points(bounds::LOGO_BYTES / 10)),
                "without what is not",
            ),
            ("x".repeat(bounds::LOGO_WRITTEN_BYTES + 1), "more than"),
            (
                format!("<svg xmlns='{SVG}' viewBox='0 0 9 9'>{}{}</svg>", "<g>".repeat(40), "</g>".repeat(40)),
                "in 32 groups",
            ),
        ] {
            let (message, _) = clean(&text).expect_err(&text);
            assert!(message.contains(said), "{text}: {message}");
        }
        assert!(inside(&points(bounds::LOGO_BYTES / 20)).is_ok());
    }
}
