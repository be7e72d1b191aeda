//! Whether an answer is a good copy for everybody.

use bytes::Bytes;

use super::address::Site;
use super::copy::{self, Copy, Made};
use super::session::Sessions;
use super::{style, wash};
use crate::said::Said;
use crate::wire::{Fields, repeats_cookie};
use crate::{bounds, path};

/// How boma came to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// By a link or a redirect, on its own.
    Found,
    /// A page needs it.
    Part,
    /// The operator's settings name it, or the sitemap that they name.
    Declared,
}

/// What is asked of an answer.
pub struct Asked<'a> {
    /// Path, and query where there is one.
    pub address: &'a str,
    pub how: How,
    pub site: &'a Site,
    pub sessions: &'a Sessions,
    /// A page has this text.
    pub expect: Option<&'a str>,
    /// A page has so many bytes.
    pub least: usize,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// Why a page is not kept. The good copy that is there stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Status(u16),
    TooSmall,
    TooLarge,
    /// Compressed although identity was asked for: it cannot be looked into.
    Encoded,
    /// In an alphabet of two bytes a letter.
    Charset,
    /// The answer says that it is somebody's own.
    Private,
    /// Nobody declared the page, and it says that it is not to be kept.
    NotToBeKept,
    /// The page lacks the text that it is known by: empty, defaced, or another one.
    Unexpected,
    /// The page repeats the value of a cookie that came with it: a session would be handed to everybody.
    RepeatsCookie,
    /// A session is left in it.
    Session,
    Unpackable,
}

impl Refused {
    pub fn name(self) -> &'static str {
        match self {
            Refused::Status(_) => "status",
            Refused::TooSmall => "too_small",
            Refused::TooLarge => "too_large",
            Refused::Encoded => "encoded",
            Refused::Charset => "charset",
            Refused::Private => "private",
            Refused::NotToBeKept => "not_to_be_kept",
            Refused::Unexpected => "unexpected",
            Refused::RepeatsCookie => "repeats_cookie",
            Refused::Session => "session",
            Refused::Unpackable => "unpackable",
        }
    }

    /// Whether the origin fails, and should be given a rest.
    pub fn is_failure(self) -> bool {
        matches!(self, Refused::Status(status) if status >= 500 || status == 429)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Status(status) => write!(f, "the origin answered {status}"),
            Refused::TooSmall => f.write_str("the page is empty, or smaller than snapshot.min_size"),
            Refused::TooLarge => write!(f, "the page is larger than {} bytes", bounds::SNAPSHOT_BYTES),
            Refused::Encoded => f.write_str("the page came compressed although it was asked for plain"),
            Refused::Charset => f.write_str("the page is in UTF-16 or UTF-32"),
            Refused::Private => f.write_str("the answer says that it is private"),
            Refused::NotToBeKept => f.write_str(
                "nobody declared the page, and it says no-store or noarchive; declare it where it is public",
            ),
            Refused::Unexpected => f.write_str("the page lacks the text that it is expected to have"),
            Refused::RepeatsCookie => f.write_str("the page repeats the value of its own cookie"),
            Refused::Session => f.write_str("a session is left in the page"),
            Refused::Unpackable => f.write_str("the page cannot be packed"),
        }
    }
}

/// Another address that a page needs or leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub address: String,
    pub part: bool,
}

/// What became of an answer.
#[derive(Debug)]
pub struct Judged {
    pub copy: Result<Copy, Refused>,
    /// Where a declared page leads that is a redirect. Of use once there is a copy of what it leads to.
    pub moved: Option<String>,
    /// Where it leads; nothing where it was refused, but for a redirect.
    pub leads: Vec<Lead>,
}

impl Judged {
    fn no(refused: Refused) -> Judged {
        Judged { copy: Err(refused), moved: None, leads: Vec::new() }
    }
}

/// Fields that are kept beside the body.
const KEPT: [&str; 7] = [
    "content-language",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "content-disposition",
    "access-control-allow-origin",
];

/// Judges an answer to boma's own fetch, which bore no cookie and holds nobody's session.
///
/// `no-store` alone is no refusal of a page that the operator declared, nor of what it needs: PHP says it of every page once
/// a session has begun, and whoever declares a page says that it is public. Pages that boma found by a link it refuses.
/// `private` it refuses of any.
pub fn judge(status: u16, fields: &Fields, body: &Bytes, asked: &Asked<'_>) -> Judged {
    if (301..=308).contains(&status) && status != 304 {
        let lead = redirect(fields, asked);
        let to = lead.as_ref().map(|lead| &lead.address).filter(|_| asked.how == How::Declared);
        // To browsers what begins with two slashes is another host.
        let tells = |to: &&String| to.starts_with("//") || fields.all("set-cookie").any(|c| repeats(to.as_bytes(), c));
        let moved = to.filter(|to| !tells(to)).cloned();
        return Judged { copy: Err(Refused::Status(status)), moved, leads: lead.into_iter().collect() };
    }
    let content_type = text(fields, "content-type").unwrap_or("application/octet-stream").to_owned();
    if let Err(refused) = head(status, fields, body, asked, &content_type) {
        return Judged::no(refused);
    }
    let washed = match copy::is_html(&content_type) {
        true => wash::page(body, asked.sessions),
        false => other(body, &content_type, asked.sessions),
    };
    if copy::is_html(&content_type)
        && let Err(refused) = page(&washed, body, asked)
    {
        return Judged::no(refused);
    }
    if fields.all("set-cookie").any(|cookie| repeats(&washed.body, cookie)) {
        return Judged::no(Refused::RepeatsCookie);
    }
    let kept = |(name, value): &(std::borrow::Cow<'static, str>, Bytes)| {
        let value = std::str::from_utf8(value).ok()?;
        KEPT.contains(&name.as_ref()).then(|| (name.to_string(), value.to_owned()))
    };
    let made = Made {
        taken: asked.now,
        content_type,
        fields: fields.0.iter().filter_map(kept).collect(),
        language: washed.language.clone(),
        forms: washed.forms,
        policies: washed.policies.clone(),
        body: &washed.body,
        holes: &washed.holes,
    };
    let copy = Copy::new(made).map(|mut copy| {
        copy.about.given = given(fields);
        copy
    });
    Judged { copy: copy.ok_or(Refused::Unpackable), moved: None, leads: leads(&washed, asked) }
}

/// Names of the cookies that an answer sets.
fn given(fields: &Fields) -> Vec<String> {
    let name = |cookie: &[u8]| {
        let name = cookie.split(|b| matches!(b, b'=' | b';')).next()?.trim_ascii();
        let name = std::str::from_utf8(name).ok()?;
        (!name.is_empty() && name.len() <= bounds::SNAPSHOT_COOKIE_NAME).then(|| name.to_owned())
    };
    let mut names: Vec<String> = fields.all("set-cookie").filter_map(name).take(bounds::SNAPSHOT_COOKIES).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether an answer is no more than the word to ask for the same by https: who ends TLS before boma is known to the origin alone.
pub fn wants_https(status: u16, fields: &Fields, address: &str, site: &Site) -> bool {
    let location = fields.first("location").map(String::from_utf8_lossy).filter(|_| (301..=308).contains(&status));
    let secure = |l: &str| l.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    location.is_some_and(|l| secure(&l) && site.resolve(address, &l).as_deref() == Some(address))
}

fn text<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.first(name).and_then(|v| std::str::from_utf8(v).ok())
}

/// What the head alone refuses.
fn head(status: u16, fields: &Fields, body: &Bytes, asked: &Asked<'_>, content_type: &str) -> Result<(), Refused> {
    if status != 200 {
        return Err(Refused::Status(status));
    }
    if body.is_empty() || (copy::is_html(content_type) && body.len() < asked.least) {
        return Err(Refused::TooSmall);
    }
    if body.len() > bounds::SNAPSHOT_BYTES {
        return Err(Refused::TooLarge);
    }
    if text(fields, "content-encoding").is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(Refused::Encoded);
    }
    let said = Said::of(fields);
    if said.private {
        return Err(Refused::Private);
    }
    let robots =
        |v: &[u8]| String::from_utf8_lossy(v).to_ascii_lowercase().split([',', ':']).any(|w| w.trim() == "noarchive");
    if asked.how == How::Found && (said.no_store || fields.all("x-robots-tag").any(robots)) {
        return Err(Refused::NotToBeKept);
    }
    let wide = content_type.to_ascii_lowercase();
    if copy::is_html(content_type) && (wide.contains("utf-16") || wide.contains("utf-32") || is_wide(body)) {
        return Err(Refused::Charset);
    }
    Ok(())
}

fn is_wide(body: &[u8]) -> bool {
    body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") || body.starts_with(b"\0\0\xfe\xff")
}

/// What a page's own text refuses.
fn page(washed: &wash::Washed, body: &[u8], asked: &Asked<'_>) -> Result<(), Refused> {
    if asked.expect.is_some_and(|expect| memchr::memmem::find(body, expect.as_bytes()).is_none()) {
        return Err(Refused::Unexpected);
    }
    if washed.unkept && asked.how == How::Found {
        return Err(Refused::NotToBeKept);
    }
    if asked.sessions.are_in(&washed.body) {
        return Err(Refused::Session);
    }
    Ok(())
}

/// A cookie's value as it is, or as a page writes what the cookie holds with percent signs.
fn repeats(body: &[u8], set: &[u8]) -> bool {
    if repeats_cookie(body, set) {
        return true;
    }
    let text = String::from_utf8_lossy(set);
    text.contains('%') && repeats_cookie(body, path::form_decoded(&text).as_bytes())
}

/// What is no page: style sheets, data and scripts lose sessions in their addresses too.
fn other(body: &[u8], content_type: &str, sessions: &Sessions) -> wash::Washed {
    let media = copy::media(content_type);
    let textual = media.starts_with("text/") || ["xml", "json", "javascript"].iter().any(|t| media.contains(t));
    let body = if textual { sessions.stripped(body).into_owned() } else { body.to_vec() };
    let named = match media.as_str() {
        "text/css" => style::named(&body),
        _ => Vec::new(),
    };
    let named = named.into_iter().map(|reference| wash::Named { reference, part: true }).collect();
    wash::Washed { body, named, ..wash::Washed::default() }
}

fn leads(washed: &wash::Washed, asked: &Asked<'_>) -> Vec<Lead> {
    let base = match &washed.base {
        Some(base) => match asked.site.resolve(asked.address, base) {
            Some(base) => base,
            // Everything on it that is relative lies elsewhere.
            None => return Vec::new(),
        },
        None => asked.address.to_owned(),
    };
    let mut all: Vec<Lead> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for named in washed.named.iter().filter(|n| n.part || !washed.unfollowed) {
        if let Some(address) = asked.site.resolve(&base, &named.reference)
            && address != asked.address
            && seen.insert(address.clone())
        {
            all.push(Lead { address, part: named.part });
        }
    }
    all
}

fn redirect(fields: &Fields, asked: &Asked<'_>) -> Option<Lead> {
    let location = asked.sessions.stripped(fields.first("location")?);
    let address = asked.site.resolve(asked.address, &String::from_utf8_lossy(&location))?;
    (address != asked.address).then_some(Lead { address, part: asked.how == How::Part })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
        let mut fields = Fields::default();
        pairs.iter().for_each(|(n, v)| fields.push(*n, *v));
        fields
    }

    fn site() -> Site {
        Site::named(&["huduma.example"])
    }

    fn judged(how: How, status: u16, body: &'static str, pairs: &[(&'static str, &'static str)]) -> Judged {
        let (site, sessions) = (site(), Sessions::new(&["MYSID".into()]));
        let asked = Asked {
            address: "/a/b",
            how,
            site: &site,
            sessions: &sessions,
            expect: Some("Karibu"),
            least: 20,
            now: 99,
        };
        judge(status, &fields(pairs), &Bytes::from_static(body.as_bytes()), &asked)
    }

    fn refused(how: How, body: &'static str, pairs: &[(&'static str, &'static str)]) -> Option<Refused> {
        judged(how, 200, body, &[&[("content-type", "text/html")], pairs].concat()).copy.err()
    }

    const PAGE: &str = "<html><body><h1>Karibu</h1>";

    #[test]
    fn only_a_good_page_that_is_nobodys_is_kept() {
        use How::{Declared, Found};
        assert_eq!(refused(Found, PAGE, &[]), None);
        for status in [201, 204, 206, 301, 304, 404, 500, 503] {
            assert_eq!(judged(Declared, status, PAGE, &[]).copy.err(), Some(Refused::Status(status)));
        }
        for (how, body, pairs, why) in [
            (Declared, "", &[][..], Some(Refused::TooSmall)),
            (Declared, "<p>Karibu", &[], Some(Refused::TooSmall)),
            (Declared, "<html><body><h1>Hacked by x</h1>", &[], Some(Refused::Unexpected)),
            (Declared, PAGE, &[("content-encoding", "gzip")], Some(Refused::Encoded)),
            (Declared, PAGE, &[("cache-control", "max-age=0, Private")], Some(Refused::Private)),
            (Declared, PAGE, &[("cache-control", "private=\"x\"")], Some(Refused::Private)),
            (Declared, PAGE, &[("cache-control", "max-age=60; private")], Some(Refused::Private)),
            (Declared, PAGE, &[("cache-control", "max-age=60, x=\"a, private\"")], None),
            (Found, PAGE, &[("cache-control", "max-age=60 no-store")], Some(Refused::NotToBeKept)),
            (Declared, PAGE, &[("cache-control", "no-store, no-cache, must-revalidate")], None),
            (Found, PAGE, &[("cache-control", "No-Store")], Some(Refused::NotToBeKept)),
            (Found, PAGE, &[("x-robots-tag", "boma: noarchive")], Some(Refused::NotToBeKept)),
            (Found, "<meta name=robots content=noarchive>Karibu", &[], Some(Refused::NotToBeKept)),
            (Declared, "<meta name=robots content=noarchive>Karibu", &[], None),
            (Found, PAGE, &[("cache-control", "no-cache")], None),
            (Declared, "<html lang=sw>Karibu, habari", &[("set-cookie", "lang=sw")], None),
            (Declared, PAGE, &[("content-type", "text/html; charset=UTF-16")], None),
        ] {
            assert_eq!(refused(how, body, pairs), why, "{body} {pairs:?}");
        }
        let wide = [("content-type", "text/html; charset=UTF-16")];
        assert_eq!(judged(Declared, 200, PAGE, &wide).copy.err(), Some(Refused::Charset));
    }

    #[test]
    fn a_page_that_repeats_its_own_cookie_is_refused_unless_washing_takes_it_out() {
        let own = [("set-cookie", "JSESSIONID=abcdef0123456789; path=/; HttpOnly")];
        let repeats = Some(Refused::RepeatsCookie);
        for (body, why) in [
            ("<body>Karibu <a href=/x?s=abcdef0123456789>", repeats),
            ("<body>Karibu <a href=\"/x;jsessionid=abcdef0123456789\">", None),
            ("<body>Karibu <form><input type=hidden name=_csrf value=abcdef0123456789>", None),
            ("<body>Karibu <script>var id='abcdef0123456789'</script>", repeats),
            ("<body>Karibu <a href=/x>", None),
        ] {
            assert_eq!(refused(How::Declared, body, &own), why, "{body}");
        }
        let coded = [("set-cookie", "XSRF-TOKEN=eyJpdiI6%3D%3Dabc; path=/")];
        assert_eq!(refused(How::Declared, "<body>Karibu <b>eyJpdiI6==abc</b>", &coded), repeats);
    }

    #[test]
    fn what_a_page_leads_to_is_told_once_and_a_redirect_leads_on() {
        let page = "<body>Karibu<a href=c?d#e></a><a href=c?d></a><link rel=stylesheet href=/s.css><a href=//other.example/></a><a href=/a/b></a>";
        let leads = |j: Judged| j.leads.into_iter().map(|l| (l.address, l.part)).collect::<Vec<_>>();
        assert_eq!(
            leads(judged(How::Declared, 200, page, &[("content-type", "text/html")])),
            [("/a/c?d".to_owned(), false), ("/s.css".to_owned(), true)]
        );
        let moved = judged(How::Declared, 302, "", &[("location", "/sw/;jsessionid=AB12")]);
        assert_eq!(leads(moved), [("/sw/".to_owned(), false)]);
        let kept = |how, location: &'static str| {
            judged(how, 302, "", &[("location", location), ("set-cookie", "sid=0123456789abcdef")]).moved
        };
        assert_eq!(kept(How::Declared, "/sw/;jsessionid=AB12"), Some("/sw/".to_owned()));
        assert_eq!(kept(How::Declared, "https://huduma.example/sw/?PHPSESSID=1&a=2"), Some("/sw/?a=2".to_owned()));
        for nowhere in
            ["https://other.example/", "/a/b", "http://huduma.example//other.example/", "/x?s=0123456789abcdef"]
        {
            assert_eq!(kept(How::Declared, nowhere), None, "{nowhere}");
        }
        assert_eq!(kept(How::Found, "/sw/"), None, "nobody declared it");
        let css = judged(How::Part, 200, "p{background:url(i.png)}", &[("content-type", "text/css")]);
        assert_eq!(leads(css), [("/a/i.png".to_owned(), true)]);
    }

    #[test]
    fn of_cookies_their_names_are_kept_and_nothing_else() {
        const LONG: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn=1";
        let cookies = ["SID=4711; path=/", "a=b", "SID=4712", "=c", "; d", LONG].map(|c| ("set-cookie", c));
        let pairs = [&[("content-type", "text/html"), ("content-language", "sw")][..], &cookies].concat();
        let copy = judged(How::Declared, 200, PAGE, &pairs).copy.unwrap();
        assert_eq!(copy.about.fields, [("content-language".to_owned(), "sw".to_owned())]);
        assert_eq!(copy.about.given, ["SID", "a"]);
    }
}
