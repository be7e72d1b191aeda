//! Where the house stands: pins with reason and end, for all portals or for one.
//!
//! Does not know: what a step does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::Level;

/// A posture that somebody fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    pub level: Level,
    /// Seconds since the Unix epoch; `u64::MAX`: until somebody changes it.
    pub until: u64,
    pub reason: String,
    pub by: String,
    pub since: u64,
    /// What follows at the end; nothing: `auto`, and after `closed` `static`.
    pub then: Option<Level>,
    /// One portal, or all.
    pub portal: Option<String>,
}

/// A pin that ended, in words; an alarm where the portal does not come back by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Expired {
    pub text: String,
    pub alarm: bool,
}

/// All pins. A value: a change makes a new one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pins: Vec<Pin>,
    /// Where the ladder stands by itself, by portal; at its foot where nothing is said.
    #[serde(default)]
    climbed: BTreeMap<String, Level>,
    /// Since when a portal has not been at the foot of the ladder, in seconds since the Unix epoch.
    #[serde(default)]
    risen: BTreeMap<String, u64>,
}

impl Standing {
    /// The posture of a portal: its own pin before the one for all. A pin whose time is over counts as what follows
    /// it, whether or not [`Standing::expire`] has been called since.
    pub fn level(&self, portal: &str, now_unix: u64) -> Level {
        let own = self.pins.iter().find(|p| p.portal.as_deref() == Some(portal)).and_then(|p| p.at(now_unix));
        let all = || self.pins.iter().find(|p| p.portal.is_none()).and_then(|p| p.at(now_unix));
        own.or_else(all).unwrap_or_else(|| self.climbed(portal))
    }

    /// Since when a portal has not been at the foot of the ladder; `None` where it is.
    pub fn risen(&self, portal: &str) -> Option<u64> {
        self.risen.get(portal).copied()
    }

    /// The same standing with its rises noted, for these portals.
    pub fn noted<'a>(mut self, portals: impl Iterator<Item = &'a str>, now_unix: u64) -> Standing {
        for portal in portals {
            if self.level(portal, now_unix) == Level::Normal {
                self.risen.remove(portal);
            } else {
                self.risen.entry(portal.to_owned()).or_insert(now_unix);
            }
        }
        self
    }

    /// Where the ladder stands by itself, pinned or not.
    pub fn climbed(&self, portal: &str) -> Level {
        self.climbed.get(portal).copied().unwrap_or(Level::Normal)
    }

    pub fn climb(&self, portal: &str, level: Level) -> Standing {
        let mut next = self.clone();
        match level {
            Level::Normal => drop(next.climbed.remove(portal)),
            level => drop(next.climbed.insert(portal.to_owned(), level)),
        }
        next
    }

    pub fn pin(&self, pin: Pin) -> Standing {
        let mut next = self.release(pin.portal.as_deref());
        next.pins.push(pin);
        next
    }

    /// Back to `auto`.
    pub fn release(&self, portal: Option<&str>) -> Standing {
        let pins = self.pins.iter().filter(|p| p.portal.as_deref() != portal).cloned().collect();
        Standing { pins, ..self.clone() }
    }

    /// Replaces what has ended by what follows it.
    pub fn expire(&self, now_unix: u64) -> (Standing, Vec<Expired>) {
        let mut expired = Vec::new();
        let mut pins = Vec::new();
        for pin in &self.pins {
            if pin.until > now_unix {
                pins.push(pin.clone());
                continue;
            }
            let of = pin.portal.as_deref().map_or(String::new(), |p| format!(" of portal {p}"));
            let next = pin.follows();
            let then = next.map_or("auto", Level::as_str);
            let alarm = pin.level == Level::Closed;
            expired.push(Expired {
                text: format!("posture {}{of} has expired; now {then}. It was pinned for: {}", pin.level, pin.reason),
                alarm,
            });
            if let Some(level) = next {
                let reason = format!("{} expired", pin.level);
                pins.push(Pin {
                    level,
                    until: u64::MAX,
                    reason,
                    by: "clock".into(),
                    since: now_unix,
                    then: None,
                    portal: pin.portal.clone(),
                });
            }
        }
        (Standing { pins, ..self.clone() }, expired)
    }

    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        self.pins.iter()
    }
}

impl Pin {
    fn at(&self, now_unix: u64) -> Option<Level> {
        if self.until > now_unix { Some(self.level) } else { self.follows() }
    }

    /// A closed portal does not open by itself at full: its origin may still be what it was closed for.
    fn follows(&self) -> Option<Level> {
        self.then.or((self.level == Level::Closed).then_some(Level::Static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(level: Level, until: u64, portal: Option<&str>) -> Pin {
        Pin {
            level,
            until,
            reason: "INC-1".into(),
            by: "staff".into(),
            since: 0,
            then: None,
            portal: portal.map(Into::into),
        }
    }

    #[test]
    fn a_portals_own_pin_goes_before_the_one_for_all() {
        let standing = Standing::default().pin(pin(Level::Attack, 100, None)).pin(pin(Level::Closed, 50, Some("tax")));
        assert_eq!(standing.level("tax", 10), Level::Closed);
        assert_eq!(standing.level("land", 10), Level::Attack);
        assert_eq!(standing.level("land", 100), Level::Normal);
        assert_eq!(standing.release(Some("tax")).level("tax", 10), Level::Attack);
        assert_eq!(standing.pin(pin(Level::Guarded, 100, None)).level("land", 10), Level::Guarded);
    }

    #[test]
    fn a_rise_is_remembered_until_the_portal_is_back_at_the_foot() {
        let noted = |s: Standing, now| s.noted(["tax", "land"].into_iter(), now);
        let standing = noted(Standing::default().pin(pin(Level::Guarded, 100, Some("tax"))), 10);
        assert_eq!((standing.risen("tax"), standing.risen("land")), (Some(10), None));
        let higher = noted(standing.climb("tax", Level::Attack).pin(pin(Level::Static, 50, Some("tax"))), 30);
        assert_eq!(higher.risen("tax"), Some(10));
        let down = noted(higher.release(Some("tax")).climb("tax", Level::Normal), 60);
        assert_eq!(down.risen("tax"), None);
    }

    #[test]
    fn closed_expires_to_static_with_an_alarm_and_others_to_auto() {
        let standing = Standing::default().pin(pin(Level::Closed, 50, None)).pin(pin(Level::Attack, 50, Some("tax")));
        assert_eq!(standing.level("land", 50), Level::Static, "judged before it is swept");
        let (next, expired) = standing.expire(50);
        assert_eq!(expired.iter().map(|e| e.alarm).collect::<Vec<_>>(), [true, false]);
        assert_eq!(next.level("land", 1_000_000), Level::Static);
        assert_eq!(next.level("tax", 60), Level::Static, "back under the pin for all");
        assert_eq!(next.expire(60), (next.clone(), vec![]));
        let then = Pin { then: Some(Level::Guarded), ..pin(Level::Closed, 50, None) };
        assert_eq!(Standing::default().pin(then).expire(50).0.level("x", 60), Level::Guarded);
    }
}
