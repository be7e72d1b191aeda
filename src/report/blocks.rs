//! What a report is made of on paper, and how Markdown writes it.
//!
//! Does not know: what a report says.

/// Texts are plain; whoever writes them escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    Title(String),
    Heading(&'static str),
    Text(String),
    List(Vec<String>),
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// For people to fill in.
    Open(&'static str),
}

pub fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        match block {
            Block::Title(text) => out.push_str(&format!("# {}\n\n", plain(text))),
            Block::Heading(text) => out.push_str(&format!("## {text}\n\n")),
            Block::Text(text) => out.push_str(&format!("{}\n\n", plain(text))),
            Block::Open(text) => out.push_str(&format!("> _To fill in:_ {}\n\n", plain(text))),
            Block::List(items) => {
                items.iter().for_each(|item| out.push_str(&format!("- {}\n", plain(item))));
                out.push('\n');
            }
            Block::Table(head, rows) => {
                let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
                out.push_str(&line(head.iter().map(|h| (*h).to_owned()).collect()));
                out.push_str(&line(head.iter().map(|_| "---".to_owned()).collect()));
                rows.iter().for_each(|row| out.push_str(&line(row.iter().map(|cell| plain(cell)).collect())));
                out.push('\n');
            }
        }
    }
    out
}

/// Paths, browsers and reasons are written by others: nothing in them is markup, a link or a new line.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // Many writers of Markdown make links of bare addresses.
    out.replace("://", "\\://").replace("www.", "www\\.")
}
