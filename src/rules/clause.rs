//! The `match` table of a rule or limit: which fields must hold, and by which patterns.
//!
//! Does not know: requests, verdicts, how clauses are compiled.

use std::cell::RefCell;
use std::fmt;

use super::expression::Expressions;
use super::lists::Lists;
use super::pattern::Pattern;
use crate::facts::Kind;
use crate::fault::{At, Section};
use crate::portal::Class;
use crate::units::nearest;

/// What a clause looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Path,
    Method,
    Host,
    Scheme,
    List,
    UserAgent,
    /// Name in lower case.
    Header(String),
    Cookie(String),
    Query,
    Param(String),
    Pass,
    Settled,
    Kind,
    Route,
    Class,
    Service,
    Portal,
    Country,
    Asn,
    KnownPath,
    /// Whether the one or the other is known: what is not satisfies no pattern and no `not`.
    CountryKnown,
    AsnKnown,
    /// Of the client's TLS.
    Fingerprint,
    FingerprintKnown,
}

impl Field {
    pub fn ignores_case(&self) -> bool {
        matches!(self, Field::Host | Field::UserAgent | Field::Service | Field::Country)
    }
}

impl fmt::Display for Field {
    /// As the rules write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Header(name) => return write!(f, "header.{name}"),
            Field::Cookie(name) => return write!(f, "cookie.{name}"),
            Field::Param(name) => return write!(f, "query.{name}"),
            Field::Path => "path",
            Field::Method => "method",
            Field::Host => "host",
            Field::Scheme => "scheme",
            Field::List => "list",
            Field::UserAgent => "user_agent",
            Field::Query => "query",
            Field::Pass | Field::Settled => "pass",
            Field::Kind => "kind",
            Field::Route => "route",
            Field::Class => "class",
            Field::Service => "service",
            Field::Portal => "portal",
            Field::Country | Field::CountryKnown => "country",
            Field::Asn | Field::AsnKnown => "asn",
            Field::KnownPath => "known_path",
            Field::Fingerprint | Field::FingerprintKnown => "fingerprint",
        })
    }
}

/// One field of a `match` table: any of the patterns, or none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub field: Field,
    pub patterns: Vec<Pattern>,
    pub not: bool,
}

impl Clause {
    /// Whether it says who the client is, as `allow` must.
    pub fn names_client(&self) -> bool {
        let known = || !self.patterns.iter().any(|p| *p == Pattern::Exact("unknown".into()));
        match self.field {
            Field::List | Field::Pass | Field::Settled => !self.not,
            Field::Country | Field::Asn => !self.not && known(),
            _ => false,
        }
    }

    /// What must hold besides.
    pub fn besides(&self) -> Option<Clause> {
        let field = match self.field {
            Field::Country if self.not => Field::CountryKnown,
            Field::Asn if self.not => Field::AsnKnown,
            Field::Fingerprint if self.not => Field::FingerprintKnown,
            _ => return None,
        };
        Some(Clause { field, patterns: vec![Pattern::Exact("true".into())], not: false })
    }
}

/// What rules may refer to.
#[derive(Clone, Copy)]
pub struct Known<'l> {
    pub lists: &'l Lists,
    pub expressions: &'l RefCell<Expressions>,
    pub countries: bool,
    pub asns: bool,
}

/// Reads a `match` table; `what` is how faults call it, such as `rule.match`.
pub fn read(table: &Section<'_>, what: &str, known: Known<'_>) -> Vec<Clause> {
    let mut reader = Reader { known, clauses: Vec::new() };
    for (key, field, example) in [
        ("path", Field::Path, "/login*"),
        ("method", Field::Method, "POST"),
        ("host", Field::Host, "huduma.example"),
        ("scheme", Field::Scheme, "http"),
        ("list", Field::List, "offices"),
        ("user_agent", Field::UserAgent, "*curl*"),
        ("pass", Field::Pass, "true"),
        ("kind", Field::Kind, "navigation"),
        ("route", Field::Route, "/assets/*"),
        ("class", Field::Class, "payment"),
        ("service", Field::Service, "Pay a licence"),
        ("portal", Field::Portal, "huduma"),
        ("country", Field::Country, "KE"),
        ("asn", Field::Asn, "36914"),
        ("known_path", Field::KnownPath, "true"),
        ("fingerprint", Field::Fingerprint, "t13d1516h2_*"),
    ] {
        reader.clause(table, what, key, field, example);
    }
    reader.named(table, what, "header", header);
    reader.named(table, what, "cookie", cookie);
    if table.is_table("query") {
        reader.named(table, what, "query", parameter);
    } else {
        reader.clause(table, what, "query", Field::Query, "*id=*");
    }
    if table.is_empty() {
        table.fault(table.span(), format!("`{what}` names no field"), "write at least one, such as path = \"/login*\"");
    }
    table.finish();
    reader.clauses
}

pub(super) fn header(name: &str) -> Option<Field> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let fit = !name.is_empty() && name != "not" && name.bytes().all(token);
    fit.then(|| Field::Header(name.to_ascii_lowercase()))
}

fn cookie(name: &str) -> Option<Field> {
    (!name.is_empty() && name != "not").then(|| Field::Cookie(name.to_owned()))
}

/// `query = { not = … }` is about the whole query; there is no way to ask for a parameter of that name.
fn parameter(name: &str) -> Option<Field> {
    Some(if name == "not" { Field::Query } else { Field::Param(name.to_owned()) })
}

struct Reader<'l> {
    known: Known<'l>,
    clauses: Vec<Clause>,
}

impl Reader<'_> {
    /// `header.NAME` and its like: dotted keys, which TOML reads as a table.
    fn named(&mut self, table: &Section<'_>, what: &str, key: &str, field: fn(&str) -> Option<Field>) {
        let Some(names) = table.section(key) else { return };
        let what = format!("{what}.{key}");
        for name in names.keys() {
            match field(&name.value) {
                Some(Field::Query) => self.values(&names, "not", &what, Field::Query, true, "*id=*"),
                Some(field) => self.clause(&names, &what, &name.value, field, "…"),
                None => names.fault(
                    name.span,
                    format!("`{what}` needs a name, and `{}` can be none", name.value),
                    format!("write {key}.NAME = \"…\" or {key}.NAME = {{ not = \"…\" }}"),
                ),
            }
        }
    }

    /// A value, a list, or `{ not = … }`.
    fn clause(&mut self, table: &Section<'_>, what: &str, key: &str, field: Field, example: &str) {
        if !table.asks(key) {
            return;
        }
        let what = format!("{what}.{key}");
        if !table.is_table(key) {
            return self.values(table, key, &what, field, false, example);
        }
        let Some(inner) = table.section(key) else { return };
        if inner.has("not") {
            self.values(&inner, "not", &what, field, true, example);
        } else {
            let help = format!("write {{ not = \"{example}\" }}, or the value alone");
            inner.fault(inner.span(), format!("`{what}` is a table without `not`"), help);
        }
        inner.finish();
    }

    fn values(&mut self, table: &Section<'_>, key: &str, what: &str, field: Field, not: bool, example: &str) {
        match field {
            Field::Pass | Field::Query | Field::KnownPath if table.is_boolean(key) => {
                let Some(truth) = table.boolean(key) else { return };
                // A pass that is there reads as "true"; one that is not there reads as nothing.
                let there = if field == Field::Query { Pattern::any() } else { Pattern::Exact("true".into()) };
                self.clauses.push(Clause { field, patterns: vec![there], not: truth.value == not });
            }
            Field::Pass => self.settled(table, key, what, not),
            // Names the fault by itself; nothing where the key is not there.
            Field::KnownPath => drop(table.boolean(key)),
            _ => {
                let missing = match field {
                    Field::Country => (!self.known.countries).then_some("country_db"),
                    Field::Asn => (!self.known.asns).then_some("asn_db"),
                    _ => None,
                };
                if let Some(database) = missing.filter(|_| table.has(key)) {
                    let help = format!("name its file in boma.toml: [client] {database} = \"geo/….mmdb\"");
                    table.fault(table.span(), format!("`{what}` needs a database that is not there"), help);
                }
                let texts = match field {
                    Field::Asn => table.numbers_or_texts(key, example),
                    _ => table.strings(key, true, example),
                };
                let Some(texts) = texts else { return };
                if texts.is_empty() {
                    let span = table.keys().into_iter().find(|k| k.value == key).map_or(table.span(), |k| k.span);
                    table.fault(span, format!("`{what}` names nothing"), "write at least one value, or leave it out");
                }
                let mut patterns: Vec<Pattern> =
                    texts.iter().filter_map(|t| self.pattern(table, what, &field, t)).collect();
                patterns.sort();
                patterns.dedup();
                self.clauses.push(Clause { field, patterns, not });
            }
        }
    }

    fn settled(&mut self, table: &Section<'_>, key: &str, what: &str, not: bool) {
        if !table.is_text(key) {
            // Names the fault by itself; nothing where the key is not there.
            table.boolean(key);
            return;
        }
        let Some(word) = table.string(key, "") else { return };
        if word.value == "settled" {
            self.clauses.push(Clause { field: Field::Settled, patterns: vec![Pattern::Exact("true".into())], not });
        } else {
            let help = "write true or false without quotes, or \"settled\"";
            table.fault(word.span, format!("`{what}` is {:?}", word.value), help);
        }
    }

    fn pattern(&self, table: &Section<'_>, what: &str, field: &Field, text: &At<String>) -> Option<Pattern> {
        let known: Vec<&str> = match field {
            Field::Scheme => vec!["http", "https"],
            Field::Kind => Kind::ALL.map(Kind::as_str).to_vec(),
            Field::List if self.known.lists.number(&text.value).is_some() => vec![&text.value],
            // Of thousands of names the nearest takes its time.
            Field::List if table.is_full() => Vec::new(),
            Field::List => self.known.lists.names(),
            Field::Class => Class::NAMES.to_vec(),
            // A route's own text may hold a star, which is then no pattern.
            Field::Route => return Some(Pattern::Exact(text.value.clone())),
            _ => {
                let wrong = |(message, help)| table.fault(text.span.clone(), format!("`{what}`: {message}"), help);
                return Pattern::of(field, &text.value, &mut self.known.expressions.borrow_mut()).map_err(wrong).ok();
            }
        };
        if known.contains(&text.value.as_str()) {
            return Some(Pattern::Exact(text.value.clone()));
        }
        let help = match nearest(&text.value, &known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if *field == Field::List => "name a [[list]] of this file".to_owned(),
            None => format!("write one of {}", known.join(", ")),
        };
        let message = match field {
            Field::List => format!("there is no list {:?}", text.value),
            _ => format!("`{what}` is {:?}", text.value),
        };
        table.fault(text.span.clone(), message, help);
        None
    }
}
