//! What staff say of a service, or of whom to ask, in the place of what the settings say of it. Plain data and pure verbs.
//!
//! Does not know: who keeps it, what pages look like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Texts;
use super::said::{clean, texts};
use crate::bounds;
use crate::portal::Service;

/// What is left out is as the settings have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wording {
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub name: Texts,
    /// What to do instead, in all languages anew: an old translation of what no longer holds would be worse than none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<Texts>,
    /// Empty: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ussd: Option<String>,
}

/// Who said it last, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    #[serde(flatten)]
    pub wording: Wording,
    /// Seconds since the Unix epoch.
    pub at: u64,
    pub by: String,
}

/// All that staff say of one portal's services, by the name that stands first in the settings, and of whom to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wordings {
    pub services: BTreeMap<String, Kept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Kept>,
}

impl Wording {
    /// The same without white space around its texts.
    ///
    /// # Errors
    /// What is too long or cannot be shown, and what to write.
    pub fn checked(self) -> Result<Wording, String> {
        if let Some((tag, _)) = self.name.iter().find(|(_, name)| name.trim().is_empty()) {
            return Err(format!("the name in {tag} is empty: write what people call it"));
        }
        let line = |text: Option<String>, what: &str| {
            let text = text.map(|t| t.trim().to_owned());
            match text {
                Some(text) if !text.is_empty() => {
                    Ok(Some(clean(&text, what, bounds::SERVICE_LINE_CHARS)?.replace('\n', " ")))
                }
                other => Ok::<_, String>(other),
            }
        };
        let name = texts(self.name, "the name", bounds::SERVICE_NAME_CHARS)?;
        Ok(Wording {
            name: name.into_iter().map(|(tag, name)| (tag, name.replace('\n', " "))).collect(),
            instead: self
                .instead
                .map(|t| texts(t, "what to do instead", bounds::INCIDENT_INSTEAD_CHARS))
                .transpose()?,
            phone: line(self.phone, "the phone")?,
            office: line(self.office, "the office")?,
            ussd: line(self.ussd, "the mobile code")?,
        })
    }

    /// This, and of each matter what `later` says of it. Names are of each language by itself.
    pub fn with(mut self, later: &Wording) -> Wording {
        self.name.extend(later.name.clone());
        Wording {
            name: self.name,
            instead: later.instead.clone().or(self.instead),
            phone: later.phone.clone().or(self.phone),
            office: later.office.clone().or(self.office),
            ussd: later.ussd.clone().or(self.ussd),
        }
    }

    /// The service as citizens are told of it.
    pub fn over(&self, written: &Service) -> Service {
        let mut service = written.clone();
        for (tag, name) in &self.name {
            match service.name.iter_mut().find(|(t, _)| t == tag) {
                Some((_, old)) if old != name => {
                    service.known_as.push(std::mem::replace(old, name.clone()));
                }
                Some(_) => {}
                None => service.name.push((tag.clone(), name.clone())),
            }
        }
        if let Some(instead) = &self.instead {
            service.instead = instead.iter().map(|(tag, text)| (tag.clone(), text.clone())).collect();
        }
        let set = |old: &mut Option<String>, new: &Option<String>| {
            if let Some(new) = new {
                *old = Some(new.clone()).filter(|text| !text.is_empty());
            }
        };
        set(&mut service.phone, &self.phone);
        set(&mut service.office, &self.office);
        set(&mut service.ussd, &self.ussd);
        service
    }
}

impl Wordings {
    /// Whether both say the same, whoever said it.
    pub fn says(&self, other: &Wordings) -> bool {
        let of = |kept: &Option<Kept>| kept.as_ref().map(|k| k.wording.clone());
        let same = |a: &(&String, &Kept), b: &(&String, &Kept)| a.0 == b.0 && a.1.wording == b.1.wording;
        of(&self.contact) == of(&other.contact)
            && self.services.len() == other.services.len()
            && self.services.iter().zip(&other.services).all(|(a, b)| same(&a, &b))
    }
}

/// What is told of a service, by what it is: `name (en)`, `phone`.
pub fn facts(service: &Service) -> BTreeMap<String, &str> {
    let of = |what: &'static str, texts: &'_ [(String, String)]| {
        texts.iter().map(|(tag, _)| format!("{what} ({tag})")).collect::<Vec<_>>()
    };
    let mut all = BTreeMap::new();
    all.extend(of("name", &service.name).into_iter().zip(service.name.iter().map(|(_, t)| t.as_str())));
    all.extend(of("instead", &service.instead).into_iter().zip(service.instead.iter().map(|(_, t)| t.as_str())));
    for (what, text) in [("phone", &service.phone), ("office", &service.office), ("ussd", &service.ussd)] {
        all.extend(text.as_deref().map(|text| (what.to_owned(), text)));
    }
    all
}

/// What differs, before and after, in words.
pub fn differences(before: &Service, after: &Service) -> String {
    let (old, new) = (facts(before), facts(after));
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let shown = |text: Option<&&str>| text.map_or("none".to_owned(), |t| format!("{t:?}"));
    let differing = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let one = |key: &String| format!("{key} from {} to {}", shown(old.get(key)), shown(new.get(key)));
    differing.map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[(&str, &str)]) -> Texts {
        all.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect()
    }

    fn written() -> Service {
        Service {
            name: vec![("en".into(), "Pay a licence".into()), ("sw".into(), "Lipia leseni".into())],
            paths: vec!["/pay/*".into()],
            instead: vec![("en".into(), "Pay at the bank".into())],
            phone: Some("+254 1".into()),
            office: Some("Huduma Centre".into()),
            ..Service::default()
        }
    }

    #[test]
    fn what_is_said_lies_over_what_is_written_and_the_rest_stays() {
        let wording = Wording {
            name: texts(&[("en", "Pay for a licence"), ("fr", "Payer une licence")]),
            instead: Some(texts(&[("sw", "Lipa benki")])),
            phone: Some("+254 2".into()),
            office: Some(String::new()),
            ussd: Some("*123#".into()),
        };
        let told = wording.checked().unwrap().over(&written());
        let names: Vec<&str> = told.name.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["Pay for a licence", "Lipia leseni", "Payer une licence"]);
        assert_eq!(told.known_as, ["Pay a licence"], "incidents that named it go on meaning it");
        assert_eq!(told.instead, [("sw".to_owned(), "Lipa benki".to_owned())], "no old translation stays");
        assert_eq!(
            (told.phone.as_deref(), told.office.as_deref(), told.ussd.as_deref()),
            (Some("+254 2"), None, Some("*123#"))
        );
        assert_eq!(told.paths, ["/pay/*"]);
        assert_eq!(
            differences(&written(), &told),
            "instead (en) from \"Pay at the bank\" to none; instead (sw) from none to \"Lipa benki\"; \
name (en) from \"Pay a licence\" to \"Pay for a licence\"; name (fr) from none to \"Payer une licence\"; \
office from \"Huduma Centre\" to none; phone from \"+254 1\" to \"+254 2\"; ussd from none to \"*123#\""
        );
        assert_eq!(Wording::default().over(&written()), written());
        assert_eq!(differences(&written(), &written()), "");
    }

    #[test]
    fn what_is_said_later_goes_before_what_was_said() {
        let first = Wording { phone: Some("1".into()), name: texts(&[("en", "A"), ("sw", "B")]), ..Wording::default() };
        let later = Wording { ussd: Some("*1#".into()), name: texts(&[("sw", "C")]), ..Wording::default() };
        let both = first.with(&later);
        assert_eq!((both.phone.as_deref(), both.ussd.as_deref()), (Some("1"), Some("*1#")));
        assert_eq!(both.name, texts(&[("en", "A"), ("sw", "C")]));
        let nothing = Wording { instead: Some(Texts::new()), ..Wording::default() };
        assert_eq!(nothing.checked().unwrap().over(&written()).instead, []);
    }

    #[test]
    fn what_is_too_long_or_cannot_be_seen_is_refused() {
        let long = "x".repeat(500);
        let phone = |text: &str| Wording { phone: Some(text.into()), ..Wording::default() };
        let name = |tag: &str, text: &str| Wording { name: texts(&[(tag, text)]), ..Wording::default() };
        let instead = |text: &str| Wording { instead: Some(texts(&[("en", text)])), ..Wording::default() };
        for (wording, says) in [
            (phone(&long), "the phone has 500 characters"),
            (phone("+254\u{202e}1"), "the phone holds U+202E"),
            (name("en", " "), "the name in en is empty: write what people call it"),
            (name("e n", "x"), "is no language tag"),
            (name("en", &long), "the name in en has 500 characters"),
            (instead(&long), "what to do instead in en has 500 characters"),
        ] {
            let said = wording.checked().unwrap_err();
            assert!(said.contains(says), "{said}");
        }
        assert_eq!(phone("  +254 2\n3 ").checked().unwrap().phone.as_deref(), Some("+254 2 3"));
        assert_eq!(phone(" ").checked().unwrap().phone.as_deref(), Some(""));
    }
}
