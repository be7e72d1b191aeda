//! A report as one page for print: self-contained, without scripts, its marking on every sheet of paper.
//!
//! Does not know: what a report says.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::HtmlEscape;

use super::Report;
use super::blocks::Block;

/// Browsers repeat what is fixed on every sheet of paper: there the marking stands in a margin of its own, where it hides nothing.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:3rem 1rem;color:#111;background:#fff}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;break-after:avoid}table{border-collapse:collapse;width:100%;font-size:.9rem}\
th,td{text-align:start;vertical-align:top;padding:.3rem .5rem;border:1px solid #888;overflow-wrap:anywhere}tr{break-inside:avoid}\
.tlp{position:fixed;inset-block-start:0;inset-inline-end:0;padding:.25rem .75rem;background:#000;color:#fff;font-weight:700;print-color-adjust:exact}\
.open{border:1px dashed #555;padding:.75rem;min-height:5rem}\
@page{margin:1.5cm}@media print{body{padding:0 2.5rem 0 0;max-width:none}.tlp{writing-mode:vertical-rl;padding:.75rem .25rem}}";

pub fn page(report: &Report, blocks: &[Block]) -> String {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let body: String = blocks.iter().map(block).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'\">\n\
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
<body>\n<div class=\"tlp\">{tlp}</div>\n<main>\n{body}</main>\n</body>\n</html>\n",
        title = HtmlEscape(&report.title()),
        tlp = report.tlp.label(),
    )
}

fn block(block: &Block) -> String {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
        cells.map(|cell| format!("<{tag}>{}</{}>", HtmlEscape(cell), tag.split(' ').next().unwrap_or(tag))).collect()
    };
    match block {
        Block::Title(text) => format!("<h1>{}</h1>\n", HtmlEscape(text)),
        Block::Heading(text) => format!("<h2>{}</h2>\n", HtmlEscape(text)),
        Block::Text(text) => format!("<p>{}</p>\n", HtmlEscape(text)),
        Block::Open(text) => format!("<p class=\"open\"><em>To fill in:</em> {}</p>\n", HtmlEscape(text)),
        Block::List(items) => format!("<ul>\n{}</ul>\n", cells("li", &mut items.iter().map(String::as_str))),
        Block::Table(head, rows) => {
            let head = cells("th scope=\"col\"", &mut head.iter().copied());
            let row = |row: &Vec<String>| format!("<tr>{}</tr>\n", cells("td", &mut row.iter().map(String::as_str)));
            format!("<table>\n<tr>{head}</tr>\n{}</table>\n", rows.iter().map(row).collect::<String>())
        }
    }
}
