//! The permutation of DeepSeekHashV1, for one message or two at once, and its sponge.
use super::lane::Lane;

/// The state: 25 lanes; the one at `(x, y)` is `x + 5 * y`.
pub(super) type State<L> = [L; 25];

/// Bytes absorbed before each permutation.
pub(super) const RATE: usize = 136;

/// The constants of Keccak-f[1600] without the first: DeepSeekHashV1 leaves out that round.
const ROUND_CONSTANTS: [u64; 23] = [
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// All rounds.
fn permute(state: &mut State<u64>) {
    for constant in ROUND_CONSTANTS {
        *state = round(state, constant);
    }
}

/// The first lane after all rounds. Of the last round only that much is done.
///
/// A function of its own, called for each message: V8 replaces no function that is running by its optimised version.
#[inline(never)]
pub(super) fn first_lane<L: Lane>(state: &State<L>) -> L {
    let [rounds @ .., last] = &ROUND_CONSTANTS;
    let mut state = *state;
    for constant in rounds {
        state = round(&state, *constant);
    }
    let [d0, d1, d2, ..] = theta(&state);
    let [a0, _, _, _, _, _, a6, _, _, _, _, _, a12, ..] = state;
    let [b0, b1, b2] = [a0.xor(d0), a6.xor(d1).turn::<44>(), a12.xor(d2).turn::<43>()];
    b0.xor(b2.and_not(b1)).xor(L::all(*last))
}

/// What θ adds to the lanes of each column.
#[inline(always)]
fn theta<L: Lane>(state: &State<L>) -> [L; 5] {
    #[rustfmt::skip]
    let [
        a0, a1, a2, a3, a4,
        a5, a6, a7, a8, a9,
        a10, a11, a12, a13, a14,
        a15, a16, a17, a18, a19,
        a20, a21, a22, a23, a24,
    ] = *state;
    let sum = |a: L, b: L, c: L, d: L, e: L| a.xor(b).xor(c.xor(d)).xor(e);
    let a = sum(a0, a5, a10, a15, a20);
    let b = sum(a1, a6, a11, a16, a21);
    let c = sum(a2, a7, a12, a17, a22);
    let d = sum(a3, a8, a13, a18, a23);
    let e = sum(a4, a9, a14, a19, a24);
    let added = |left: L, right: L| left.xor(right.turn::<1>());
    [added(e, b), added(a, c), added(b, d), added(c, e), added(d, a)]
}

#[inline(always)]
fn round<L: Lane>(state: &State<L>, constant: u64) -> State<L> {
    let [d0, d1, d2, d3, d4] = theta(state);
    #[rustfmt::skip]
    let [
        a0, a1, a2, a3, a4,
        a5, a6, a7, a8, a9,
        a10, a11, a12, a13, a14,
        a15, a16, a17, a18, a19,
        a20, a21, a22, a23, a24,
    ] = *state;
    // The rest of θ, ρ and π, then χ, a row at a time.
    let [b0, b1, b2, b3, b4] = chi([
        a0.xor(d0),
        a6.xor(d1).turn::<44>(),
        a12.xor(d2).turn::<43>(),
        a18.xor(d3).turn::<21>(),
        a24.xor(d4).turn::<14>(),
    ]);
    let [b5, b6, b7, b8, b9] = chi([
        a3.xor(d3).turn::<28>(),
        a9.xor(d4).turn::<20>(),
        a10.xor(d0).turn::<3>(),
        a16.xor(d1).turn::<45>(),
        a22.xor(d2).turn::<61>(),
    ]);
    let [b10, b11, b12, b13, b14] = chi([
        a1.xor(d1).turn::<1>(),
        a7.xor(d2).turn::<6>(),
        a13.xor(d3).turn::<25>(),
        a19.xor(d4).turn::<8>(),
        a20.xor(d0).turn::<18>(),
    ]);
    let [b15, b16, b17, b18, b19] = chi([
        a4.xor(d4).turn::<27>(),
        a5.xor(d0).turn::<36>(),
        a11.xor(d1).turn::<10>(),
        a17.xor(d2).turn::<15>(),
        a23.xor(d3).turn::<56>(),
    ]);
    let [b20, b21, b22, b23, b24] = chi([
        a2.xor(d2).turn::<62>(),
        a8.xor(d3).turn::<55>(),
        a14.xor(d4).turn::<39>(),
        a15.xor(d0).turn::<41>(),
        a21.xor(d1).turn::<2>(),
    ]);
    #[rustfmt::skip]
    let next = [
        b0.xor(L::all(constant)), b1, b2, b3, b4,
        b5, b6, b7, b8, b9,
        b10, b11, b12, b13, b14,
        b15, b16, b17, b18, b19,
        b20, b21, b22, b23, b24,
    ];
    next
}

#[inline(always)]
fn chi<L: Lane>([a, b, c, d, e]: [L; 5]) -> [L; 5] {
    let chi = |a: L, b: L, c: L| a.xor(c.and_not(b));
    [chi(a, b, c), chi(b, c, d), chi(c, d, e), chi(d, e, a), chi(e, a, b)]
}

/// A message on its way in. A clone goes on from the same prefix.
#[derive(Clone)]
pub(super) struct Sponge {
    state: State<u64>,
    /// How many bytes of the current block are in; less than `RATE`.
    filled: usize,
}

impl Sponge {
    pub(super) const fn new() -> Self {
        Self { state: [0; 25], filled: 0 }
    }

    /// How many bytes of the current block are in.
    pub(super) const fn filled(&self) -> usize {
        self.filled
    }

    pub(super) fn absorb(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.add(self.filled, byte);
            self.filled += 1;
            if self.filled == RATE {
                permute(&mut self.state);
                self.filled = 0;
            }
        }
    }

    /// The state before its last permutation: SHA3's padding is in.
    pub(super) fn padded(mut self) -> State<u64> {
        self.add(self.filled, 0x06);
        self.add(RATE - 1, 0x80);
        self.state
    }

    /// The first 32 bytes of output, as little-endian lanes.
    pub(super) fn finish(self) -> [u64; 4] {
        let mut state = self.padded();
        permute(&mut state);
        let [a, b, c, d, ..] = state;
        [a, b, c, d]
    }

    fn add(&mut self, at: usize, byte: u8) {
        if let Some(lane) = self.state.get_mut(at / 8) {
            *lane ^= u64::from(byte) << (at % 8 * 8);
        }
    }
}
