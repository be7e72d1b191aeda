//! Texts by their first bytes: one walk along a value finds the text that it is and all that it begins with. The walk
//! ends where no text goes on, so that it costs what value and texts have in common, however many texts there are.
//!
//! Does not know: patterns; it walks backwards for ends as well as for beginnings.

use std::collections::BTreeMap;
use std::ops::Range;

use super::conditions::{Numbers, Rows};

/// Which way values and texts are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    Forward,
    Backward,
}

/// The conditions of a text: for values that are it, and for those that begin with it.
#[derive(Debug, Default)]
pub struct Ends {
    pub whole: Numbers,
    pub begun: Numbers,
}

#[derive(Debug, Default)]
pub struct Trie {
    nodes: Vec<Node>,
    bytes: Vec<u8>,
    /// The nodes that go on.
    doors: Vec<u32>,
    conditions: Rows,
    way: Way,
}

#[derive(Clone, Debug)]
struct Node {
    /// What must come between the node before and this one.
    label: Range<u32>,
    doors: Range<u32>,
    way_on: WayOn,
    /// Rows of conditions; those of [`Ends::begun`] come after those of [`Ends::whole`]. None where no text ends.
    ends: Option<u32>,
}

/// How a node finds the door for a byte.
#[derive(Clone, Copy, Debug)]
enum WayOn {
    /// There is one for each byte from this one on, or [`NO_DOOR`].
    From(u8),
    /// Their bytes lie in order from here on in [`Trie::bytes`].
    Listed(u32),
}

const NO_DOOR: u32 = u32::MAX;
/// Places that a node may have for each of its doors, so that one step finds it: digits and letters fit.
const ROOM: usize = 8;

impl Trie {
    /// Of texts as they are written; `way` says from which end they are read.
    pub fn new(texts: BTreeMap<Vec<u8>, Ends>, way: Way) -> Trie {
        let mut texts: Vec<(Vec<u8>, Ends)> = texts.into_iter().collect();
        if way == Way::Backward {
            texts.iter_mut().for_each(|(text, _)| text.reverse());
            texts.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let mut trie = Trie { way, ..Trie::default() };
        if !texts.is_empty() {
            trie.node(&texts, 0);
        }
        trie
    }

    /// Makes the node of sorted texts whose first `depth` bytes are alike; its number. As deep as texts branch.
    fn node(&mut self, texts: &[(Vec<u8>, Ends)], depth: usize) -> u32 {
        let (first, last) = (&texts[0].0[depth..], &texts[texts.len() - 1].0[depth..]);
        let alike = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let label = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&first[..alike]);
        let number = self.nodes.len();
        let label = label..self.bytes.len() as u32;
        self.nodes.push(Node { label, doors: 0..0, way_on: WayOn::From(0), ends: None });
        let depth = depth + alike;
        let mut rest = texts;
        if let Some(((text, ends), others)) = rest.split_first()
            && text.len() == depth
        {
            self.nodes[number].ends = Some(self.conditions.push(&ends.whole));
            self.conditions.push(&ends.begun);
            rest = others;
        }
        let groups: Vec<&[(Vec<u8>, Ends)]> = rest.chunk_by(|(a, _), (b, _)| a[depth] == b[depth]).collect();
        let Some((low, high)) = groups.first().zip(groups.last()).map(|(f, l)| (f[0].0[depth], l[0].0[depth])) else {
            return number as u32;
        };
        let span = usize::from(high - low) + 1;
        let dense = span <= ROOM * groups.len();
        let doors = self.doors.len();
        self.doors.resize(doors + if dense { span } else { groups.len() }, NO_DOOR);
        self.nodes[number].doors = doors as u32..self.doors.len() as u32;
        self.nodes[number].way_on = if dense { WayOn::From(low) } else { WayOn::Listed(self.bytes.len() as u32) };
        if !dense {
            self.bytes.extend(groups.iter().map(|g| g[0].0[depth]));
        }
        for (i, group) in groups.into_iter().enumerate() {
            let place = if dense { usize::from(group[0].0[depth] - low) } else { i };
            self.doors[doors + place] = self.node(group, depth);
        }
        number as u32
    }

    fn next(&self, node: &Node, byte: u8) -> Option<&Node> {
        let doors = &self.doors[node.doors.start as usize..node.doors.end as usize];
        let place = match node.way_on {
            WayOn::From(low) => usize::from(byte.wrapping_sub(low)),
            WayOn::Listed(start) => {
                self.bytes[start as usize..start as usize + doors.len()].binary_search(&byte).ok()?
            }
        };
        doors.get(place).and_then(|door| self.nodes.get(*door as usize))
    }

    /// Gives the conditions of what the value is and of all that it begins with, row by row.
    pub fn visit(&self, value: &[u8], add: &mut impl FnMut(&[u32])) {
        match self.way {
            Way::Forward => self.walk(value.len(), |at| value[at], add),
            Way::Backward => self.walk(value.len(), |at| value[value.len() - 1 - at], add),
        }
    }

    /// `byte`: of the value, counted from where it is read.
    fn walk(&self, length: usize, byte: impl Fn(usize) -> u8, add: &mut impl FnMut(&[u32])) {
        let Some(mut node) = self.nodes.first() else { return };
        let mut at = 0;
        loop {
            let label = &self.bytes[node.label.start as usize..node.label.end as usize];
            // Byte by byte, because most are a few bytes long and most values differ early: a call to compare costs more.
            if length - at < label.len() || !label.iter().enumerate().all(|(i, b)| byte(at + i) == *b) {
                return;
            }
            at += label.len();
            if let Some(ends) = node.ends {
                add(self.conditions.row(ends + 1));
                if at == length {
                    add(self.conditions.row(ends));
                }
            }
            if at == length {
                return;
            }
            let Some(next) = self.next(node, byte(at)) else { return };
            node = next;
        }
    }
}
