//! `DeepSeekHashV1` and the search for the number that hashes to a challenge. It names no other module of the crate and
//! no other crate, so that `examples/pow_wasm.rs` is this directory and nothing else.
mod keccak;
mod lane;

use core::ops::Range;

use keccak::{RATE, Sponge, State, first_lane};
use lane::{Lane, Pair};

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
    /// The first number that has not been tried; even.
    next: u64,
    difficulty: u64,
    /// For the numbers with as many digits as `next` has.
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
        Self { next: number - number % 2, ..self }
    }

    /// Tries `budget` more numbers in ascending order, or one more than that to make it even.
    pub fn run(&mut self, budget: u64) -> Progress {
        let end = self.next.saturating_add(budget.max(1)).min(self.difficulty);
        while self.next < end {
            if let Some(answer) = self.step() {
                return Progress::Found(answer);
            }
        }
        if self.next < self.difficulty { Progress::Pending } else { Progress::Exhausted }
    }

    /// Tries the next two numbers.
    #[inline(always)]
    fn step(&mut self) -> Option<u64> {
        let first = self.next;
        let second = first + 1;
        self.next = first.saturating_add(2);
        // Both have as many digits: it is an odd number that is the last before a power of ten.
        let numbers = match &mut self.numbers {
            Some(numbers) if first < numbers.end => numbers,
            numbers => {
                let digits = first.checked_ilog10().unwrap_or(0) + 1;
                // The digits and at least a byte of padding have to fit into the block.
                if self.prefix.filled() + digits as usize >= RATE {
                    return [first, second].into_iter().find(|&number| self.is_answer(number));
                }
                numbers.insert(Numbers::new(&self.prefix, first, digits))
            }
        };
        let [one, two] = first_lane(numbers.next_pair()).both();
        let [wanted, ..] = self.wanted;
        if one == wanted && self.is_answer(first) {
            return Some(first);
        }
        (two == wanted && self.is_answer(second)).then_some(second)
    }

    fn is_answer(&self, number: u64) -> bool {
        if number >= self.difficulty {
            return false;
        }
        let mut sponge = self.prefix.clone();
        sponge.absorb(number.to_string().as_bytes());
        sponge.finish() == self.wanted
    }
}

/// Numbers in a row, all with so many digits, after the prefix.
struct Numbers {
    digits: usize,
    /// The first number with more digits.
    end: u64,
    /// The last digit's place in the block, in bytes.
    last: usize,
    /// The next number's digits in ASCII, the last one first.
    ascii: [u8; 20],
    /// The block with the next number.
    block: State<u64>,
    /// The block with the last two: only lanes with digits change.
    pair: State<Pair>,
}

impl Numbers {
    fn new(prefix: &Sponge, first: u64, digits: u32) -> Self {
        let end = 10_u64.checked_pow(digits).unwrap_or(u64::MAX);
        let digits = digits as usize;
        let text = first.to_string();
        let mut ascii = [b'0'; 20];
        for (to, digit) in ascii.iter_mut().zip(text.bytes().rev()) {
            *to = digit;
        }
        let mut message = prefix.clone();
        message.absorb(text.as_bytes());
        let block = message.padded();
        Self { digits, end, last: prefix.filled() + digits - 1, ascii, block, pair: block.map(Pair::all) }
    }

    #[inline(always)]
    fn next_pair(&mut self) -> &State<Pair> {
        let lanes = (self.last + 1 - self.digits) / 8..self.last / 8 + 1;
        self.store(lanes.clone(), |_, one| Pair::all(one));
        self.increment();
        self.store(lanes, Pair::with_second);
        self.increment();
        &self.pair
    }

    #[inline(always)]
    fn store(&mut self, lanes: Range<usize>, change: impl Fn(Pair, u64) -> Pair) {
        for (pair, lane) in self.pair.iter_mut().zip(&self.block).take(lanes.end).skip(lanes.start) {
            *pair = change(*pair, *lane);
        }
    }

    #[inline(always)]
    fn increment(&mut self) {
        for (place, digit) in self.ascii.iter_mut().take(self.digits).enumerate() {
            let next = if *digit == b'9' { b'0' } else { *digit + 1 };
            let at = self.last - place;
            if let Some(lane) = self.block.get_mut(at / 8) {
                *lane ^= u64::from(*digit ^ next) << (at % 8 * 8);
            }
            *digit = next;
            if next != b'0' {
                break;
            }
        }
    }
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
