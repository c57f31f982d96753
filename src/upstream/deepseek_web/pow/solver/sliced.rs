//! The permutation for 128 messages at once that differ in few bits, bit-sliced: each of the 1600 bits of the state is
//! a vector with that bit of every message. Rotations then cost nothing, they are other addresses, and a round costs
//! 50 vector operations a message against 92 for two messages a vector, where each rotation takes three.
//!
//! What counts is then memory: the state has to stay in a first-level cache of 32 to 48 KB. So the lanes are a pool of
//! 30, and each plane (the lanes of one `y`) goes to the five that are free, then frees the five it came from.
//!
//! The loops over a `GROUP` are written so that LLVM gives each access a constant offset, and the functions are small
//! and called often, which is how V8 gets to optimise them: it replaces no function that is running.
#![expect(clippy::indexing_slicing, reason = "indices are constants, masked, or from tables of constants")]

use core::cell::Cell;

use super::keccak::{ROTATIONS, ROUND_CONSTANTS, State, source, theta};
use super::wide::Wide;

/// How many messages.
pub(super) const MESSAGES: usize = 128;

/// So many bits of each lane are handled together; they may begin anywhere.
const GROUP: usize = 8;
/// A lane's first bits come again at its end, so that a group never wraps.
const PADDED: usize = 64 + GROUP;

/// The 64 bits of a lane. Cells, because a plane is read and written in one pool.
type Lane = [Cell<Wide>; PADDED];
type Window = [Cell<Wide>; GROUP];

/// Where groups begin.
type Groups = [u8];
const ALL: &Groups = &[0, 8, 16, 24, 32, 40, 48, 56];

/// `CHECKED` bits of the first lane are compared, and these groups of the round before are all that they need:
/// bit `z` comes from the columns at `z - 1`, `z`, and `z + 19` to `z + 21`.
const FEW: &Groups = &[0, 8, 24, 32];
const CHECKED: core::ops::RangeInclusive<usize> = 5..=15;

/// Room for 128 messages. About 75 KB.
pub(super) struct Batch {
    /// The messages before the first round.
    start: [Lane; 25],
    /// What θ adds to the columns of `start`.
    start_added: [Lane; 5],
    pool: [Lane; 30],
    added: [Lane; 5],
}

impl Batch {
    /// All messages are the same.
    pub(super) fn new(state: &State) -> Self {
        let lane = |value: u64| core::array::from_fn(|bit| Cell::new(Wide::splat(value >> (bit & 63) & 1 == 1)));
        Self {
            start: state.map(lane),
            start_added: theta(state).map(lane),
            pool: [0; 30].map(lane),
            added: [0; 5].map(lane),
        }
    }

    /// Flips bit `bit` of lane `lane` (0 to 24) in the messages `which` has bits for.
    pub(super) fn flip(&self, lane: usize, bit: usize, which: u128) {
        let flip = |lane: &Lane, bit: usize| {
            for place in lane[bit & 63..].iter().step_by(64) {
                place.set(place.get() ^ Wide::new(which));
            }
        };
        flip(&self.start[lane], bit);
        flip(&self.start_added[(lane + 1) % 5], bit);
        flip(&self.start_added[(lane + 4) % 5], bit + 1);
    }

    /// The messages whose hash may begin with the lane `wanted`: bit `i` for message `i`. One message in 2048 is there
    /// by chance.
    pub(super) fn candidates(&self, wanted: u64) -> u128 {
        let [first, middle @ .., before_last, last] = ROUND_CONSTANTS;
        let mut slots: [usize; 30] = core::array::from_fn(|slot| slot);
        self.start_round(first);
        for constant in middle {
            self.round(&mut slots, constant, ALL);
        }
        self.round(&mut slots, before_last, FEW);
        self.columns(&slots, FEW);
        let mut left = Wide::ONES;
        for bit in CHECKED {
            // The bits that χ takes into the first lane.
            let [a, b, c] = [0, 1, 2].map(|x| {
                let (lane, at) = (source(x, 0), bit + 64 - ROTATIONS[source(x, 0)]);
                self.pool[slots[lane]][at & 63].get() ^ self.added[lane % 5][at & 63].get()
            });
            let wanted = Wide::splat((wanted ^ last) >> bit & 1 == 1);
            left = left.and_not(a ^ c.and_not(b) ^ wanted);
        }
        left.bits()
    }

    /// The first round, from `start` to the first 25 lanes of the pool.
    fn start_round(&self, constant: u64) {
        for y in 0..5 {
            let from = core::array::from_fn(|x| {
                let lane = source(x, y);
                (&self.start[lane], &self.start_added[lane % 5], 64 - ROTATIONS[lane])
            });
            plane(from, core::array::from_fn(|x| &self.pool[x + 5 * y]), ALL);
        }
        add_constant(&self.pool[0], constant);
    }

    /// A round within the pool. `slots` says where each lane is; the last five are free.
    fn round(&self, slots: &mut [usize; 30], constant: u64, groups: &Groups) {
        self.columns(slots, ALL);
        let mut next = [0; 30];
        let [.., a, b, c, d, e] = *slots;
        let mut free = [a, b, c, d, e];
        for y in 0..5 {
            let lanes: [usize; 5] = core::array::from_fn(|x| source(x, y));
            let from = lanes.map(|lane| (&self.pool[slots[lane]], &self.added[lane % 5], 64 - ROTATIONS[lane]));
            plane(from, free.map(|slot| &self.pool[slot]), groups);
            next[5 * y..5 * y + 5].copy_from_slice(&free);
            free = lanes.map(|lane| slots[lane]);
        }
        next[25..].copy_from_slice(&free);
        *slots = next;
        add_constant(&self.pool[slots[0]], constant);
    }

    /// What θ adds to each column. The sums of the columns go to the free lanes on the way.
    fn columns(&self, slots: &[usize; 30], groups: &Groups) {
        for x in 0..5 {
            let column = core::array::from_fn(|y| &self.pool[slots[x + 5 * y]]);
            sum(column, &self.pool[slots[25 + x]], groups);
        }
        for x in 0..5 {
            let [left, right] = [x + 4, x + 1].map(|x| &self.pool[slots[25 + x % 5]]);
            add(left, right, &self.added[x], groups);
        }
    }
}

/// θ, ρ, π and χ for the lanes of one `y`. `from` has the lane that π brings to each `x`, what θ adds to it, and by how
/// much ρ turns it to the right.
#[inline(never)]
fn plane(from: [(&Lane, &Lane, usize); 5], to: [&Lane; 5], groups: &Groups) {
    for &begin in groups {
        let begin = usize::from(begin);
        let from = from.map(|(lane, added, turn)| (window(lane, begin + turn), window(added, begin + turn)));
        let to = to.map(|lane| window(lane, begin));
        chi::<0>(&from, &to);
        chi::<1>(&from, &to);
        chi::<2>(&from, &to);
        chi::<3>(&from, &to);
        chi::<4>(&from, &to);
        chi::<5>(&from, &to);
        chi::<6>(&from, &to);
        chi::<7>(&from, &to);
    }
    for lane in to {
        pad(lane);
    }
}

#[inline(always)]
fn chi<const K: usize>(from: &[(&Window, &Window); 5], to: &[&Window; 5]) {
    let bits: [Wide; 5] = core::array::from_fn(|x| from[x].0[K].get() ^ from[x].1[K].get());
    for x in 0..5 {
        to[x][K].set(bits[x] ^ bits[(x + 2) % 5].and_not(bits[(x + 1) % 5]));
    }
}

/// The sum of a column's lanes.
#[inline(never)]
fn sum(column: [&Lane; 5], to: &Lane, groups: &Groups) {
    for &begin in groups {
        let begin = usize::from(begin);
        let (column, to) = (column.map(|lane| window(lane, begin)), window(to, begin));
        for k in 0..GROUP {
            let [a, b, c, d, e] = column.map(|lane| lane[k].get());
            to[k].set(a ^ b ^ c ^ d ^ e);
        }
    }
}

/// `left ^ right.rotate_left(1)`.
#[inline(never)]
fn add(left: &Lane, right: &Lane, to: &Lane, groups: &Groups) {
    for &begin in groups {
        let begin = usize::from(begin);
        let before = right[(begin + 63) & 63].get();
        let [left, right, to] = [left, right, to].map(|lane| window(lane, begin));
        to[0].set(left[0].get() ^ before);
        for k in 1..GROUP {
            to[k].set(left[k].get() ^ right[k - 1].get());
        }
    }
    pad(to);
}

fn add_constant(lane: &Lane, constant: u64) {
    let mut rest = constant;
    while rest != 0 {
        let place = &lane[rest.trailing_zeros() as usize & 63];
        place.set(place.get() ^ Wide::ONES);
        rest &= rest - 1;
    }
    pad(lane);
}

fn pad(lane: &Lane) {
    for k in 0..GROUP {
        lane[64 + k].set(lane[k].get());
    }
}

#[inline(always)]
fn window(lane: &Lane, begin: usize) -> &Window {
    &lane[begin & 63..].as_chunks().0[0]
}
