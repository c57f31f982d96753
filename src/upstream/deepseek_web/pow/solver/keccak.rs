//! The sponge of DeepSeekHashV1, one message at a time.

/// The state: 25 lanes; the one at `(x, y)` is `x + 5 * y`.
pub(super) type State = [u64; 25];

/// Bytes absorbed before each permutation.
pub(super) const RATE: usize = 136;

/// The constants of Keccak-f[1600] without the first: DeepSeekHashV1 leaves out that round.
pub(super) const ROUND_CONSTANTS: [u64; 23] = [
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

/// By how many bits ρ turns each lane to the left.
pub(super) const ROTATIONS: [usize; 25] =
    [0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14];

/// Where the lane was that π brings to `(x, y)`.
pub(super) const fn source(x: usize, y: usize) -> usize {
    (x + 3 * y) % 5 + 5 * x
}

/// What θ adds to the lanes of each column.
pub(super) fn theta(state: &State) -> [u64; 5] {
    #[rustfmt::skip]
    let [
        a0, a1, a2, a3, a4,
        a5, a6, a7, a8, a9,
        a10, a11, a12, a13, a14,
        a15, a16, a17, a18, a19,
        a20, a21, a22, a23, a24,
    ] = *state;
    let sums = [
        a0 ^ a5 ^ a10 ^ a15 ^ a20,
        a1 ^ a6 ^ a11 ^ a16 ^ a21,
        a2 ^ a7 ^ a12 ^ a17 ^ a22,
        a3 ^ a8 ^ a13 ^ a18 ^ a23,
        a4 ^ a9 ^ a14 ^ a19 ^ a24,
    ];
    let [a, b, c, d, e] = sums;
    let added = |left: u64, right: u64| left ^ right.rotate_left(1);
    [added(e, b), added(a, c), added(b, d), added(c, e), added(d, a)]
}

/// All rounds.
pub(super) fn permute(state: &mut State) {
    for constant in ROUND_CONSTANTS {
        *state = round(state, constant);
    }
}

#[inline(always)]
fn round(state: &State, constant: u64) -> State {
    let [d0, d1, d2, d3, d4] = theta(state);
    #[rustfmt::skip]
    let [
        a0, a1, a2, a3, a4,
        a5, a6, a7, a8, a9,
        a10, a11, a12, a13, a14,
        a15, a16, a17, a18, a19,
        a20, a21, a22, a23, a24,
    ] = *state;
    // θ, ρ and π, then χ a row at a time.
    let [b0, b1, b2, b3, b4] = chi([
        a0 ^ d0,
        (a6 ^ d1).rotate_left(44),
        (a12 ^ d2).rotate_left(43),
        (a18 ^ d3).rotate_left(21),
        (a24 ^ d4).rotate_left(14),
    ]);
    let [b5, b6, b7, b8, b9] = chi([
        (a3 ^ d3).rotate_left(28),
        (a9 ^ d4).rotate_left(20),
        (a10 ^ d0).rotate_left(3),
        (a16 ^ d1).rotate_left(45),
        (a22 ^ d2).rotate_left(61),
    ]);
    let [b10, b11, b12, b13, b14] = chi([
        (a1 ^ d1).rotate_left(1),
        (a7 ^ d2).rotate_left(6),
        (a13 ^ d3).rotate_left(25),
        (a19 ^ d4).rotate_left(8),
        (a20 ^ d0).rotate_left(18),
    ]);
    let [b15, b16, b17, b18, b19] = chi([
        (a4 ^ d4).rotate_left(27),
        (a5 ^ d0).rotate_left(36),
        (a11 ^ d1).rotate_left(10),
        (a17 ^ d2).rotate_left(15),
        (a23 ^ d3).rotate_left(56),
    ]);
    let [b20, b21, b22, b23, b24] = chi([
        (a2 ^ d2).rotate_left(62),
        (a8 ^ d3).rotate_left(55),
        (a14 ^ d4).rotate_left(39),
        (a15 ^ d0).rotate_left(41),
        (a21 ^ d1).rotate_left(2),
    ]);
    #[rustfmt::skip]
    let next = [
        b0 ^ constant, b1, b2, b3, b4,
        b5, b6, b7, b8, b9,
        b10, b11, b12, b13, b14,
        b15, b16, b17, b18, b19,
        b20, b21, b22, b23, b24,
    ];
    next
}

#[inline(always)]
fn chi([a, b, c, d, e]: [u64; 5]) -> [u64; 5] {
    [a ^ (!b & c), b ^ (!c & d), c ^ (!d & e), d ^ (!e & a), e ^ (!a & b)]
}

/// A message on its way in. A clone goes on from the same prefix.
#[derive(Clone)]
pub(super) struct Sponge {
    state: State,
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
    pub(super) fn padded(mut self) -> State {
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
