//! Bans: who is sent away before TLS, by staff's hand or because they exceeded a limit or hit a rule again and again.
//!
//! What bans by itself watches prefixes that did wrong, in a table of bounded size. A prefix that many passes are seen
//! on is never banned by itself, whatever comes from it: it is a crowd behind one address, with an attacker among them.
//!
//! Does not know: rules, sockets, where bans are kept.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::client::Prefix;

/// A ban, as it is kept and shown. Times in seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ban {
    pub net: IpNet,
    pub since: u64,
    pub until: u64,
    /// Staff's reason, or the rule or limit that was exceeded.
    pub reason: String,
    /// Who banned; `None`: a rule or limit.
    pub by: Option<String>,
    /// Which time it is within [`bounds::BAN_MEMORY`]: each is twice as long as the one before.
    pub times: u32,
}

impl Ban {
    /// What it is kept under: the same net may be banned by hand and by itself.
    pub fn key(&self) -> String {
        format!("{} {}", if self.by.is_some() { "hand" } else { "itself" }, self.net)
    }
}

/// Locks, so that workers seldom meet.
const SHARDS: usize = 64;
/// Different passes that make a prefix a crowd.
const CROWD: u32 = 3;

/// A prefix that did wrong.
#[derive(Default)]
struct Watched {
    /// When the present minute of strikes began, how many there were, and when the last one was.
    minute: u64,
    strikes: u32,
    last: u64,
    /// One bit for each pass seen here, by its hash.
    passes: u64,
    times: u32,
    since: u64,
    until: u64,
    reason: Option<Arc<str>>,
    /// When all of this is forgotten.
    forget: u64,
}

type Shard = Mutex<HashMap<u128, Watched>>;
/// Bytes of one place in a shard's table.
const PLACE: u64 = size_of::<(u128, Watched)>() as u64 + 1;

/// Staff's bans, and a trie of their ends for the look that every connection costs.
#[derive(Default)]
struct ByHand {
    all: Vec<Ban>,
    v4: PrefixMap<Ipv4Net, u64>,
    v6: PrefixMap<Ipv6Net, u64>,
}

impl ByHand {
    fn new(all: Vec<Ban>) -> Arc<ByHand> {
        let mut by_hand = ByHand::default();
        for ban in &all {
            match ban.net {
                IpNet::V4(net) => drop(by_hand.v4.insert(net, ban.until)),
                IpNet::V6(net) => drop(by_hand.v6.insert(net, ban.until)),
            }
        }
        by_hand.all = all;
        Arc::new(by_hand)
    }

    fn holds(&self, address: IpAddr, now: u64) -> bool {
        if self.all.is_empty() {
            return false;
        }
        match address {
            IpAddr::V4(a) => self.v4.cover_values(&Ipv4Net::from(a)).any(|until| *until > now),
            IpAddr::V6(a) => self.v6.cover_values(&Ipv6Net::from(a)).any(|until| *until > now),
        }
    }
}

pub struct Bans {
    by_hand: ArcSwap<ByHand>,
    /// Whether there ever were any: to look at this is cheaper than to look at them.
    ever_by_hand: AtomicBool,
    watched: Box<[Shard]>,
    /// Prefixes that a shard watches at most.
    most: usize,
    /// Names of rules and limits that banned, each once: thousands are banned by the same.
    reasons: Mutex<HashSet<Arc<str>>>,
    /// How many are watched: none, on most days.
    count: AtomicUsize,
    /// Bits of an IPv6 address that are one client.
    ipv6_prefix: u8,
}

impl Bans {
    /// What is watched takes at most `memory` bytes: a shard's table has a power of two of places, and where entries come
    /// and go it grows as soon as more than seven in sixteen are taken.
    pub fn new(ipv6_prefix: u8, memory: u64) -> Bans {
        let places = 1 << (memory / SHARDS as u64 / PLACE).max(4).ilog2();
        Bans {
            by_hand: ArcSwap::default(),
            ever_by_hand: AtomicBool::new(false),
            watched: (0..SHARDS).map(|_| Shard::default()).collect(),
            most: places * 7 / 16,
            reasons: Mutex::default(),
            count: AtomicUsize::new(0),
            ipv6_prefix,
        }
    }

    /// Whether an address is banned now.
    pub fn holds(&self, address: IpAddr, now: u64) -> bool {
        let address = crate::client::canonical(address);
        if self.ever_by_hand.load(Ordering::Acquire) && self.by_hand.load().holds(address, now) {
            return true;
        }
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let prefix = self.prefix(address);
        self.shard(prefix).get(&prefix.0).is_some_and(|w| w.until > now)
    }

    /// Notes that a prefix exceeded what `reason` names, and bans it for `lasts` seconds or longer where it does so
    /// again and again: in [`bounds::BAN_STRIKES`] different seconds of a minute. One page with thirty images is one
    /// strike, and a crowd behind the address has the time to show its passes.
    pub fn strike(&self, address: IpAddr, lasts: u64, reason: &str, now: u64) -> Option<Ban> {
        let prefix = self.prefix(address);
        let mut shard = self.shard(prefix);
        if !shard.contains_key(&prefix.0) {
            if shard.len() >= self.most {
                let before = shard.len();
                // Strikes of another minute mean nothing any more; only bans are worth remembering.
                shard.retain(|_, w| w.until > now || (w.times > 0 && w.forget > now) || now < w.minute + 60);
                self.count.fetch_sub(before - shard.len(), Ordering::Relaxed);
                if shard.len() >= self.most {
                    return None;
                }
            }
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        let watched = shard.entry(prefix.0).or_default();
        if watched.forget <= now {
            *watched = Watched::default();
        }
        watched.forget = watched.forget.max(now + bounds::BAN_WATCH.as_secs());
        if now.saturating_sub(watched.minute) >= 60 {
            (watched.minute, watched.strikes) = (now, 0);
        }
        if watched.last == now && watched.strikes > 0 {
            return None;
        }
        watched.last = now;
        watched.strikes += 1;
        if watched.strikes < bounds::BAN_STRIKES || watched.until > now || watched.passes.count_ones() >= CROWD {
            return None;
        }
        let longest = bounds::BAN_LONGEST.as_secs();
        let lasts = lasts.checked_shl(watched.times.min(20)).unwrap_or(longest).min(longest);
        watched.strikes = 0;
        watched.times += 1;
        (watched.since, watched.until) = (now, now + lasts);
        watched.forget = watched.until + bounds::BAN_MEMORY.as_secs();
        watched.reason = Some(self.named(reason));
        watched.ban(prefix, self.ipv6_prefix)
    }

    fn named(&self, reason: &str) -> Arc<str> {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = reasons.get(reason) {
            return known.clone();
        }
        let name: Arc<str> = reason.into();
        reasons.insert(name.clone());
        name
    }

    /// Notes a pass where its prefix is watched.
    pub fn saw_pass(&self, address: IpAddr, pass: u128) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let prefix = self.prefix(address);
        if let Some(watched) = self.shard(prefix).get_mut(&prefix.0) {
            watched.passes |= 1 << ((pass ^ pass >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_shr(58);
        }
    }

    /// Puts a ban in force: staff's, or one that was kept over a restart. The one of the same net is replaced.
    pub fn put(&self, ban: Ban) {
        if ban.by.is_some() {
            let mut all: Vec<Ban> = self.by_hand.load().all.iter().filter(|b| b.net != ban.net).cloned().collect();
            all.push(ban);
            self.ever_by_hand.store(true, Ordering::Release);
            self.by_hand.store(ByHand::new(all));
            return;
        }
        let prefix = self.prefix(ban.net.addr());
        let mut shard = self.shard(prefix);
        if shard.len() < self.most {
            let watched = Watched {
                times: ban.times,
                since: ban.since,
                until: ban.until,
                forget: ban.until + bounds::BAN_MEMORY.as_secs(),
                reason: Some(self.named(&ban.reason)),
                ..Watched::default()
            };
            if shard.insert(prefix.0, watched).is_none() {
                self.count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Ends the bans of a net; which those were.
    pub fn remove(&self, net: IpNet) -> Vec<Ban> {
        let (mut ended, left): (Vec<Ban>, Vec<Ban>) =
            self.by_hand.load().all.iter().cloned().partition(|b| b.net == net);
        if !ended.is_empty() {
            self.by_hand.store(ByHand::new(left));
        }
        let prefix = self.prefix(net.addr());
        let mut shard = self.shard(prefix);
        let by_itself = shard.get(&prefix.0).and_then(|w| w.ban(prefix, self.ipv6_prefix)).filter(|b| b.net == net);
        if by_itself.is_some() && shard.remove(&prefix.0).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        ended.extend(by_itself);
        ended
    }

    /// All bans that hold, the one that ends last first.
    pub fn list(&self, now: u64) -> Vec<Ban> {
        let mut all: Vec<Ban> = self.by_hand.load().all.iter().filter(|b| b.until > now).cloned().collect();
        for shard in &self.watched {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let live = shard.iter().filter(|(_, w)| w.until > now);
            all.extend(live.filter_map(|(prefix, w)| w.ban(Prefix(*prefix), self.ipv6_prefix)));
        }
        all.sort_by_key(|b| (std::cmp::Reverse(b.until), b.net));
        all
    }

    /// Forgets what is over; those bans.
    pub fn sweep(&self, now: u64) -> Vec<Ban> {
        let by_hand = self.by_hand.load();
        let (live, mut ended): (Vec<Ban>, Vec<Ban>) = by_hand.all.iter().cloned().partition(|b| b.until > now);
        if !ended.is_empty() {
            self.by_hand.store(ByHand::new(live));
        }
        for shard in &self.watched {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|prefix, w| {
                if w.forget > now {
                    return true;
                }
                ended.extend(w.ban(Prefix(*prefix), self.ipv6_prefix));
                false
            });
            self.count.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).retain(|name| Arc::strong_count(name) > 1);
        ended
    }

    fn prefix(&self, address: IpAddr) -> Prefix {
        Prefix::of(address, 32, self.ipv6_prefix)
    }

    fn shard(&self, prefix: Prefix) -> MutexGuard<'_, HashMap<u128, Watched>> {
        // The bits that tell clients apart: of IPv4 the lowest, of IPv6 those above the interface.
        let mixed = (prefix.0 ^ prefix.0 >> 64) as u64;
        let shard = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        self.watched[shard as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn ban(&self, prefix: Prefix, ipv6_prefix: u8) -> Option<Ban> {
        let address = prefix.address();
        let bits = if address.is_ipv4() { 32 } else { ipv6_prefix };
        Some(Ban {
            net: IpNet::new(address, bits).ok()?.trunc(),
            since: self.since,
            until: self.until,
            reason: self.reason.as_deref()?.to_owned(),
            by: None,
            times: self.times,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    /// In as many seconds from `now` on.
    fn strike(bans: &Bans, address: &str, times: u32, now: u64) -> Option<Ban> {
        let at = |i: u32| now + u64::from(i);
        (0..times).filter_map(|i| bans.strike(address.parse().unwrap(), 600, "search", at(i))).last()
    }

    #[test]
    fn who_exceeds_again_and_again_is_banned_longer_each_time() {
        let bans = Bans::new(64, 1 << 20);
        let holds = |address: &str, now| bans.holds(address.parse().unwrap(), now);
        assert_eq!(strike(&bans, "192.0.2.7", bounds::BAN_STRIKES - 1, NOW), None);
        assert_eq!(strike(&bans, "192.0.2.7", 1, NOW + 61), None, "strikes of another minute do not count");
        let many = (0..1000).filter_map(|_| bans.strike("192.0.2.7".parse().unwrap(), 600, "search", NOW + 65)).count();
        assert_eq!(many, 0, "a second counts once");
        let ban = strike(&bans, "192.0.2.7", bounds::BAN_STRIKES - 2, NOW + 70).unwrap();
        let end = ban.since + 600;
        assert_eq!((ban.net.to_string().as_str(), ban.until, ban.times), ("192.0.2.7/32", end, 1));
        assert!(holds("192.0.2.7", end - 1) && holds("::ffff:192.0.2.7", end - 1));
        assert!(!holds("192.0.2.8", NOW + 80) && !holds("192.0.2.7", end));
        let again = strike(&bans, "192.0.2.7", bounds::BAN_STRIKES, NOW + 700).unwrap();
        assert_eq!((again.until - again.since, again.times), (1200, 2));
        let later = again.until + bounds::BAN_MEMORY.as_secs() + 1;
        assert_eq!(bans.sweep(later), [again]);
        assert_eq!(strike(&bans, "192.0.2.7", bounds::BAN_STRIKES, later).unwrap().times, 1, "it is forgotten");
        let six = strike(&bans, "2001:db8::1", bounds::BAN_STRIKES, NOW).unwrap();
        assert_eq!(six.net.to_string(), "2001:db8::/64");
        assert!(holds("2001:db8::ffff", six.since + 1));
    }

    #[test]
    fn a_crowd_behind_one_address_is_never_banned_by_itself() {
        let bans = Bans::new(64, 1 << 20);
        strike(&bans, "192.0.2.7", 1, NOW);
        for pass in 0..20u128 {
            bans.saw_pass("192.0.2.7".parse().unwrap(), (pass << 64) | (pass * 77));
        }
        assert_eq!(strike(&bans, "192.0.2.7", 1000, NOW + 1), None);
        strike(&bans, "192.0.2.8", 1, NOW);
        (0..20).for_each(|_| bans.saw_pass("192.0.2.8".parse().unwrap(), 7));
        assert!(strike(&bans, "192.0.2.8", 1000, NOW + 1).is_some(), "one pass is no crowd");
    }

    #[test]
    fn bans_by_hand_hold_and_end_and_the_table_is_bounded() {
        let bans = Bans::new(64, 1 << 20);
        let net: IpNet = "198.51.100.0/24".parse().unwrap();
        let hand =
            Ban { net, since: NOW, until: NOW + 60, reason: "INC-42".into(), by: Some("staff".into()), times: 1 };
        bans.put(hand.clone());
        assert!(bans.holds("198.51.100.9".parse().unwrap(), NOW) && !bans.holds("198.51.101.9".parse().unwrap(), NOW));
        bans.put(Ban { by: None, net: "203.0.113.5/32".parse().unwrap(), ..hand.clone() });
        assert_eq!(bans.list(NOW).len(), 2);
        assert_eq!(bans.remove("203.0.113.5/32".parse().unwrap()).len(), 1);
        assert_eq!(bans.remove("203.0.113.5/32".parse().unwrap()), []);
        assert_eq!(bans.list(NOW).as_slice(), std::slice::from_ref(&hand));
        assert_eq!((bans.sweep(NOW + 60), bans.list(NOW + 60)), (vec![hand], vec![]));
        // Some are forgotten and others come, many times over.
        for i in 0..200_000u32 {
            let now = NOW + u64::from(i / 1000) * 120;
            bans.strike(std::net::Ipv4Addr::from(0x0a00_0000 + i).into(), 600, "x", now);
        }
        let shards = || bans.watched.iter().map(|s| s.lock().unwrap());
        let watched: usize = shards().map(|s| s.len()).sum();
        assert!(watched > 1000 && watched == bans.count.load(Ordering::Relaxed), "{watched}");
        let places: usize = shards().map(|s| (s.capacity() * 8 / 7).next_power_of_two()).sum();
        assert!(places as u64 * PLACE <= 1 << 20, "{places} places of {PLACE} bytes");
    }
}
