//! Where the results of a plan's steps lie.
//!
//! A result that is a part of a concatenation is written where the concatenation has it. What is not needed at the same time
//! shares its memory.

use std::collections::HashMap;

use super::LINE;
use super::draft::{Draft, Kind};
use crate::graph::Graph;

/// Where a result lies for one image; of `n` images, it begins at `start * n + channel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub start: usize,
    /// The first channel in the buffer's pixels.
    pub channel: usize,
    /// Channels of the buffer.
    pub stride: usize,
}

/// A part of a concatenation that also lies elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy {
    /// The node that concatenates.
    pub concat: usize,
    pub from: Slot,
    pub to: Slot,
    pub channels: usize,
    pub pixels: usize,
}

/// The memory of a plan.
#[derive(Debug)]
pub(super) struct Layout {
    slots: HashMap<usize, Slot>,
    pub copies: Vec<Copy>,
    /// Numbers for one image.
    pub size: usize,
}

impl Layout {
    pub(super) fn slot(&self, node: usize) -> Slot {
        self.slots[&node]
    }

    pub(super) fn of(graph: &Graph, drafts: &[Draft]) -> Self {
        let shape = |node: usize| {
            let shape = &graph.nodes()[node].shape;
            (shape[0], shape[1..].iter().product::<usize>())
        };
        let mut buffers = Buffers::default();
        let mut copies = Vec::new();
        for draft in drafts.iter().rev() {
            let (channels, pixels) = shape(draft.output);
            match draft.kind {
                Kind::Concat => {
                    let parts: Vec<(usize, usize)> = draft.inputs.iter().map(|&part| (part, shape(part).0)).collect();
                    buffers.concatenate(draft.output, &parts, channels, pixels, &mut copies);
                }
                _ => {
                    buffers.own(draft.output, channels, pixels);
                }
            }
        }
        let (channels, pixels) = shape(0);
        buffers.own(0, channels, pixels);
        buffers.live(drafts, &copies);
        let size = buffers.arrange();
        let slot = |(buffer, channel): (usize, usize)| {
            let Buffer { start, channels, .. } = buffers.all[buffer];
            Slot { start, channel, stride: channels }
        };
        let copies = copies.into_iter().map(|(concat, part, to): (usize, usize, (usize, usize))| {
            let (channels, pixels) = shape(part);
            Copy { concat, from: slot(buffers.places[&part]), to: slot(to), channels, pixels }
        });
        let copies = copies.collect();
        let slots = buffers.places.iter().map(|(&node, &place)| (node, slot(place))).collect();
        Self { slots, copies, size }
    }
}

/// Memory for one result, or for those of a concatenation.
#[derive(Debug)]
struct Buffer {
    channels: usize,
    pixels: usize,
    /// The first and last step that touch it.
    first: usize,
    last: usize,
    start: usize,
}

impl Buffer {
    fn len(&self) -> usize {
        (self.channels * self.pixels).next_multiple_of(LINE)
    }
}

/// Buffer and first channel.
type Position = (usize, usize);

#[derive(Debug, Default)]
struct Buffers {
    all: Vec<Buffer>,
    places: HashMap<usize, Position>,
}

impl Buffers {
    /// A place for a result, if it has none yet.
    fn own(&mut self, node: usize, channels: usize, pixels: usize) -> Position {
        if let Some(&place) = self.places.get(&node) {
            return place;
        }
        self.all.push(Buffer { channels, pixels, first: usize::MAX, last: 0, start: 0 });
        let place = (self.all.len() - 1, 0);
        self.places.insert(node, place);
        place
    }

    /// Places the parts of a concatenation. What takes the concatenation was placed before.
    fn concatenate(
        &mut self,
        node: usize,
        parts: &[(usize, usize)],
        channels: usize,
        pixels: usize,
        copies: &mut Vec<(usize, usize, Position)>,
    ) {
        if let Some(place) = self.side_by_side(parts).filter(|_| !self.places.contains_key(&node)) {
            self.places.insert(node, place);
            return;
        }
        let (buffer, mut channel) = self.own(node, channels, pixels);
        for &(part, width) in parts {
            if *self.places.entry(part).or_insert((buffer, channel)) != (buffer, channel) {
                copies.push((node, part, (buffer, channel)));
            }
            channel += width;
        }
    }

    /// Where parts lie that are concatenated as they are.
    fn side_by_side(&self, parts: &[(usize, usize)]) -> Option<Position> {
        let &(buffer, first) = self.places.get(&parts[0].0)?;
        let mut channel = first;
        for (part, width) in parts {
            if self.places.get(part) != Some(&(buffer, channel)) {
                return None;
            }
            channel += width;
        }
        Some((buffer, first))
    }

    /// Notes which steps touch each buffer. The images come before the first step, and the logits are read after the last one.
    fn live(&mut self, drafts: &[Draft], copies: &[(usize, usize, Position)]) {
        let mut touch = |buffer: usize, step: usize| {
            let buffer: &mut Buffer = &mut self.all[buffer];
            (buffer.first, buffer.last) = (buffer.first.min(step), buffer.last.max(step));
        };
        touch(self.places[&0].0, 0);
        for (step, draft) in (1..).zip(drafts) {
            for node in draft.inputs.iter().chain([&draft.output]) {
                touch(self.places[node].0, step);
            }
            for (_, part, (to, _)) in copies.iter().filter(|(concat, ..)| *concat == draft.output) {
                touch(self.places[part].0, step);
                touch(*to, step);
            }
        }
        let last = drafts.last().map_or(0, |draft| draft.output);
        touch(self.places[&last].0, drafts.len() + 1);
    }

    /// Gives each buffer its memory, the large ones first, each as low as possible; returns how much they take.
    fn arrange(&mut self) -> usize {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|&index| (usize::MAX - self.all[index].len(), index));
        let mut size = 0;
        for (rank, &index) in order.iter().enumerate() {
            let own = &self.all[index];
            let meets = |other: &&Buffer| other.first <= own.last && own.first <= other.last;
            let mut taken: Vec<(usize, usize)> = order[..rank]
                .iter()
                .map(|&other| &self.all[other])
                .filter(meets)
                .map(|other| (other.start, other.start + other.len()))
                .collect();
            taken.sort_unstable();
            let mut start = 0;
            for (first, end) in taken {
                if first >= start + own.len() {
                    break;
                }
                start = start.max(end);
            }
            size = size.max(start + own.len());
            self.all[index].start = start;
        }
        size
    }
}
