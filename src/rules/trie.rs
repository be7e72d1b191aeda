//! Texts by their first bytes: one walk along a value finds the text that it is and all that it begins with. The walk
//! ends where no text goes on, so that it costs what value and texts have in common, however many texts there are.
//!
//! Does not know: patterns; it walks backwards for ends as well as for beginnings.

use std::collections::BTreeMap;
use std::ops::Range;

use super::conditions::{Holding, Numbers, Rows};

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
    /// By first byte, the nodes that go on.
    doors: Vec<(u8, u32)>,
    conditions: Rows,
    way: Way,
}

#[derive(Clone, Debug)]
struct Node {
    /// What must come between the node before and this one.
    label: Range<u32>,
    doors: Range<u32>,
    /// Rows of conditions; those of [`Ends::begun`] come after those of [`Ends::whole`]. None where no text ends.
    ends: Option<u32>,
}

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
        self.nodes.push(Node { label, doors: 0..0, ends: None });
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
        let doors = self.doors.len();
        self.doors.extend(groups.iter().map(|g| (g[0].0[depth], 0)));
        self.nodes[number].doors = doors as u32..self.doors.len() as u32;
        for (i, group) in groups.into_iter().enumerate() {
            self.doors[doors + i].1 = self.node(group, depth);
        }
        number as u32
    }

    pub fn visit(&self, value: &[u8], holding: &mut Holding) {
        match self.way {
            Way::Forward => self.walk(value.len(), |at, label| value[at..].starts_with(label), |at| value[at], holding),
            Way::Backward => {
                let byte = |at| value[value.len() - 1 - at];
                let is = |at, label: &[u8]| {
                    value.len() - at >= label.len() && label.iter().enumerate().all(|(i, b)| byte(at + i) == *b)
                };
                self.walk(value.len(), is, byte, holding);
            }
        }
    }

    /// `is`: whether the value goes on with these bytes from there.
    fn walk(
        &self,
        length: usize,
        is: impl Fn(usize, &[u8]) -> bool,
        byte: impl Fn(usize) -> u8,
        holding: &mut Holding,
    ) {
        let Some(mut node) = self.nodes.first() else { return };
        let mut at = 0;
        loop {
            let label = &self.bytes[node.label.start as usize..node.label.end as usize];
            if !is(at, label) {
                return;
            }
            at += label.len();
            if let Some(ends) = node.ends {
                holding.add_all(self.conditions.row(ends + 1));
                if at == length {
                    holding.add_all(self.conditions.row(ends));
                }
            }
            if at == length {
                return;
            }
            let doors = &self.doors[node.doors.start as usize..node.doors.end as usize];
            let next = byte(at);
            let Ok(door) = doors.binary_search_by_key(&next, |(b, _)| *b) else { return };
            node = &self.nodes[doors[door].1 as usize];
        }
    }
}
