//! What an update may say, and how two of them become one.
//!
//! Does not know: incidents.

use super::{Said, State, Texts};
use crate::bounds;

impl Said {
    /// This, and of each matter what `later` says of it. A text that is said anew is said anew in all languages: an old
    /// translation of what no longer holds would be worse than none.
    pub fn with(mut self, later: &Said) -> Said {
        let text = |old: &mut Texts, new: &Texts| {
            if !new.is_empty() {
                old.clone_from(new);
            }
        };
        text(&mut self.title, &later.title);
        text(&mut self.text, &later.text);
        text(&mut self.works, &later.works);
        text(&mut self.deadlines, &later.deadlines);
        text(&mut self.data, &later.data);
        text(&mut self.payments, &later.payments);
        text(&mut self.form, &later.form);
        self.instead.extend(later.instead.clone());
        Said {
            state: later.state.or(self.state),
            impact: later.impact.or(self.impact),
            affects: later.affects.clone().or(self.affects.take()),
            next: later.next.or(self.next),
            starts: later.starts.or(self.starts),
            ends: later.ends.or(self.ends),
            ..self
        }
    }

    /// The same without white space around its texts.
    ///
    /// # Errors
    /// What is too long or cannot be shown, and what to write.
    pub(super) fn checked(self) -> Result<Said, String> {
        let state = self.state;
        self.checked_for(state)
    }

    /// The same of what is said in this state: what was learned takes more words.
    ///
    /// # Errors
    /// As [`Said::checked`].
    pub(super) fn checked_for(self, state: Option<State>) -> Result<Said, String> {
        let long = match state {
            Some(State::Postmortem) => bounds::INCIDENT_POSTMORTEM_CHARS,
            _ => bounds::INCIDENT_TEXT_CHARS,
        };
        let short = bounds::INCIDENT_ANSWER_CHARS;
        let mut instead = std::collections::BTreeMap::new();
        for (service, said) in self.instead {
            let what = format!("what to do instead of {service:?}");
            let service = clean(&service, "a service's name", bounds::INCIDENT_TITLE_CHARS)?;
            let said = texts(said, &what, bounds::INCIDENT_INSTEAD_CHARS)?;
            if !said.is_empty() {
                instead.insert(service, said);
            }
        }
        let affects = match self.affects {
            Some(all) if all.len() > bounds::INCIDENT_AFFECTS => {
                return Err(format!(
                    "it affects {} services: name {} at most, or none for all",
                    all.len(),
                    bounds::INCIDENT_AFFECTS
                ));
            }
            Some(all) => {
                let clean = |a: &String| clean(a, "what it affects", bounds::INCIDENT_TITLE_CHARS);
                Some(all.iter().map(clean).collect::<Result<Vec<_>, _>>()?)
            }
            None => None,
        };
        Ok(Said {
            title: texts(self.title, "the title", bounds::INCIDENT_TITLE_CHARS)?,
            text: texts(self.text, "the text", long)?,
            works: texts(self.works, "what still works", short)?,
            deadlines: texts(self.deadlines, "what is said of deadlines", short)?,
            data: texts(self.data, "what is said of data", short)?,
            payments: texts(self.payments, "what is said of payments", short)?,
            form: texts(self.form, "what is said of forms", short)?,
            affects,
            instead,
            ..self
        })
    }
}

/// Texts without white space around them; those that are empty are none.
pub(super) fn texts(texts: Texts, what: &str, most: usize) -> Result<Texts, String> {
    if texts.len() > bounds::INCIDENT_LANGUAGES {
        return Err(format!("{what} is in {} languages: write {} at most", texts.len(), bounds::INCIDENT_LANGUAGES));
    }
    let mut kept = Texts::new();
    for (tag, text) in texts {
        let plain = !tag.is_empty() && tag.len() <= 12 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain {
            return Err(format!("{tag:?} is no language tag: write such as en=\"…\" or sw=\"…\""));
        }
        if !text.trim().is_empty() {
            kept.insert(tag.clone(), clean(&text, &format!("{what} in {tag}"), most)?);
        }
    }
    Ok(kept)
}

/// One text, as it can be shown.
pub(super) fn clean(text: &str, what: &str, most: usize) -> Result<String, String> {
    let text = text.trim().replace("\r\n", "\n");
    let length = text.chars().count();
    if length == 0 || length > most {
        return Err(format!("{what} has {length} characters: write 1 to {most}"));
    }
    // What turns the direction of all that follows could make a page say something else than it says.
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    match text.chars().find(|c| hidden(*c)) {
        Some(c) => Err(format!("{what} holds U+{:04X}, which cannot be seen: take it out", u32::from(c))),
        None => Ok(text),
    }
}
