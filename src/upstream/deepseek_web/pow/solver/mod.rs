//! `DeepSeekHashV1` and the search for the number that hashes to a challenge. It names no other module of the crate and
//! no other crate, so that `examples/pow_wasm.rs` is this directory and nothing else.
mod keccak;
mod sliced;
mod wide;

use keccak::{RATE, Sponge};
use sliced::{Batch, MESSAGES};

/// DeepSeekHashV1: SHA3-256 (rate 136, suffix 06, 32 bytes of output) over Keccak-f\[1600\] without its first round.
pub fn hash(message: &[u8]) -> [u8; 32] {
    let mut sponge = Sponge::new();
    sponge.absorb(message);
    let mut digest = [0; 32];
    for (bytes, lane) in digest.chunks_exact_mut(8).zip(sponge.finish()) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    digest
}

/// The answer to a challenge: the least `n` below `difficulty` for which the hash of `{salt}_{expire_at}_{n}` is
/// `challenge`. For the usual difficulty of 144 000 that is 15 ms on average as Wasm, in one go; [`Solver`] does it in pieces.
///
/// `challenge` is 64 hexadecimal digits in either case, `expire_at` is in Unix milliseconds. `None` when there is no
/// such number, or `challenge` is something else.
pub fn solve(challenge: &str, salt: &str, expire_at: u64, difficulty: u64) -> Option<u64> {
    match Solver::new(challenge, salt, expire_at, difficulty)?.run(u64::MAX) {
        Progress::Found(answer) => Some(answer),
        Progress::Pending | Progress::Exhausted => None,
    }
}

/// How far a [`Solver`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The answer.
    Found(u64),
    /// There are numbers left to try.
    Pending,
    /// No number below the difficulty is the answer.
    Exhausted,
}

/// A search that can be interrupted.
pub struct Solver {
    wanted: [u64; 4],
    prefix: Sponge,
    /// The first number that has not been tried.
    next: u64,
    difficulty: u64,
    /// Made for the numbers with as many digits as `next` has.
    numbers: Option<Numbers>,
}

impl Solver {
    /// The arguments of [`solve`]. `None` when `challenge` is not 64 hexadecimal digits.
    pub fn new(challenge: &str, salt: &str, expire_at: u64, difficulty: u64) -> Option<Self> {
        let mut prefix = Sponge::new();
        prefix.absorb(format!("{salt}_{expire_at}_").as_bytes());
        Some(Self { wanted: lanes(challenge)?, prefix, next: 0, difficulty, numbers: None })
    }

    /// Skips the numbers below `number`.
    #[cfg(test)]
    pub(super) fn starting_at(self, number: u64) -> Self {
        Self { next: number, ..self }
    }

    /// Tries about `budget` more numbers, at least one, in ascending order: a multiple of 128 wastes least.
    pub fn run(&mut self, budget: u64) -> Progress {
        let end = self.next.saturating_add(budget.max(1)).min(self.difficulty);
        while self.next < end {
            if let Some(answer) = self.step() {
                return Progress::Found(answer);
            }
        }
        if self.next < self.difficulty { Progress::Pending } else { Progress::Exhausted }
    }

    /// Tries the next numbers with as many digits as the first of them, 128 at most.
    fn step(&mut self) -> Option<u64> {
        let first = self.next;
        let digits = first.checked_ilog10().unwrap_or(0) + 1;
        // The digits and at least a byte of padding have to fit into the block.
        if self.prefix.filled() + digits as usize >= RATE {
            self.next += 1;
            return self.is_answer(first).then_some(first);
        }
        let above = 10_u64.checked_pow(digits).unwrap_or(u64::MAX).min(self.difficulty);
        let count = (above - first).min(MESSAGES as u64);
        self.next += count;
        let numbers = match &mut self.numbers {
            Some(numbers) if numbers.digits.len() == digits as usize => numbers,
            numbers => numbers.insert(Numbers::new(&self.prefix, digits as usize)),
        };
        numbers.set(first);
        let [wanted, ..] = self.wanted;
        let mut candidates = numbers.batch.candidates(wanted);
        while candidates != 0 {
            let number = first + u64::from(candidates.trailing_zeros());
            candidates &= candidates - 1;
            if number < first + count && self.is_answer(number) {
                return Some(number);
            }
        }
        None
    }

    fn is_answer(&self, number: u64) -> bool {
        let mut sponge = self.prefix.clone();
        sponge.absorb(number.to_string().as_bytes());
        sponge.finish() == self.wanted
    }
}

/// 128 numbers in a row, all with so many digits, after the prefix.
struct Numbers {
    batch: Box<Batch>,
    /// Where the digits begin in the block, in bytes.
    at: usize,
    /// For each digit, the last one first, which numbers have each of the four low bits of its ASCII code set.
    digits: Vec<[u128; 4]>,
}

impl Numbers {
    fn new(prefix: &Sponge, digits: usize) -> Self {
        let mut zeros = prefix.clone();
        zeros.absorb("0".repeat(digits).as_bytes());
        Self { batch: Box::new(Batch::new(&zeros.padded())), at: prefix.filled(), digits: vec![[0; 4]; digits] }
    }

    /// The numbers from `first` on. Those that have more digits wrap around.
    fn set(&mut self, first: u64) {
        let mut weight = 1;
        let places = (self.at..self.at + self.digits.len()).rev();
        for (place, digit) in places.zip(&mut self.digits) {
            let bits = if weight == 1 { last_digits(first) } else { digits(first, weight) };
            for (bit, (now, before)) in bits.into_iter().zip(digit).enumerate() {
                if now != *before {
                    self.batch.flip(place / 8, place % 8 * 8 + bit, now ^ *before);
                    *before = now;
                }
            }
            weight *= 10;
        }
    }
}

/// For each of four bits, which of the 128 numbers from `first` on have it set in their digit of this weight.
const fn digits(first: u64, weight: u64) -> [u128; 4] {
    let [mut a, mut b, mut c, mut d] = [0; 4];
    let mut digit = first / weight % 10;
    let (mut begin, mut end) = (0, weight - first % weight);
    while begin < MESSAGES as u64 {
        let from_end = if end < MESSAGES as u64 { u128::MAX << end } else { 0 };
        let these = (u128::MAX << begin) ^ from_end;
        if digit & 1 != 0 {
            a |= these;
        }
        if digit & 2 != 0 {
            b |= these;
        }
        if digit & 4 != 0 {
            c |= these;
        }
        if digit & 8 != 0 {
            d |= these;
        }
        (digit, begin, end) = ((digit + 1) % 10, end, end.saturating_add(weight));
    }
    [a, b, c, d]
}

/// [`digits`] of weight one.
fn last_digits(first: u64) -> [u128; 4] {
    /// For numbers that begin with 0 to 9.
    const PATTERNS: [[u128; 4]; 10] = [
        digits(0, 1),
        digits(1, 1),
        digits(2, 1),
        digits(3, 1),
        digits(4, 1),
        digits(5, 1),
        digits(6, 1),
        digits(7, 1),
        digits(8, 1),
        digits(9, 1),
    ];
    PATTERNS.get((first % 10) as usize).copied().unwrap_or_default()
}

/// 64 hexadecimal digits as little-endian lanes.
fn lanes(hex: &str) -> Option<[u64; 4]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut lanes = [0; 4];
    for (lane, digits) in lanes.iter_mut().zip(digits.chunks_exact(16)) {
        *lane = u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?.swap_bytes();
    }
    Some(lanes)
}
