//! What citizens were told and in which languages; and what a report's own words mean.
//!
//! Does not know: Markdown, HTML.

use serde::Serialize;

use super::At;
use super::blocks::Block::{self, Heading, List, Table, Text};
use super::draft::{Pen, number};

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
}

const WORDS: [(&str, &str); 11] = [
    (
        "posture",
        "how strictly a portal is guarded: normal, guarded, attack, static, closed; the first is its foot, all others are raised",
    ),
    ("static, closed", "in static people get dated copies of pages and statements, in closed statements alone"),
    ("ladder", "what raises and lowers the posture by itself, by what comes and how the origin does"),
    ("origin", "the portal's own servers, before which boma stands"),
    ("check", "a short calculation that the browser does before it is let through"),
    ("pass", "what whoever passed a check, or came while all was quiet, is known by for some hours"),
    (
        "sent away",
        "challenged, limited, denied or dropped: a request that got a check or a refusal in the place of an answer",
    ),
    ("copy", "a page as it was, with its date, in the place of the origin's answer"),
    ("measure", "a rule or limit that staff laid for a while; it ends by itself"),
    ("indicator", "a network that others may be warned of"),
    ("journal", "boma's record of every change, each line chained to the one before by a hash"),
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
            let what = format!("incident {}, update {}", s.incident, s.update);
            let (languages, lacks) = (tags(&s.languages), tags(&s.lacks));
            vec![what, self.utc(s.at), self.local(s.at), s.state.clone(), s.office.clone(), languages, lacks]
        };
        let head = vec!["Statement", "UTC", "Local", "State", "In the name of", "In these languages", "Not in these"];
        let says = "Each statement as it was published, by its languages. Whoever reads another of the portals' languages was shown the portal's first one, marked as such.";
        vec![Text(says.into()), Table(head, all.iter().map(row).collect())]
    }

    /// What this report's words mean, for who does not know boma.
    pub fn words(&self) -> Vec<Block> {
        vec![Heading("Words"), List(WORDS.map(|(word, means)| format!("{word}: {means}")).to_vec())]
    }
}
