//! The solver alone, as Wasm without imports: `tests/pow` runs it in Node, and so does `npm run bench`.
//!
//! Text goes in byte by byte: two calls a byte are nothing, and no memory is shared.
#![expect(unsafe_code, reason = "an exported function needs its plain name, and that attribute counts as unsafe")]

#[path = "../src/upstream/deepseek_web/pow/solver/mod.rs"]
pub mod solver;

use std::cell::RefCell;
use std::hint::black_box;

use solver::{Progress, Solver};

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SOLVER: RefCell<Option<Solver>> = const { RefCell::new(None) };
}

/// Appends a byte to the text.
#[unsafe(no_mangle)]
pub extern "C" fn push(byte: u8) {
    TEXT.with_borrow_mut(|text| text.push(byte));
}

/// Replaces the text by its hash.
#[unsafe(no_mangle)]
pub extern "C" fn hash() {
    TEXT.with_borrow_mut(|text| *text = solver::hash(text).to_vec());
}

/// Takes the first byte off the text; -1 when it is empty.
#[unsafe(no_mangle)]
pub extern "C" fn shift() -> i32 {
    TEXT.with_borrow_mut(|text| if text.is_empty() { -1 } else { i32::from(text.remove(0)) })
}

/// Takes the text, `{challenge} {salt}`, and gets ready to solve it. Whether it can.
#[unsafe(no_mangle)]
pub extern "C" fn prepare(expire_at: f64, difficulty: f64) -> bool {
    let text = TEXT.take();
    let Some((challenge, salt)) = std::str::from_utf8(&text).ok().and_then(|text| text.split_once(' ')) else {
        return false;
    };
    let solver = Solver::new(challenge, salt, expire_at as u64, difficulty as u64);
    let ready = solver.is_some();
    SOLVER.set(solver);
    ready
}

/// Goes on for about so many numbers. The answer, -1 when there is none, -2 when there are numbers left to try.
#[unsafe(no_mangle)]
pub extern "C" fn run(budget: f64) -> f64 {
    SOLVER.with_borrow_mut(|solver| match solver.as_mut().map(|solver| solver.run(budget as u64)) {
        Some(Progress::Found(answer)) => answer as f64,
        Some(Progress::Pending) => -2.0,
        Some(Progress::Exhausted) | None => -1.0,
    })
}

/// Hashes so many messages like those of a challenge, one at a time.
#[unsafe(no_mangle)]
pub extern "C" fn hash_one_by_one(count: u32) {
    let mut message = *b"00000000000000000000_1700000000000_000000";
    for number in 0..count {
        if let Some(digits) = message.last_chunk_mut() {
            *digits = number.to_le_bytes();
        }
        black_box(solver::hash(black_box(&message)));
    }
}
