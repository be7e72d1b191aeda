//! Who asks: addresses, browsers and tools, and the chance that drives them. The same in each run.
//!
//! 60 networks (/24) are an operator's. In 40 of them one address is shared by many citizens (CGNAT): half of all
//! citizens come from these 40. The other half have addresses of their own, every fourth of them in one of the 60
//! networks. Of the 30,000 attacking addresses 15,000 are the first 250 hosts of the 60 networks, the 40 shared ones
//! among them; the other 15,000 are each in a network of its own. Behind each shared address are 24 bots more.

use std::net::Ipv4Addr;

pub const NETWORKS: u32 = 60;
pub const SHARED: u32 = 40;
const HOSTS: u32 = 250;
/// Which host of its network a shared address is.
const SHARED_HOST: u32 = 10;
pub const ADDRESSES: u32 = 2 * NETWORKS * HOSTS;
const MORE_BOTS: u32 = 24;
pub const BOTS: u32 = ADDRESSES + SHARED * MORE_BOTS;
/// One bot in so many keeps cookies and solves challenges.
pub const SOLVER: u32 = 20;

const fn address(a: u8, rest: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits((a as u32) << 24 | rest & 0xff_ffff)
}

fn operator(network: u32, host: u32) -> Ipv4Addr {
    address(41, 90 << 16 | network << 8 | host)
}

pub fn shared(i: u32) -> Ipv4Addr {
    operator(i % SHARED, SHARED_HOST)
}

pub fn bot(i: u32) -> Ipv4Addr {
    let half = NETWORKS * HOSTS;
    match i {
        i if i < half => operator(i / HOSTS, 1 + i % HOSTS),
        i if i < ADDRESSES => address(45, (i - half) * 541 + 7),
        i => shared(i),
    }
}

/// The address of the n-th citizen.
pub fn citizen(n: u32, chance: &mut Chance) -> Ipv4Addr {
    match n % 8 {
        0 | 2 | 4 | 6 => shared(chance.below(SHARED)),
        1 => operator(chance.below(NETWORKS), 1 + HOSTS + chance.below(4)),
        _ => address(102, n.wrapping_mul(1543)),
    }
}

/// Where boma is asked from while solutions are worked out beforehand: nobody else's.
pub fn elsewhere(n: u32) -> Ipv4Addr {
    address(198, 18 << 16 | n.wrapping_mul(2053) & 0x1_ffff)
}

pub const BROWSERS: [&str; 6] = [
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 6.0; Infinix X510) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/81.0.4044.138 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
];
pub const TOOLS: [&str; 4] = ["curl/8.5.0", "python-requests/2.31.0", "Go-http-client/1.1", "Apache-HttpClient/4.5.13"];
/// By which a measure can know the bots of the variant `bots`.
pub const BOT_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/139.0.0.0 Safari/537.36";

/// splitmix64: it need not be unguessable, only even and the same each time.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u32
    }

    /// From 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Exponentially distributed around a mean, at most four times it.
    pub fn around(&mut self, mean: f64) -> f64 {
        (-(1.0 - self.part()).ln() * mean).min(4.0 * mean)
    }
}
