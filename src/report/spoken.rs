//! What citizens were told and in which languages; and what a report's own words mean.
//!
//! Does not know: Markdown, HTML.

use serde::Serialize;

use super::blocks::Block::{self, Heading, List, Table, Text};
use super::draft::{Pen, number};
use super::{At, Fared};

/// An update of an incident, as citizens were told it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    pub incident: u64,
    pub update: u32,
    pub at: At,
    pub state: String,
    /// In whose name.
    pub office: String,
    /// In which languages, and which of the portals' are not among them.
    pub languages: Vec<String>,
    pub lacks: Vec<String>,
    /// What was said, in English where it was in that, and the language of it.
    pub text: String,
    pub text_in: String,
    /// The language in which readers of those were shown it that it was not in.
    pub instead: String,
    /// By when the next update was promised; and when one, or the withdrawal, followed this.
    pub next: Option<At>,
    pub followed: Option<At>,
    /// How citizens fared in the first whole minute after it, by which its words can be held against what was so. `None`: that
    /// minute is not counted.
    pub met: Option<Fared>,
}

const WORDS: [(&str, &str); 20] = [
    (
        "posture",
        "how strictly a portal is guarded: normal, guarded, attack, static, closed; the first is that of quiet days, all others are raised protection",
    ),
    ("static, closed", "in static people get dated copies of pages and statements, in closed statements alone"),
    (
        "ladder",
        "the part of boma that raises and lowers the posture by itself, by what comes and how the portal's servers do",
    ),
    ("origin", "the portal's own servers, before which boma stands"),
    ("rush", "the minutes in which far more requests came than is usual; it may be an attack, or people"),
    ("check", "a short calculation that the browser does before it is let through"),
    (
        "pass",
        "what whoever passed a check, or came while all was quiet, is known by for some hours; robots can have one too",
    ),
    (
        "sent away",
        "challenged, limited, denied or dropped: a request that got a check or a refusal in the place of an answer",
    ),
    ("told to come again", "given a place in the waiting room, or asked to try again, because the portal had no room"),
    ("copy", "a page as it was, with its date, in the place of the origin's answer"),
    (
        "class",
        "who is served first where there is no room for all: emergency, payment, filing (forms and applications), information (all other pages)",
    ),
    ("rule, limit", "what the rules file says: rules treat requests by what they are, limits by how many come"),
    ("budget", "the limit on how many requests one visitor may make"),
    (
        "measure",
        "a rule or limit that staff laid for a while; it ends by itself; where one says so, known_path = false means paths that the portal is not known to have, and kind = \"navigation\" pages that somebody goes to",
    ),
    (
        "settled citizen",
        "the holder of a pass from well before the attack, or whom the portal knows as signed in; not settled are passes whose holder made more requests than one visitor may, or that were made in far greater numbers than usual",
    ),
    ("generation", "the number of the rules in force: each change makes the next one"),
    ("journal", "boma's record of every change, each line chained to the one before by a hash"),
    ("totals", "what boma counted of each minute: every request, by what became of it"),
    ("sample", "some of the requests of each second, from which numbers are estimated"),
    ("indicator", "a network that others may be warned of"),
];

impl Pen<'_> {
    /// What the public was told.
    pub fn said(&self) -> Vec<Block> {
        let heading = Heading("What citizens were told");
        let Some(incident) = &self.report.incident else {
            return [vec![heading], self.statements()].concat();
        };
        let or = |text: &String, other: &str| if text.is_empty() { other.into() } else { text.clone() };
        let unknown = "that it is not known yet";
        let opened = format!("{} ({})", self.utc(incident.opened), self.local(incident.opened));
        let rows = [
            ("Title", incident.title.clone()),
            ("State", incident.state.clone()),
            ("First published", opened),
            ("Updates", number(incident.updates as u64)),
            ("Is my data safe?", or(&incident.data, unknown)),
            ("What of payments?", or(&incident.payments, unknown)),
            ("What was learned", or(&incident.postmortem, "nothing yet")),
        ];
        let rows = rows.into_iter().map(|(what, says)| vec![what.to_owned(), says]).collect();
        let last = Text("From the record of incidents, as it was told last.".into());
        [vec![heading, last, Table(vec!["What", "Told"], rows)], self.statements()].concat()
    }

    /// Each update, and who could read it in their language.
    fn statements(&self) -> Vec<Block> {
        let all = &self.report.statements;
        if all.is_empty() {
            return vec![Text("Staff published nothing in this span.".into())];
        }
        let tags = |tags: &[String]| if tags.is_empty() { "none".to_owned() } else { tags.join(", ") };
        let row = |s: &Statement| {
            let what = format!("incident {}, update {}: {}", s.incident, s.update, s.state);
            let text = format!("{} ({})", s.text, s.text_in);
            let lacks = match s.lacks.is_empty() {
                true => "none".to_owned(),
                false => format!("{}: shown in {}", s.lacks.join(", "), s.instead),
            };
            let (languages, next) = (tags(&s.languages), self.promise(s));
            let met = match s.met {
                Some(fared) => match fared.in_short() {
                    Some(told) => format!("of {} requests {told}", number(fared.served.requests())),
                    None => "nobody who could be told from robots".into(),
                },
                None => "not counted yet".into(),
            };
            vec![what, self.utc(s.at), self.local(s.at), s.office.clone(), text, met, languages, lacks, next]
        };
        let head = vec![
            "Statement",
            "UTC",
            "Local",
            "In the name of",
            "What it said",
            "What citizens' requests met in the minute after",
            "In these languages",
            "Not in these",
            "Next update",
        ];
        let says = "Each statement as it was published first. Who reads a language of the portals' that it was not in was shown it in another, marked as such: in the first of the portal's languages that it was in. Beside it is how citizens' requests fared in the first whole minute after it, from the totals: whether its words were true is for people to judge.";
        vec![Text(says.into()), Table(head, all.iter().map(row).collect())]
    }

    /// What this report's words mean, for who does not know boma.
    pub fn words(&self) -> Vec<Block> {
        vec![Heading("Words"), List(WORDS.map(|(word, means)| format!("{word}: {means}")).to_vec())]
    }
}
