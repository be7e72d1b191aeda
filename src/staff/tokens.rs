//! The file of tokens: names, roles, hashes, ends.
//!
//! Does not know: where the file lies.

use aws_lc_rs::digest::{SHA256, digest};

use super::Role;
use crate::bounds;
use crate::fault::{self, Read, Section};
use crate::seal;

/// The name of whoever holds `BOMA_ADMIN_TOKEN`; no token in the file has it.
pub const ADMINISTRATOR: &str = "administrator";
/// What a token begins with, so that people and scanners for secrets know one when they see it.
const PREFIX: &str = "boma_";
const SHA: &str = "sha256:";
const HEAD: &str = "# Who may come in by the staff door of boma. `boma token add | list | remove` write this file anew, without \
comments of\n# yours. Only hashes of tokens stand here; a boma that runs takes a change over within a second.\n";

/// What a token is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    pub fn of(token: &str) -> Hash {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Hash(bytes)
    }

    /// Whether both are one, in constant time.
    pub fn is(&self, other: &Hash) -> bool {
        seal::same(&self.0, &other.0)
    }

    fn parse(text: &str) -> Option<Hash> {
        let hex = text.strip_prefix(SHA).filter(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
        }
        Some(Hash(bytes))
    }

    fn text(&self) -> String {
        self.0.iter().fold(SHA.to_owned(), |text, b| text + &format!("{b:02x}"))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub name: String,
    pub role: Role,
    pub hash: Hash,
    /// Seconds since the Unix epoch; `None`: until it is taken out.
    pub expires: Option<u64>,
}

impl Token {
    pub fn has_expired(&self, now_unix: u64) -> bool {
        self.expires.is_some_and(|end| end <= now_unix)
    }
}

/// All of them, in the file's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens(Vec<Token>);

/// A new token; `None` only where the system gives no random bytes.
pub fn new_token() -> Option<String> {
    let mut bytes = [0; 32];
    seal::random(&mut bytes).then(|| format!("{PREFIX}{}", seal::base64(&bytes)))
}

impl Tokens {
    pub fn all(&self) -> &[Token] {
        &self.0
    }

    /// The token of this hash, expired or not. All are looked at, whichever it is.
    pub fn find(&self, hash: &Hash) -> Option<&Token> {
        self.0.iter().fold(None, |found, token| if token.hash.is(hash) { Some(token) } else { found })
    }

    /// With one more.
    ///
    /// # Errors
    /// In words: no such name can be, or there is one.
    pub fn with(mut self, token: Token) -> Result<Tokens, String> {
        if let Some(why) = wrong_name(&token.name) {
            return Err(why);
        }
        if self.0.iter().any(|t| t.name == token.name) {
            return Err(format!(
                "there is a token {:?} already: take it out first (boma token remove), or give this one a name of its own",
                token.name
            ));
        }
        if self.0.len() >= bounds::TOKENS {
            return Err(format!("there are {} tokens already: take out who has left", bounds::TOKENS));
        }
        self.0.push(token);
        Ok(self)
    }

    /// Without the one of this name.
    ///
    /// # Errors
    /// In words: there is none.
    pub fn without(mut self, name: &str) -> Result<Tokens, String> {
        let before = self.0.len();
        self.0.retain(|t| t.name != name);
        if self.0.len() == before { Err(format!("there is no token {name:?}")) } else { Ok(self) }
    }

    /// The whole file.
    pub fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for token in &self.0 {
            let (name, role, hash) = (&token.name, token.role, token.hash.text());
            text += &format!("\n[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nhash = \"{hash}\"\n");
            if let Some(end) = token.expires.and_then(|e| jiff::Timestamp::from_second(e as i64).ok()) {
                text += &format!("expires = {end}\n");
            }
        }
        text
    }
}

/// Names stand in the journal and on command lines.
fn wrong_name(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name == ADMINISTRATOR {
        return Some(format!("{name:?} is who holds BOMA_ADMIN_TOKEN: write another name"));
    }
    let good = (1..=64).contains(&name.len()) && name.chars().all(fits);
    (!good).then(|| format!("{name:?} is no name for a token: write 1 to 64 letters, digits, -, _, . or @"))
}

/// Reads the text of a file of tokens.
pub fn read(file: &str, text: &str) -> Read<Tokens> {
    fault::read(file, text, |top| {
        let mut tokens = Tokens::default();
        for s in top.sections("token") {
            if let Some(token) = token(&s) {
                if tokens.find(&token.hash).is_some() {
                    s.fault(s.span(), "this hash stands here twice", "take one of them out: a token is one person's");
                }
                match tokens.clone().with(token) {
                    Ok(more) => tokens = more,
                    Err(why) => s.fault(s.span(), why, "mend or take out this [[token]]"),
                }
            }
            s.finish();
        }
        tokens
    })
}

fn token(s: &Section<'_>) -> Option<Token> {
    for key in ["name", "role", "hash"] {
        if !s.has(key) {
            s.fault(s.span(), format!("[[token]] without {key}"), "let `boma token add` write it");
        }
    }
    let name = s.string("name", "soc-night").map(|n| n.value);
    let role = s.word("role", &Role::NAMES).and_then(|w| Role::named(w.value));
    let hash = s.string("hash", "sha256:…").and_then(|at| {
        let hash = Hash::parse(&at.value);
        if hash.is_none() {
            let help = "write \"sha256:\" and 64 hexadecimal digits, never the token itself; `boma token add` does";
            s.fault(at.span, "`token.hash` is no hash", help);
        }
        hash
    });
    let expires = s.instant("expires").map(|e| e.value);
    Some(Token { name: name?, role: role?, hash: hash?, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, secret: &str, expires: Option<u64>) -> Token {
        Token { name: name.into(), role: Role::Analyst, hash: Hash::of(secret), expires }
    }

    #[test]
    fn what_is_written_is_what_is_read_and_holds_no_token() {
        let secret = new_token().unwrap();
        assert!(secret.starts_with("boma_") && secret.len() == 48, "{secret}");
        let tokens = Tokens::default().with(token("soc-night", &secret, Some(1_800_000_000))).unwrap();
        let tokens = tokens.with(token("soc-lead@soc", "other", None)).unwrap();
        let text = tokens.text();
        assert!(!text.contains(&secret[5..]) && text.contains("expires = 2027-01-15T08:00:00Z"), "{text}");
        let read = read("t.toml", &text);
        assert_eq!((read.faults, &read.value), (vec![], &tokens));
        let found = tokens.find(&Hash::of(&secret)).unwrap();
        assert_eq!(
            (found.name.as_str(), found.has_expired(1_799_999_999), found.has_expired(1_800_000_000)),
            ("soc-night", false, true)
        );
        assert_eq!(tokens.find(&Hash::of("")), None);
        assert!(tokens.clone().with(token("soc-night", "x", None)).unwrap_err().contains("already"));
        let left = tokens.without("soc-night").unwrap();
        assert_eq!(left.find(&Hash::of(&secret)), None);
        assert!(left.without("soc-night").unwrap_err().contains("no token"));
        assert_eq!(super::read("t.toml", "").value, Tokens::default());
    }

    #[test]
    fn every_fault_is_named_with_what_to_write() {
        let hash = Hash::of("x").text();
        let text = format!(
            "[[token]]\nname = \"a b\"\nrole = \"viewer\"\nhash = \"{hash}\"\n[[token]]\nname = \"c\"\nrole = \"boss\"\nhash = \"boma_secret\"\nexpires = \"soon\"\n[[token]]\nrol = \"lead\"\n[[token]]\nname = \"administrator\"\nrole = \"admin\"\nhash = \"{}\"\n",
            Hash::of("y").text()
        );
        let said: Vec<String> =
            read("t.toml", &text).faults.iter().map(|f| format!("{}:{} {}", f.line, f.column, f.message)).collect();
        assert_eq!(
            said,
            [
                "1:1 \"a b\" is no name for a token: write 1 to 64 letters, digits, -, _, . or @",
                "7:8 `token.role` is \"boss\"",
                "8:8 `token.hash` is no hash",
                "9:11 `token.expires` is \"soon\"",
                "10:1 [[token]] without name",
                "10:1 [[token]] without role",
                "10:1 [[token]] without hash",
                "11:1 unknown key `token.rol`",
                "12:1 \"administrator\" is who holds BOMA_ADMIN_TOKEN: write another name",
            ]
        );
        let twice = format!(
            "[[token]]\nname = \"a\"\nrole = \"viewer\"\nhash = \"{hash}\"\n[[token]]\nname = \"b\"\nrole = \"admin\"\nhash = \"{hash}\"\n"
        );
        assert!(read("t.toml", &twice).faults[0].message.contains("twice"));
    }
}
