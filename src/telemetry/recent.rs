//! The last ten minutes: a sample of requests for each second, with weights, so that a draft of rules can be tried on
//! what really came. Requests with a pass have a share of their own, which no flood pushes out.
//!
//! Of a request it keeps what rules look at, and no body, no cookie's value, no credentials.
//!
//! Does not know: rules.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bounds;
use crate::client::{Client, Fingerprint};
use crate::facts::Pass;
use crate::wire::{Head, Version};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Fact {
    pub method: Box<str>,
    /// What the citizen's browser spoke.
    pub scheme: &'static str,
    pub authority: Box<str>,
    pub path: Box<str>,
    pub query: Option<Box<str>>,
    pub fields: Vec<(Box<str>, Box<[u8]>)>,
    pub address: IpAddr,
    pub fingerprint: Option<Fingerprint>,
    pub pass: Option<Pass>,
    pub fate: Fate,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    /// When it came and when its answer began, in milliseconds since the Unix epoch.
    pub came: u64,
    pub answered: u64,
    /// What an origin answered.
    pub origin: Option<u16>,
    /// The limit that refused it, by its id.
    pub limit: Option<u64>,
    /// Out of the cache, before it spent anything of any limit.
    pub free: bool,
    /// boma sent it away.
    pub sent_away: bool,
}

/// Fields whose values are nobody's business.
const SECRET: [&str; 3] = ["authorization", "proxy-authorization", "boma-pass"];

/// Cookies with nothing in them.
fn without_values(cookies: &[u8]) -> Vec<u8> {
    let names = cookies.split(|b| *b == b';').map(|pair| pair.split(|b| *b == b'=').next().unwrap_or_default());
    let mut out = Vec::new();
    for name in names.map(<[u8]>::trim_ascii).filter(|n| !n.is_empty()) {
        out.extend_from_slice(if out.is_empty() { b"" } else { b"; " });
        out.extend_from_slice(name);
        out.push(b'=');
    }
    out
}

impl Fact {
    pub fn of(head: &dyn Head, scheme: &'static str, host: &str, client: &Client, pass: Option<Pass>) -> Fact {
        let mut fields = Vec::new();
        let mut left = bounds::RECENT_FIELD_BYTES;
        head.each(&mut |name, value| {
            let names;
            let value = match name {
                // A cookie's name may be what a rule looks at.
                "cookie" => {
                    names = without_values(value);
                    &names[..]
                }
                _ if SECRET.contains(&name) => b"",
                _ => value,
            };
            if name != "host" && name.len() + value.len() <= left {
                left -= name.len() + value.len();
                fields.push((name.into(), value.into()));
            }
        });
        let cut = |text: &str| -> Box<str> { text.chars().take(bounds::RECENT_FIELD_BYTES).collect::<String>().into() };
        Fact {
            method: head.method().into(),
            scheme,
            authority: host.into(),
            path: cut(head.path()),
            query: head.query().map(cut),
            fields,
            address: client.address,
            fingerprint: client.fingerprint,
            pass,
            fate: Fate::default(),
        }
    }

    pub fn with(self, fate: Fate) -> Fact {
        Fact { fate, ..self }
    }
}

impl Head for Fact {
    fn method(&self) -> &str {
        &self.method
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    fn authority(&self) -> Option<&str> {
        Some(&self.authority)
    }

    fn version(&self) -> Version {
        Version::Http11
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(n, _)| **n == *name).map(|(_, v)| v.as_ref())
    }

    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.fields.iter().filter(|(n, _)| **n == *name).any(|(_, v)| test(v))
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.fields.iter().for_each(|(n, v)| visit(n, v));
    }
}

/// One second of one kind of request: how many came, and some of them, each as likely to be here as any other
/// (Vitter's algorithm R, 1985).
#[derive(Default)]
struct Share {
    seen: u64,
    kept: Vec<Fact>,
}

/// One second as one worker saw it.
#[derive(Default)]
struct Second {
    /// Since the Unix epoch.
    at: u64,
    without_pass: Share,
    with_pass: Share,
}

/// One worker's sampler.
pub struct Sampler {
    now: RefCell<Second>,
    most: usize,
    random: RefCell<u64>,
}

impl Sampler {
    /// One of `workers`, which share what is kept of a second.
    pub fn new(workers: usize, seed: u64) -> Sampler {
        let most = (bounds::RECENT_PER_SECOND / workers.max(1)).max(1);
        Sampler { now: RefCell::default(), most, random: RefCell::new(seed | 1) }
    }

    /// Counts a request that came `at`, and keeps it where chance wants it. Who waited long for an answer counts in the
    /// second under way: a second that is over is not opened again, or each such request would make one of its own.
    pub fn offer(&self, recent: &Recent, at: u64, with_pass: bool, make: impl FnOnce() -> Fact) {
        self.flush(recent, at);
        let mut now = self.now.borrow_mut();
        let share = if with_pass { &mut now.with_pass } else { &mut now.without_pass };
        share.seen += 1;
        if share.kept.len() < self.most {
            share.kept.push(make());
        } else {
            let at = self.next() % share.seen;
            if (at as usize) < share.kept.len() {
                share.kept[at as usize] = make();
            }
        }
    }

    /// Hands on what a second that is over left.
    pub fn flush(&self, recent: &Recent, at: u64) {
        let mut now = self.now.borrow_mut();
        // Far ahead was a clock that was set right.
        if at > now.at || now.at - at > bounds::RECENT.as_secs() {
            recent.add(std::mem::replace(&mut *now, Second { at, ..Second::default() }));
        }
    }

    /// xorshift64: it decides which requests are looked at, and nobody gains by guessing it.
    fn next(&self) -> u64 {
        let mut x = self.random.borrow_mut();
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        *x
    }
}

/// What all workers saw of the last ten minutes.
#[derive(Default)]
pub struct Recent(Mutex<VecDeque<Arc<Second>>>);

impl Recent {
    fn add(&self, second: Second) {
        if second.without_pass.seen + second.with_pass.seen == 0 {
            return;
        }
        let mut seconds = self.seconds();
        let oldest = second.at.saturating_sub(bounds::RECENT.as_secs());
        // A clock that was ahead and was set right leaves seconds of the future behind.
        let newest = second.at + bounds::RECENT.as_secs();
        seconds.retain(|s| (oldest..=newest).contains(&s.at));
        seconds.push_back(Arc::new(second));
    }

    /// Every request that was kept since then, and how many it stands for. Nothing is older than ten minutes.
    pub fn each(&self, oldest: u64, mut see: impl FnMut(&Fact, f64)) {
        // Looked at without the lock, which workers need once a second.
        let seconds: Vec<Arc<Second>> = self.seconds().iter().filter(|s| s.at >= oldest).cloned().collect();
        for second in seconds {
            for share in [&second.without_pass, &second.with_pass] {
                let weight = share.seen as f64 / share.kept.len().max(1) as f64;
                share.kept.iter().for_each(|fact| see(fact, weight));
            }
        }
    }

    fn seconds(&self) -> MutexGuard<'_, VecDeque<Arc<Second>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::NoHead;

    fn fact(i: u32) -> Fact {
        let address = std::net::Ipv4Addr::from(i).into();
        Fact::of(&NoHead, "https", &i.to_string(), &Client::new(address, address, 64, false), None)
    }

    #[test]
    fn who_had_to_wait_for_an_answer_makes_no_second_of_its_own() {
        let (recent, sampler) = (Recent::default(), Sampler::new(1, 7));
        for second in 10..20 {
            // Told when they are answered: every other one came five seconds ago.
            (0..2000).for_each(|i| sampler.offer(&recent, second - 5 * u64::from(i % 2), false, || fact(i)));
        }
        sampler.flush(&recent, 20);
        let (mut sum, mut kept) = (0.0, 0);
        recent.each(10, |_, weight| (sum, kept) = (sum + weight, kept + 1));
        assert_eq!(sum, 10.0 * 2000.0);
        assert!(kept <= 10 * bounds::RECENT_PER_SECOND, "{kept} are kept");
        assert!(recent.seconds().len() <= 10, "{} seconds", recent.seconds().len());
    }

    #[test]
    fn weights_add_up_and_a_flood_does_not_push_citizens_out() {
        let (recent, sampler) = (Recent::default(), Sampler::new(1, 7));
        for second in 0..700 {
            (0..2000).for_each(|i| sampler.offer(&recent, second, false, || fact(i)));
            (0..5).for_each(|i| sampler.offer(&recent, second, true, || fact(i)));
        }
        sampler.flush(&recent, 700);
        let (mut sum, mut kept, mut high) = (0.0, 0, 0.0);
        recent.each(100, |fact, weight| {
            sum += weight;
            kept += 1;
            if weight > 1.0 && fact.authority.parse::<u32>().unwrap() >= 1000 {
                high += weight;
            }
        });
        assert_eq!(sum, 600.0 * 2005.0, "ten minutes of them");
        assert_eq!(kept, 600 * (bounds::RECENT_PER_SECOND + 5));
        assert!((high / (600.0 * 1000.0) - 1.0f64).abs() < 0.1, "each as likely as any other: {high}");
        assert!(recent.seconds().len() <= 601);
    }
}
