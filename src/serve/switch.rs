//! The switch of languages on boma's pages: it keeps what a reader chose, and leads back to the page that it stood on, with
//! all of that page's query. So no page has to know the address that it is served at, and no origin is asked for a language
//! that was chosen on a page of boma's.
//!
//! Does not know: what a page says in which language, how one is chosen.

use super::mint;
use super::read::{OWN, Request};
use super::respond::{self, Made};
use super::visit::Visit;
use crate::pages::Choice;
use crate::reason::Reason;
use crate::wire::Head;

/// `GET /.well-known/boma/lang?lang=TAG`. The browser says where it was: boma's pages let it, to their own host. With `&status`
/// it leads to the status page instead: from pages that hold a form, or have one behind them, whose address is not to be asked for.
pub fn answer(visit: &mut Visit<'_>, request: &Request, head: &dyn Head) -> Made {
    if visit.portal.is_none() || visit.choice != Choice::Query {
        return respond::refusal(visit, head, Reason::OwnNotFound);
    }
    let portal = visit.portal();
    let tag = portal.languages.get(visit.language).map_or("", String::as_str);
    let leads_back = !head.query().is_some_and(|query| query.split('&').any(|pair| pair == "status"));
    let referer = head.text("referer").filter(|_| leads_back);
    let from = referer.and_then(|referer| page_of(referer, &request.authority).zip(referer.split_once(':')));
    let start = if leads_back { "/".to_owned() } else { format!("{OWN}status") };
    let mut made = Made::empty(303, Reason::Own);
    // Whole: of a path like `//elsewhere` browsers would make another host.
    let back = from.map_or(
        start,
        // The browser's own scheme: what ends TLS before boma need not say that it did.
        |(page, (scheme, _))| format!("{scheme}://{}{}", request.authority, said_in(page, tag, &portal.languages)),
    );
    made.fields.push("location", back);
    made.fields.push("cache-control", "no-store");
    made.fields.push("set-cookie", mint::language_cookie(visit));
    made
}

/// Path and query of an address on this very host; `None` for any other, and for the switch itself.
fn page_of<'r>(referer: &'r str, authority: &str) -> Option<&'r str> {
    let (scheme, rest) = referer.split_once("://")?;
    let (host, page) = rest.split_at(rest.find('/')?);
    let is_own = matches!(scheme, "http" | "https") && host.eq_ignore_ascii_case(authority);
    let leads_on = !page.starts_with(&format!("{OWN}lang")) && page.bytes().all(|b| b.is_ascii_graphic());
    (is_own && leads_on).then_some(page)
}

/// The page with its own `lang=` as chosen, where it names one of the portal's: it would have the last word.
fn said_in(page: &str, tag: &str, languages: &[String]) -> String {
    let Some((path, query)) = page.split_once('?') else { return page.to_owned() };
    let is_one = |value: &str| languages.iter().any(|l| l.eq_ignore_ascii_case(value));
    let said = |pair: &str| match pair.strip_prefix("lang=") {
        Some(value) if is_one(value) => format!("lang={tag}"),
        _ => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(said).collect();
    format!("{path}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_to_this_host_alone() {
        for (referer, page) in [
            ("http://huduma.example:81/pay?bill=123&x=%2F", Some("/pay?bill=123&x=%2F")),
            ("https://HUDUMA.example:81/", Some("/")),
            ("http://huduma.example:81//elsewhere.example/", Some("//elsewhere.example/")),
            ("http://huduma.example:81", None),
            ("http://huduma.example/pay", None),
            ("http://huduma.example:81.elsewhere.example/pay", None),
            ("http://huduma.example:81@elsewhere.example/pay", None),
            ("http://elsewhere.example/http://huduma.example:81/", None),
            ("http://elsewhere.example\\huduma.example:81/", None),
            ("javascript://huduma.example:81/%0aalert(1)", None),
            ("http://huduma.example:81/a b", None),
            ("http://huduma.example:81/\u{e9}", None),
            ("http://huduma.example:81/.well-known/boma/lang?lang=sw", None),
            ("/pay", None),
            ("", None),
        ] {
            assert_eq!(page_of(referer, "huduma.example:81"), page, "{referer}");
        }
    }

    #[test]
    fn a_pages_own_word_for_its_language_is_put_right_and_nothing_else_of_it() {
        let languages = ["en", "sw"].map(str::to_owned);
        for (page, then) in [
            ("/pay", "/pay"),
            ("/pay?", "/pay?"),
            ("/pay?bill=123&to=%26lang=en", "/pay?bill=123&to=%26lang=en"),
            ("/pay?lang=en&bill=1", "/pay?lang=sw&bill=1"),
            ("/pay?lang=EN&lang=en&", "/pay?lang=sw&lang=sw&"),
            ("/pay?lang=rust&slang=en", "/pay?lang=rust&slang=en"),
        ] {
            assert_eq!(said_in(page, "sw", &languages), then, "{page}");
        }
    }
}
