//! Bans by staff's hand, and the end of all bans.
//!
//! Does not know: HTTP, who is sent away how.

use ipnet::IpNet;

use super::Office;
use super::change::{Applied, Rejected, Who};
use crate::ban::Ban;
use crate::bounds;
use crate::fault::Fault;
use crate::store::Table;
use crate::telemetry::Kind;

/// Networks as large as this are not banned without force.
const WIDE: (u8, u8) = (16, 32);

impl Office {
    pub(super) fn add_ban(&self, mut ban: Ban, force: bool) -> Result<Applied, Rejected> {
        let house = &self.house;
        if !force && let Some(harm) = self.harm(ban.net) {
            return Err(Rejected::Harmful(harm));
        }
        let hold: Vec<Ban> = house.bans.list(house.now().unix()).into_iter().filter(|b| b.by.is_some()).collect();
        let before = hold.iter().find(|b| b.net == ban.net);
        let by_hand = hold.len();
        if by_hand >= bounds::BANS_BY_HAND && before.is_none() {
            let help = "put the networks into a [[list]], from a file, and deny or drop that";
            return Err(Rejected::Harmful(format!("{by_hand} bans by hand hold already: {help}")));
        }
        let mut warnings = Vec::new();
        if let Some(longer) = before.filter(|b| b.until > ban.until) {
            ban.until = longer.until;
            let until = jiff::Timestamp::from_second(i64::try_from(ban.until).unwrap_or(i64::MAX)).unwrap_or_default();
            let message = format!("it was banned until {until} already, for: {}; that end stays", longer.reason);
            let help = format!("`boma ban remove {}` first, if it is to end earlier", ban.net);
            warnings.push(Fault::whole(&format!("ban of {}", ban.net), message, help));
        }
        self.put_ban(&ban);
        house.bans.put(ban);
        Ok(Applied { changed: true, warnings, ..self.unchanged() })
    }

    fn put_ban(&self, ban: &Ban) {
        self.house.store.put_surely(Table::Bans, &ban.key(), serde_json::to_vec(ban).unwrap_or_default());
    }

    pub(super) fn put_bans(&self) {
        self.house.bans.list(self.house.now().unix()).iter().for_each(|ban| self.put_ban(ban));
    }

    /// Whom a ban of this net would hit that it should not.
    fn harm(&self, net: IpNet) -> Option<String> {
        let house = &self.house;
        let meets = |other: &&IpNet| other.contains(&net) || net.contains(*other);
        if let Some(staff) = house.law.load().rules.staff().iter().find(meets) {
            return Some(format!("{net} holds staff's own network {staff} (the list \"staff\")"));
        }
        if let Some(proxy) = house.town.load().settings.client.trusted_proxies.iter().find(meets) {
            return Some(format!(
                "{net} holds the trusted proxy {proxy}, whose citizens are told apart by their own addresses"
            ));
        }
        let wide = if net.addr().is_ipv4() { net.prefix_len() < WIDE.0 } else { net.prefix_len() < WIDE.1 };
        if wide {
            return Some(format!("{net} is a whole provider, or more than one"));
        }
        (self.judge.ban)(house, net)
    }

    pub(super) fn remove_ban(&self, net: IpNet) -> Result<Applied, Rejected> {
        let ended = self.house.bans.remove(net);
        if ended.is_empty() {
            return Err(Rejected::Unknown(format!("there is no ban of {net}: `boma ban list` shows those that hold")));
        }
        ended.iter().for_each(|ban| self.house.store.remove_surely(Table::Bans, &ban.key()));
        Ok(Applied { changed: true, ..self.unchanged() })
    }

    /// Forgets bans that are over.
    pub(super) fn end_bans(&self) {
        // Beside a change of staff's, one of the two would be lost.
        let _desk = self.desk();
        let now = self.house.now().unix();
        for ban in self.house.bans.sweep(now) {
            if ban.by.is_some() {
                let what = format!("end of ban of {}, laid for: {}", ban.net, ban.reason);
                self.house.feed.tell(now, Kind::Ban, &Who::Clock.to_string(), &what, "applied");
            }
            self.house.store.remove_surely(Table::Bans, &ban.key());
        }
    }

    pub(super) fn restore_bans(&self, rows: Vec<(String, Vec<u8>)>) {
        let now = self.house.now().unix();
        for (key, row) in rows {
            match serde_json::from_slice::<Ban>(&row) {
                // One that has ended by itself makes the next one longer.
                Ok(ban) if ban.until > now || (ban.by.is_none() && ban.until + bounds::BAN_MEMORY.as_secs() > now) => {
                    self.house.bans.put(ban);
                }
                _ => self.house.store.remove(Table::Bans, &key),
            }
        }
    }
}
