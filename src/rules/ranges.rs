//! Networks of one family as ranges of addresses, one behind the other: a single search finds the narrowest network
//! around an address, and from there each is one step to the next wider one.
//!
//! A trie was set aside: its nodes lie far apart, and each of twenty steps may wait for memory.
//!
//! Does not know: what a network's numbers are for.

/// The end of a chain of networks.
const NONE: u32 = u32::MAX;

/// An address as a number.
pub trait Address: Ord + Copy {
    /// The next one, if there is one.
    fn after(self) -> Option<Self>;
    /// Its first byte.
    fn top(self) -> u8;
}

impl Address for u32 {
    fn after(self) -> Option<u32> {
        self.checked_add(1)
    }

    fn top(self) -> u8 {
        (self >> 24) as u8
    }
}

impl Address for u128 {
    fn after(self) -> Option<u128> {
        self.checked_add(1)
    }

    fn top(self) -> u8 {
        (self >> 120) as u8
    }
}

#[derive(Debug, Default)]
pub struct Ranges<A> {
    /// First addresses of the ranges.
    starts: Vec<A>,
    /// By an address's first byte, where the ranges begin that begin with it, and one more: half of a search's steps, and
    /// those that wait for memory.
    tops: Vec<u32>,
    /// Of each range the narrowest network around it.
    around: Vec<u32>,
    networks: Vec<Network>,
}

#[derive(Debug)]
struct Network {
    number: u32,
    wider: u32,
}

impl<A: Address> Ranges<A> {
    /// Of networks by first and last address, each with its number. Any two lie one in the other, or apart.
    pub fn new(mut nets: Vec<(A, A, u32)>) -> Ranges<A> {
        nets.sort_unstable_by(|a, b| (a.0, b.1, a.2).cmp(&(b.0, a.1, b.2)));
        nets.dedup();
        let mut ranges = Ranges { starts: Vec::new(), tops: Vec::new(), around: Vec::new(), networks: Vec::new() };
        // Those that the sweep is within, the widest first.
        let mut within: Vec<(A, u32)> = Vec::new();
        for (first, last, number) in nets {
            ranges.close(&mut within, Some(first));
            let wider = within.last().map_or(NONE, |(_, at)| *at);
            let at = ranges.networks.len() as u32;
            ranges.networks.push(Network { number, wider });
            within.push((last, at));
            ranges.begin(first, at);
        }
        ranges.close(&mut within, None);
        let begin = |top: u16| ranges.starts.partition_point(|s| u16::from(s.top()) < top) as u32;
        ranges.tops = (0..=256).map(begin).collect();
        ranges
    }

    /// Ends what ends before `until`, or all.
    fn close(&mut self, within: &mut Vec<(A, u32)>, until: Option<A>) {
        while let Some((last, _)) = within.last().copied()
            && until.is_none_or(|until| last < until)
        {
            within.pop();
            if let Some(next) = last.after() {
                self.begin(next, within.last().map_or(NONE, |(_, at)| *at));
            }
        }
    }

    fn begin(&mut self, start: A, around: u32) {
        if self.starts.last() == Some(&start) {
            self.around.pop();
        } else {
            self.starts.push(start);
        }
        self.around.push(around);
    }

    /// Calls `hit` with the number of every network around the address.
    pub fn visit(&self, address: A, mut hit: impl FnMut(u32)) {
        let top = usize::from(address.top());
        let Some([begin, end]) = self.tops.get(top..top + 2) else { return };
        let (begin, end) = (*begin as usize, *end as usize);
        // The one before them may reach into them.
        let within = self.starts[begin..end].partition_point(|s| *s <= address);
        let Some(range) = (begin + within).checked_sub(1) else { return };
        let mut at = self.around[range];
        while let Some(network) = self.networks.get(at as usize) {
            hit(network.number);
            at = network.wider;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges of sixteen begin with one byte.
    impl Address for u8 {
        fn after(self) -> Option<u8> {
            self.checked_add(1)
        }

        fn top(self) -> u8 {
            self >> 4
        }
    }

    /// Every address of a small family against every network, for many draws of nested and repeated networks.
    #[test]
    fn every_network_around_an_address_is_found() {
        let mut random: u64 = 88_172_645_463_325_252;
        let mut next = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        for _ in 0..300 {
            let mut nets = Vec::new();
            for number in 0..next(40) as u32 {
                let bits = next(9);
                let first = (next(256) >> bits << bits) as u8;
                nets.push((first, first + ((1u16 << bits) - 1) as u8, number / 2));
            }
            let ranges = Ranges::<u8>::new(nets.clone());
            for address in 0..=255u8 {
                let mut found = Vec::new();
                ranges.visit(address, |n| found.push(n));
                let around = nets.iter().filter(|(first, last, _)| (*first..=*last).contains(&address));
                let mut wanted: Vec<u32> = around.map(|(_, _, n)| *n).collect();
                for all in [&mut found, &mut wanted] {
                    all.sort_unstable();
                    all.dedup();
                }
                assert_eq!(found, wanted, "{address} in {nets:?}");
            }
        }
    }
}
