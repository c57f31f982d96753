//! Nanoseconds a hash of DeepSeek's proof of work, natively, as one JSON line; `npm run bench -- pow` reads it.
use std::hint::black_box;
use std::time::Instant;

use weir::upstream::deepseek_web::pow::{hash, solve};

const ROUNDS: usize = 15;
const DIFFICULTY: u64 = 144_000;
const HASHES: u32 = 20_000;

fn main() {
    let nowhere = "0".repeat(64);
    let mut message = *b"9feabdd5b0f1e2b4516d_1790102635309_000000";
    let (mut paired, mut scalar) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        black_box(solve(&nowhere, "9feabdd5b0f1e2b4516d", 1_790_102_635_309, DIFFICULTY));
        paired.push(began.elapsed().as_secs_f64() * 1e9 / DIFFICULTY as f64);
        let began = Instant::now();
        for number in 0..HASHES {
            if let Some(digits) = message.last_chunk_mut() {
                *digits = number.to_le_bytes();
            }
            black_box(hash(black_box(&message)));
        }
        scalar.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(HASHES));
    }
    println!("{{\"paired\":{:.1},\"scalar\":{:.1}}}", median(paired), median(scalar));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
