//! Gathers what a report says: from the journal, the totals of each minute, what minutes were made of, and incidents. Nothing is
//! in it that they do not hold.
//!
//! Does not know: HTTP, how a report is written.

mod evidence;
mod lines;
mod samples;
mod sums;
mod told;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::change::Rejected;
use super::{Office, totals};
use crate::fault::Fault;
use crate::incident;
use crate::plan::Level;
use crate::portal::Portal;
use crate::report::{self, At, Moments, Report, Tlp};
use crate::settings::AccessSink;
use crate::{bounds, units};

use sums::{Before, Sums};

/// What a report is asked of.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub incident: Option<u64>,
    /// Times as people write them; "2h" is so long ago.
    pub from: Option<String>,
    pub to: Option<String>,
    pub portal: Option<String>,
    pub tlp: Tlp,
}

impl Office {
    /// # Errors
    /// What is missing or cannot be read, and what to write.
    pub fn report(&self, wanted: &Wanted) -> Result<Report, Rejected> {
        let now = self.house.now().unix();
        let incident = wanted.incident.map(|id| self.incident_of(id)).transpose()?;
        let name = wanted.portal.clone().or_else(|| incident.as_ref()?.portal.clone());
        self.knows(name.as_deref())?;
        let zone = self.zone(name.as_deref());
        let (from, to) = self.span(wanted, incident.as_deref(), name.as_deref(), (&zone, now))?;
        let town = self.house.town.load_full();
        let portals: Vec<Arc<Portal>> =
            town.portals.list.iter().filter(|p| name.as_ref().is_none_or(|n| p.name == *n)).cloned().collect();
        Ok(self.drawn(wanted, (from, to, now), incident.as_deref(), (name.as_deref(), &portals)))
    }

    fn drawn(
        &self,
        wanted: &Wanted,
        (from, to, now): (u64, u64, u64),
        incident: Option<&incident::Incident>,
        (name, portals): (Option<&str>, &[Arc<Portal>]),
    ) -> Report {
        let sums = Sums::of(self, (from, to), name);
        let mut found = self.lines((from, to), portals);
        let rules = sums.tell(&mut found.measures);
        let incidents = self.house.incidents.load();
        let mut statements = told::statements(&incidents, incident.map(|i| i.id), (from, to), portals);
        sums.met(&mut statements);
        let posture = |p: &Portal| self.house.standing.load().level(&p.name, now);
        let raised = portals.iter().any(|p| posture(p) > Level::Normal);
        let mut moments = self.moments((from, to, now), (incident, name), (&sums, raised), &found);
        let detected = moments.detected.map(|at| at.0);
        let before = detected.map_or_else(Before::default, |at| Before::of(self, at, name));
        let rush = sums.rush(detected, &before, to);
        let high = rush.map(|rush| rush.from).filter(|from| before.usual.is_none() && moments.detected >= Some(*from));
        moments.onset = before.onset.map(At).or(high);
        let told = |p: &Arc<Portal>| report::Portal {
            name: p.name.clone(),
            title: p.title.clone(),
            host: p.host.clone().filter(|host| public(host)),
            posture: posture(p).as_str().into(),
        };
        let began = At(moments.detected.map_or(from, |at| at.0)).timestamp().strftime("%Y%m%dT%H%M%SZ");
        let seen = self.seen((from, to), name, wanted.tlp);
        let not_known = self.not_known(from, now, &found, seen.is_some());
        let zone = portals.first().map_or("UTC", |p| p.timezone.as_str());
        Report {
            id: format!("boma-{}-{began}", name.unwrap_or("all")),
            status: "draft",
            made: At(now),
            by: format!("boma {}", env!("CARGO_PKG_VERSION")),
            tlp: wanted.tlp,
            zone: zone.to_owned(),
            portals: portals.iter().map(told).collect(),
            from: At(from),
            to: At(to),
            summary: String::new(),
            remarks: Vec::new(),
            incident: incident.zip(portals.first()).map(|(i, p)| told::incident_of(i, p)),
            sources: report::SOURCES.into(),
            statements,
            notices: report::notices(moments.detected, zone),
            moments,
            traffic: sums.traffic(rush),
            rules,
            citizens: sums.citizens(rush),
            postures: sums.postures(),
            turns: found.turns,
            measures: found.measures,
            changes: self.changes((from, to)),
            timeline: found.timeline,
            timeline_left_out: found.left_out,
            seen,
            evidence: self.evidence(from, to),
            journal: self.checked_journal(),
            not_known,
        }
        .told()
    }

    /// From then to then: as it is asked for, or from shortly before the posture rose around an incident to when both were over.
    fn span(
        &self,
        wanted: &Wanted,
        incident: Option<&incident::Incident>,
        name: Option<&str>,
        (zone, now): (&TimeZone, u64),
    ) -> Result<(u64, u64), Rejected> {
        let time = |key: &str, text: &Option<String>| text.as_ref().map(|t| moment(key, t, now, zone)).transpose();
        let (from, to) = (time("from", &wanted.from)?, time("to", &wanted.to)?);
        let (from, to) = match (incident, from) {
            (_, Some(from)) => (from, to.unwrap_or(now)),
            (Some(incident), None) => {
                let (began, over) = self.around(incident, name, now);
                (began, to.unwrap_or(over))
            }
            (None, None) => {
                return Err(wrong("of what?", "write --incident 1, or --from 2h or --from 2026-12-01T14:00, and --to"));
            }
        };
        let to = to.min(now);
        if from >= to {
            return Err(wrong("it ends before it begins", "write --from earlier than --to, and in the past"));
        }
        if to - from > bounds::REPORT_LONGEST.as_secs() {
            let longest = units::human(bounds::REPORT_LONGEST);
            return Err(wrong(&format!("it is longer than {longest}"), "write a shorter span: --from and --to"));
        }
        Ok((from, to))
    }

    fn around(&self, incident: &incident::Incident, name: Option<&str>, now: u64) -> (u64, u64) {
        let (opened, ended) = (incident.opened(), incident.ended().unwrap_or(now));
        let near = bounds::REPORT_NEAR.as_secs();
        let mut risen: Vec<u64> = Vec::new();
        self.each_minute((opened.saturating_sub(24 * 3600), now), name, |minute| {
            if minute.posture > Level::Normal {
                risen.push(minute.at);
            }
        });
        risen.sort_unstable();
        let before = risen.iter().rev().filter(|at| **at <= opened);
        let began = before.fold(opened, |began, at| if at + near >= began { *at } else { began });
        let over = risen
            .iter()
            .filter(|at| **at >= ended)
            .fold(ended, |over, at| if *at <= over + near { *at + 60 } else { over });
        // What came after the end tells whether it was one.
        let over = (over + bounds::REPORT_CALM.as_secs()).min(now.max(over));
        let longest = bounds::REPORT_LONGEST.as_secs() - bounds::REPORT_LEAD.as_secs();
        (began.max(over.saturating_sub(longest)) - bounds::REPORT_LEAD.as_secs().min(began), over)
    }

    fn moments(
        &self,
        (from, to, now): (u64, u64, u64),
        (incident, name): (Option<&incident::Incident>, Option<&str>),
        (sums, raised): (&Sums, bool),
        found: &lines::Found,
    ) -> Moments {
        let risen = sums.risen();
        let (detected, detected_by) = match (&found.raised, risen) {
            (Some((at, who)), Some((first, _))) if *at <= first + 60 => (Some(*at), who.clone()),
            (_, Some((first, _))) if first <= from => (Some(first), "somebody before the span began".into()),
            (Some((at, who)), _) => (Some(*at), who.clone()),
            (None, Some((first, _))) => (Some(first), "nobody whom the journal names".into()),
            (None, None) => (None, String::new()),
        };
        let statements = self.house.incidents.load();
        let concerned = |i: &&Arc<incident::Incident>| match incident {
            Some(one) => i.id == one.id,
            None => name.is_none_or(|n| i.concerns(n)) && (from..=to).contains(&i.opened()),
        };
        let over = risen.map(|(_, last)| last + 60);
        // A minute that is not over yet, or that the span cuts off, is no end.
        let counted = now - if raised { 120.min(now) } else { 60.min(now) };
        let recovered = over.filter(|over| *over + 60 <= to && *over <= counted);
        let (contained, hurt_until) = sums.hurt_until(detected, to);
        Moments {
            onset: None,
            detected: detected.map(At),
            detected_by,
            first_statement: statements.iter().filter(concerned).map(|i| At(i.opened())).min(),
            contained: contained.map(At),
            recovered: recovered.filter(|_| detected.is_some()).map(At),
            closed: match incident {
                Some(one) => one.ended(),
                // Of several the last, where none is open.
                None => {
                    let ended: Option<Vec<u64>> = statements.iter().filter(concerned).map(|i| i.ended()).collect();
                    ended.and_then(|all| all.into_iter().max()).filter(|at| *at <= to)
                }
            }
            .map(At),
            hurt_until: hurt_until.map(At),
        }
    }

    fn seen(&self, span: (u64, u64), name: Option<&str>, tlp: Tlp) -> Option<report::Seen> {
        let mut all = samples::Samples::default();
        self.each_seen(span, name, |seen| all.add(seen));
        // What may be passed on to anybody names no provider's networks.
        all.told(!matches!(tlp, Tlp::Clear | Tlp::Green))
    }

    fn not_known(&self, from: u64, now: u64, found: &lines::Found, seen: bool) -> Vec<String> {
        let mut all = vec![
            "How many people are behind the requests: boma counts requests, not people.".to_owned(),
            "Who came for the first time while protection was raised and gave up at the check: nothing tells them from robots."
                .into(),
            "Whether and when those got in who were told to come again: whoever does counts among those who were served, and is not told from others."
                .into(),
            "What became of forms and payments that were under way: the origin's own records say that.".into(),
            "Which bans rules and limits laid by themselves: the journal does not hold them.".into(),
            "What became of requests whose connection a ban closed before they were read.".into(),
        ];
        if from < now.saturating_sub(bounds::TOTALS_DAYS * totals::DAY) {
            all.push("All of what came: of days more than thirty days ago only the hours around changes of posture are kept.".into());
        }
        if !seen {
            all.push("Who came, from where and for what: no sample is kept of this span.".into());
        }
        if found.timeline.iter().any(|e| e.who == "file") {
            all.push("Who changed a file: the journal says only that it was changed, and the hash of its text.".into());
        }
        all.push(match &self.house.town.load().settings.log.access {
            AccessSink::Off => "Each request by itself: the access log is off.".into(),
            AccessSink::Stdout => "Each request by itself: the access log goes to standard output, and whoever collects it has it.".into(),
            AccessSink::File(_) => {
                "Each request by itself: the access log, a file that the settings name, has what was not sampled out or rotated away; it is not hashed here.".into()
            }
        });
        all
    }
}

/// A host that the public knows: no address, and no port that people do not write.
fn public(host: &str) -> bool {
    host.contains('.') && !host.contains(':') && host.parse::<IpAddr>().is_err()
}

/// A time ago, or one by the calendar; without an offset it is the portal's.
fn moment(key: &str, text: &str, now: u64, zone: &TimeZone) -> Result<u64, Rejected> {
    let text = text.trim();
    if let Some(ago) = units::duration(text) {
        return Ok(now.saturating_sub(ago.as_secs()));
    }
    let local = || text.parse::<DateTime>().ok().and_then(|t| t.to_zoned(zone.clone()).ok()).map(|t| t.timestamp());
    let found = text.parse::<Timestamp>().ok().or_else(local).and_then(|t| u64::try_from(t.as_second()).ok());
    found.ok_or_else(|| {
        let help = "write such as 2h for two hours ago, 2026-12-01T22:00 or 2026-12-01T22:00+03:00";
        wrong(&format!("{key} {text:?} is no time"), help)
    })
}

fn wrong(message: &str, help: &str) -> Rejected {
    Rejected::Faults(vec![Fault::whole("report", message, help)])
}
