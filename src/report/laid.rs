//! What a report says of measures and bans: whose they were, what they were to do, and what they did.
//!
//! Does not know: the journal, totals.

use serde::{Deserialize, Serialize};

use super::At;
use super::blocks::Block::{self, Heading, Table, Text};
use super::draft::{Pen, number};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Measure {
    pub name: String,
    /// What it matches and does, as it was laid; `None`: the journal does not hold it. Of a ban its name says it.
    pub rule: Option<String>,
    pub owner: Option<String>,
    pub forecast: Option<Forecast>,
    /// `None`: no minute of the totals names it.
    pub did: Option<Did>,
    pub reason: String,
    pub by: String,
    pub laid: At,
    /// When it was to end by itself.
    pub until: Option<At>,
    pub ended: Option<At>,
    pub how_ended: String,
}

/// What the ten minutes before said that it would do: estimates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    pub requests: u64,
    /// Of these it would have treated more strictly, and less.
    pub stricter: u64,
    pub milder: u64,
    /// Of a limit: how many would have been over it, at least.
    pub over: u64,
    /// Distinct ones among those treated more strictly; of their requests those with a pass, and passes of settled citizens.
    pub clients: u64,
    pub with_pass: u64,
    pub settled_passes: u64,
}

/// What it did within the span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Did {
    /// Requests that it decided.
    pub decided: u64,
    pub sent_away: u64,
    /// Of those sent away.
    pub with_pass: u64,
    pub citizens: u64,
}

/// What a rule or limit did within the span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Decided {
    pub name: String,
    #[serde(flatten)]
    pub did: Did,
}

impl Did {
    pub fn add(&mut self, [decided, sent_away, with_pass, citizens]: [u64; 4]) {
        self.decided += decided;
        self.sent_away += sent_away;
        self.with_pass += with_pass;
        self.citizens += citizens;
    }
}

impl Pen<'_> {
    /// What rules and limits decided.
    pub(super) fn decided(&self) -> Vec<Block> {
        let rules = &self.report.rules;
        if rules.is_empty() {
            return vec![Text(
                "Rules and limits: the totals of this span name none that decided anything, other than measures."
                    .into(),
            )];
        }
        let row = |d: &Decided| {
            let Did { decided, sent_away, with_pass, citizens } = d.did;
            let name = if d.name == OTHERS { "all others" } else { &d.name };
            [vec![name.to_owned()], [decided, sent_away, with_pass, citizens].map(number).to_vec()].concat()
        };
        vec![
            Text("What each rule and limit decided, as counted; measures, which staff laid for a while, stand further below. What was sent away was refused or given a check in the place of that, so that limits may have sent away more than the outcome limited says; what was not sent away was let through or told to come again. What was turned away because of the posture, or because too many came at once, has no rule's name.".into()),
            Table(
                vec!["Rule or limit", "Requests that it decided", "Sent away", "Of these with a pass", "Of these citizens'"],
                rules.iter().map(row).collect(),
            ),
        ]
    }

    pub(super) fn laid(&self) -> Vec<Block> {
        let mut all = vec![Heading("Measures and bans, with their ends")];
        if self.report.measures.is_empty() {
            all.push(Text("From the journal. None was laid by hand.".into()));
            return all;
        }
        all.push(Text("From the journal.".into()));
        let head = vec!["Name", "Reason", "By", "Owner", "Laid (UTC)", "To end (UTC)", "Ended"];
        all.push(Table(head, self.rows(|m| self.course(m))));
        all.push(Text(
            "What each was to do and did. Forecasts are estimates from a sample of the ten minutes before it was laid, as the journal holds them. What it did is from the totals of each minute of this span; a minute belongs to the measure as a whole. A request that another rule or limit decided is not among them.".into(),
        ));
        all.push(Table(
            vec!["Name", "What it matched, and what for", "Forecast", "What it did"],
            self.rows(|m| self.deed(m)),
        ));
        all
    }

    fn rows(&self, row: impl Fn(&Measure) -> Vec<String>) -> Vec<Vec<String>> {
        self.report.measures.iter().map(row).collect()
    }

    fn course(&self, m: &Measure) -> Vec<String> {
        let at = |at: Option<At>| at.map_or("not known".into(), |at| self.utc(at));
        let ended = m.ended.map_or("not within the span".into(), |e| format!("{} {}", self.utc(e), m.how_ended));
        let owner = m.owner.clone().unwrap_or_else(|| "not known".into());
        vec![m.name.clone(), m.reason.clone(), m.by.clone(), owner, self.utc(m.laid), at(m.until), ended]
    }

    fn deed(&self, m: &Measure) -> Vec<String> {
        if m.is_ban() {
            let all = "everything from that network: its connections are closed";
            let uncounted = "not known: what a ban closes is not counted for each ban";
            return vec![
                m.name.clone(),
                all.into(),
                "not known: the journal holds none of bans".into(),
                uncounted.into(),
            ];
        }
        let rule = m.rule.as_deref().map_or("not known: the journal does not hold it".into(), spelled);
        let forecast = m.forecast.as_ref().map_or_else(|| unknown(m), foretold);
        let uncounted = self.report.traffic.ended.is_none_or(|ended| m.laid >= ended);
        let none = match uncounted {
            true => "not known: no minute is counted since it was laid",
            false => "not known: no minute of the totals names it",
        };
        let mut did = m.did.as_ref().map_or(none.into(), done);
        // It went on deciding in minutes that no total has yet.
        if let Some(ended) =
            self.report.traffic.ended.filter(|at| m.did.is_some() && m.ended.is_none_or(|end| end > *at))
        {
            did.push_str(&format!("; counted until {}", self.utc(ended)));
        }
        vec![m.name.clone(), rule, forecast, did]
    }
}

impl Measure {
    pub(super) fn is_ban(&self) -> bool {
        self.name.starts_with("ban of ")
    }
}

/// A rule in one line, without what the table says beside it.
fn spelled(rule: &str) -> String {
    let lines =
        rule.lines().map(str::trim).filter(|l| !(l.is_empty() || l.starts_with("[[") || l.starts_with("name = ")));
    let mut out = String::new();
    for line in lines {
        let part = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        let divides = if out.is_empty() || out.ends_with(": ") { "" } else { "; " };
        out.push_str(divides);
        match part {
            Some(part) => out.push_str(&format!("{}: ", part.rsplit('.').next().unwrap_or(part))),
            None => out.push_str(line),
        }
    }
    out
}

fn unknown(m: &Measure) -> String {
    let forced = m.reason.ends_with(FORCED);
    if forced { "none: it was forced, and nothing was reckoned".into() } else { "not known".into() }
}

/// As the totals have those that decided too little to be named.
pub const OTHERS: &str = "…";

/// What stands behind the reason of a measure that was forced.
pub const FORCED: &str = " (forced)";

fn foretold(f: &Forecast) -> String {
    let mut says =
        format!("of {} requests {} would have been treated more strictly", number(f.requests), number(f.stricter));
    if f.stricter > 0 {
        let (clients, with_pass) = (number(f.clients), number(f.with_pass));
        says.push_str(&format!(
            ", of {clients} clients or more; {with_pass} of the requests had a pass, those of {} settled citizens among them",
            number(f.settled_passes)
        ));
    }
    for (n, what) in [(f.milder, "less strictly"), (f.over, "over the limit, at least")] {
        if n > 0 {
            says.push_str(&format!("; {} {what}", number(n)));
        }
    }
    says
}

fn done(did: &Did) -> String {
    let mut says = format!("decided {} requests", number(did.decided));
    if did.decided > 0 {
        says.push_str(&format!(", of which {} were sent away", number(did.sent_away)));
    }
    if did.sent_away > 0 {
        let (with_pass, citizens) = (number(did.with_pass), number(did.citizens));
        says.push_str(&format!("; of these {with_pass} with a pass, {citizens} citizens'"));
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_one_line() {
        for (rule, line) in [
            (
                "[[rule]]\nname = \"m\"\nthen = \"challenge\"\n\n[rule.match]\npath = \"/search*\"\nmethod = \"GET\"\n",
                "then = \"challenge\"; match: path = \"/search*\"; method = \"GET\"",
            ),
            (
                "[[rule]]\nmatch = { path = \"/a\" }\nname = \"m\"\nthen = \"deny\"",
                "match = { path = \"/a\" }; then = \"deny\"",
            ),
            ("[[limit]]\nname = \"l\"\n[limit.match]\npath = \"/a\"", "match: path = \"/a\""),
            ("", ""),
        ] {
            assert_eq!(spelled(rule), line);
        }
    }
}
